"""What a rule is, and the case it is asked about."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from gateway.config import BankProfile
from gateway.core.payment import Instruction
from gateway.intake.places import DECIMALS

NAME_CHARS_MAX_SEPA: Final = 70  # EPC130-08, AT-E001 and AT-P001
NAME_CHARS_MAX: Final = 140  # ISO 20022 Max140Text
OTHER_ACCOUNT_CHARS_MAX: Final = 34  # ISO 20022 GenericAccountIdentification1, Max34Text
REMITTANCE_CHARS_MAX: Final = 140  # ISO 20022 Max140Text, EPC130-08 AT-T009
STREET_CHARS_MAX: Final = 70  # ISO 20022 PostalAddress24, here and below
BUILDING_CHARS_MAX: Final = 16
POSTAL_CODE_CHARS_MAX: Final = 16
TOWN_CHARS_MAX: Final = 35
AMOUNT_MAX_SEPA: Final = Decimal("999999999.99")  # EPC130-08, AT-T002
AMOUNT_DIGITS_MAX: Final = 18  # ISO 20022 ActiveCurrencyAndAmount, totalDigits
PURPOSE_CHARS: Final = 4  # every code of ISO 20022 ExternalPurpose1Code has four


class Case:
    """One normalized instruction with what the rules ask about it. Made per instruction, so it is kept light."""

    __slots__ = ("bank", "currency", "decimals", "decimals_used", "name_max", "sepa", "size", "today", "told")

    def __init__(self, told: Instruction, today: date, sepa: bool, bank: BankProfile | None, size: int) -> None:
        self.told = told
        self.today = today
        self.sepa = sepa
        self.bank = bank
        """None where none could be chosen: that is answered apart from the rules."""
        self.size = size
        """Bytes of the instruction's content."""
        self.currency = told.amount.currency
        self.decimals = DECIMALS.get(told.amount.currency)
        """None: no active currency."""
        exponent = told.amount.value.as_tuple().exponent
        self.decimals_used = max(0, -exponent) if isinstance(exponent, int) else 0
        self.name_max = NAME_CHARS_MAX_SEPA if sepa else NAME_CHARS_MAX

    @property
    def rails(self) -> str:
        """What the bank offers, for people."""
        return ", ".join(self.bank.rails) if self.bank else ""


@dataclass(frozen=True, slots=True)
class Rule:
    reason: str
    """The rule's name in the API: stable."""
    field: str
    """Field path of the API, below `instruction`; empty: the instruction as a whole."""
    holds: Callable[[Case], bool]
    says: str
    """What is allowed. `{case...}` is filled in; only with what is no account data and no name."""
    recurs: bool = False
    """Whether it asks only about what many instructions have in common (intake.standing), so that one look answers for
    all of them."""
