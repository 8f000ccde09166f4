"""What a house's instructions have in common, looked at once: account, bank, currency, date, rail.

Much of what intake asks of an instruction has the same answer for the next thousand: which bank it goes to, whether it
stays within SEPA, who bears the charges, and every rule that is marked as recurring. So it is asked once for each
combination. Where a rule objects, the whole table is asked as ever, for its texts.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Final, NamedTuple

from gateway.config import BankProfile
from gateway.core.errors import BankUnknown
from gateway.core.payment import ChargeBearer, Instruction, Money, Party, Rail
from gateway.intake.bank import BankBook
from gateway.intake.fingerprint import Said
from gateway.intake.known import KnownParty
from gateway.intake.places import within_sepa
from gateway.intake.rule import Case
from gateway.intake.rules import RECURRING

STANDINGS_KEPT_MAX: Final = 2_048  # some 2 KiB each, and the debtor, who is mostly kept by intake.known too
STANDING_CHARS_KEPT_MAX: Final = 100
"""Of currency, bank and purpose: more than any have that break no rule, so that what is kept of strangers is small.
For the same reason a combination is kept only with a debtor who breaks none: others may be of any size."""


class Combination(NamedTuple):
    """What instructions may have in common, as it came but for the currency, which is normalized."""

    debtor: KnownParty
    creditor_country: str
    """The first two characters of the creditor's IBAN."""
    currency: str
    bank: str
    execution_date: date | None
    purpose: str
    charge_bearer: ChargeBearer | None
    """None where the client left it open."""
    rail: Rail
    today: date
    banks: BankBook


@dataclass(frozen=True, slots=True)
class Standing:
    """What intake makes of a combination."""

    profile: BankProfile | None
    """None where no bank can be chosen."""
    bank: str
    """Its name; where it cannot be chosen, what the client named."""
    purpose: str
    """Normalized."""
    charge_bearer: ChargeBearer
    """Ours, where the client left it open."""
    sepa: bool
    what: Said
    how: Said
    """Parts of the content, see fingerprint.content."""
    sound: bool
    """Whether every recurring rule holds."""


def standing(of: Combination) -> Standing:
    """Never raises for what a client sent."""
    known = of.debtor.sound and len(of.currency) + len(of.bank) + len(of.purpose) <= STANDING_CHARS_KEPT_MAX
    return _kept(of) if known else _look(of)


def _look(of: Combination) -> Standing:
    debtor, named, purpose = of.debtor.written, of.bank.strip(), of.purpose.strip().upper()
    bank = of.banks.choose(named, debtor.account.number)
    profile = None if isinstance(bank, BankUnknown) else bank
    sepa = within_sepa(debtor.account.iban, of.creditor_country, of.currency)
    ours = ChargeBearer.SLEV if sepa else ChargeBearer.SHAR
    told = Instruction(
        idempotency_key="",
        end_to_end_id="",
        amount=Money(of.currency, Decimal(0)),
        debtor=debtor,
        creditor=_NOBODY,
        bank=profile.name if profile else named,
        requested_execution_date=of.execution_date,
        purpose=purpose,
        charge_bearer=of.charge_bearer or ours,
        rail=of.rail,
    )
    case = Case(told, of.today, sepa, profile, 0)
    return Standing(
        profile=profile,
        bank=told.bank,
        purpose=purpose,
        charge_bearer=told.charge_bearer,
        sepa=sepa,
        what=Said.of((named, of.execution_date.isoformat() if of.execution_date else "", purpose)),
        how=Said.of((of.charge_bearer.value if of.charge_bearer else "", of.rail.value)),
        sound=all(rule.holds(case) for rule in RECURRING),
    )


_kept: Final = lru_cache(maxsize=STANDINGS_KEPT_MAX)(_look)
_NOBODY: Final = Party()
