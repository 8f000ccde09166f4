"""Causeway: a bank-direct payment gateway daemon."""
