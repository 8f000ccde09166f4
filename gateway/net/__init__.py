"""Bytes on the wire: TLS over memory BIOs, and the one door to h2."""
