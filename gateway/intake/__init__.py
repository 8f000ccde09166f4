"""What a client may ask for: the shape rules, the content's fingerprint, and which bank it goes to. Pure."""
