"""Parties that were looked at before: a debtor is the same in every instruction of a house, and creditors recur.

What intake makes of a party depends on the party alone, but for the bound on its name, which is tighter within SEPA. So
it is done once: writing it our way, what goes into the fingerprint, and whether any rule for parties objects. Where one
does, the whole table is asked as ever, since its texts depend on the case.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Final

from gateway.core.payment import Account, Address, Instruction, Money, Party
from gateway.intake.fingerprint import Said
from gateway.intake.parties import CREDITOR_RULES, party_rules
from gateway.intake.rule import Case

PARTIES_KEPT_MAX: Final = 4_096  # some 2 KiB each with their texts
PARTY_CHARS_KEPT_MAX: Final = 400
"""More than any party that breaks no rule has within SEPA, so that what is kept of a stranger's texts is small."""


@dataclass(frozen=True, slots=True, eq=False)
class KnownParty:
    """One party as it came, seen by intake. Compared and hashed as an object."""

    came: Party
    written: Party
    """Normalized."""
    said: Said
    """What it adds to the instruction's content."""
    sound: bool
    """Whether no rule for parties objects, however the payment goes."""
    payable: bool
    """Whether moreover none for creditors does."""


def known(party: Party) -> KnownParty:
    """`party` is as translated, unchecked."""
    account, address = party.account, party.address
    chars = len(party.name) + len(account.iban) + len(account.other) + len(party.agent_bic)
    if address:
        chars += len(address.street) + len(address.building) + len(address.postal_code)
        chars += len(address.town) + len(address.country)
    return _known(party) if chars <= PARTY_CHARS_KEPT_MAX else _seen(party)


def _seen(party: Party) -> KnownParty:
    written = _written(party)
    case = Case(Instruction("", "", _NO_MONEY, written, written, ""), date.min, True, None, 0)
    sound = all(rule.holds(case) for rule in _RULES)
    payable = sound and all(rule.holds(case) for rule in CREDITOR_RULES)
    return KnownParty(party, written, Said.of(_parts(written)), sound, payable)


_known: Final = lru_cache(maxsize=PARTIES_KEPT_MAX)(_seen)
_NO_MONEY: Final = Money("EUR", Decimal(0))
_RULES: Final = party_rules("", lambda case: case.told.debtor)


def _written(party: Party) -> Party:
    return Party(
        name=party.name.strip(),
        account=Account(iban=compact(party.account.iban), other=party.account.other.strip()),
        agent_bic=compact(party.agent_bic),
        address=_address(party.address) if party.address else party.address,
    )


def _address(address: Address) -> Address:
    return Address(
        street=address.street.strip(),
        building=address.building.strip(),
        postal_code=address.postal_code.strip(),
        town=address.town.strip(),
        country=address.country.strip().upper(),
    )


def _parts(party: Party) -> tuple[str, ...]:
    account, address = party.account, party.address
    return (
        party.name,
        account.iban,
        account.other,
        party.agent_bic,
        address.street,
        address.building,
        address.postal_code,
        address.town,
        address.country,
    )


def compact(number: str) -> str:
    """As machines write it: people group account numbers and references in fours."""
    return number.upper() if number.isalnum() or not number else "".join(number.split()).upper()
