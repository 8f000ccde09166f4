"""What a principal may do beyond submitting and seeing its tenant's payments."""

from enum import StrEnum


class Role(StrEnum):
    """The closed list, as the configuration writes them."""

    QUARANTINE = "quarantine"  # see what a restored store waits for, and end its quarantine
    HOLDS = "holds"  # release a hold that the house placed for a defect of its own, on payments somebody else made
    DOUBTS = "doubts"  # see the evidence about payments in doubt, propose and confirm what became of them
