"""A simulated bank: the gateway's foreign peer, with a ledger of its own that says what was really booked."""

from loadtest.bank.bank import SimBank
from loadtest.bank.config import BankConfig, Ports
from loadtest.bank.ledger import Booking, Ledger, Totals
from loadtest.bank.sins import Sin

__all__ = ["BankConfig", "Booking", "Ledger", "Ports", "SimBank", "Sin", "Totals"]
