"""The on-disk records of the store; they evolve apart from the API."""
