"""The wire to a bank: one pool of mutually authenticated sessions, and the truth about what left."""
