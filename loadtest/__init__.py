"""Load generator, simulated bank and reports. Shares no business code with the gateway."""
