"""The store: payments, their indexes and the chained log in one LMDB environment, written by one thread."""
