"""What people may decide about a payment in doubt, and a decision that waits for its second person (laws 5 and 9)."""

from dataclasses import dataclass
from enum import StrEnum


class Decision(StrEnum):
    """What the two found out, or that nobody can. Values are stable: they are stored, shown and published."""

    HELD_BY_BANK = "HELD_BY_BANK"  # the bank has it and will act on it: followed as any accepted payment
    SETTLED = "SETTLED"  # it was paid
    REJECTED = "REJECTED"  # the bank will not pay it
    NOT_HELD = "NOT_HELD"  # the bank does not have it: IT IS SENT AGAIN, under the same wire reference
    ABANDONED = "ABANDONED"  # nobody can find out: given up, never to be sent


@dataclass(frozen=True, slots=True)
class Proposal:
    """One person's half of a decision."""

    decision: Decision
    actor: str
    """The principal who proposed it, and who can therefore never confirm it."""
    at_ns: int
    digest: bytes
    """What it was proposed about (decisions.bound): void as soon as the payment has moved on."""
