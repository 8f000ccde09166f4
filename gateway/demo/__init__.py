"""`causeway demo`: a whole house on loopback, with payments to look at."""
