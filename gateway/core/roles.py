"""What a principal may do beyond submitting and seeing its tenant's payments."""

from enum import StrEnum


class Role(StrEnum):
    """The closed list, as the configuration writes them."""

    DOUBTS = "doubts"  # see the evidence about payments in doubt, propose and confirm what became of them
