"""Version 1 of the on-disk records."""
