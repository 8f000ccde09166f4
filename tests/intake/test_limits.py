"""Claims about how much an instruction may hold: each bound itself is allowed, and one more is not."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from gateway import limits
from gateway.core.payment import Account, Address, ChargeBearer, Money, Party
from gateway.intake import rule
from gateway.intake.places import REFERENCE_CHARS_MAX
from tests.fills import fills
from tests.intake.drafts import TODAY, account, broken, creditor

ELSEWHERE: dict[str, Any] = {"charge_bearer": ChargeBearer.SHAR}
PARIS = Address("Rue de l'Exemple", "1", "75001", "Paris", "FR")
Fill = Callable[[int], dict[str, Any]]


def _address(field: str) -> Fill:
    return lambda size: {"creditor": creditor(address=replace(PARIS, **{field: "T" * size}))}


def _labels(count: int) -> dict[str, Any]:
    return {"labels": tuple((f"key-{number:03}", "v") for number in range(count))}


def _abroad(size: int) -> dict[str, Any]:
    there = Party("Example Inc", account(other="1" * size), "CHASUS33")
    return {"creditor": there, **ELSEWHERE}


def _name_abroad(size: int) -> dict[str, Any]:
    return {"creditor": creditor(name="N" * size), "amount": Money("USD", Decimal(1)), **ELSEWHERE}


BOUNDS: dict[str, tuple[int, str, Fill]] = {
    "key": (limits.IDEMPOTENCY_KEY_CHARS_MAX, "IDEMPOTENCY_KEY_LENGTH", lambda size: {"idempotency_key": "k" * size}),
    "e2e": (limits.END_TO_END_ID_CHARS_MAX, "END_TO_END_ID_LENGTH", lambda size: {"end_to_end_id": "E" * size}),
    "labels": (limits.LABELS_MAX, "LABELS_TOO_MANY", _labels),
    "label key": (limits.LABEL_KEY_CHARS_MAX, "LABEL_LENGTH", lambda size: {"labels": (("k" * size, "v"),)}),
    "label value": (limits.LABEL_VALUE_CHARS_MAX, "LABEL_LENGTH", lambda size: {"labels": (("k", "v" * size),)}),
    "date": (
        limits.EXECUTION_DATE_DAYS_AHEAD_MAX,
        "EXECUTION_DATE_TOO_FAR",
        lambda days: {"requested_execution_date": TODAY + timedelta(days=days)},
    ),
    "name": (rule.NAME_CHARS_MAX, "NAME_LENGTH", _name_abroad),
    "name in SEPA": (rule.NAME_CHARS_MAX_SEPA, "NAME_LENGTH", lambda size: {"creditor": creditor(name="N" * size)}),
    "account": (rule.OTHER_ACCOUNT_CHARS_MAX, "ACCOUNT_LENGTH", _abroad),
    "remittance": (rule.REMITTANCE_CHARS_MAX, "REMITTANCE_LENGTH", lambda size: {"remittance": "R" * size}),
    "street": (rule.STREET_CHARS_MAX, "ADDRESS_LENGTH", _address("street")),
    "building": (rule.BUILDING_CHARS_MAX, "ADDRESS_LENGTH", _address("building")),
    "postal code": (rule.POSTAL_CODE_CHARS_MAX, "ADDRESS_LENGTH", _address("postal_code")),
    "town": (rule.TOWN_CHARS_MAX, "ADDRESS_LENGTH", _address("town")),
    "amount": (
        rule.AMOUNT_DIGITS_MAX,
        "AMOUNT_TOO_LARGE",
        lambda digits: {"amount": Money("USD", Decimal("9" * (digits - 2) + ".99")), **ELSEWHERE},
    ),
}


@fills(
    "IDEMPOTENCY_KEY_CHARS_MAX", "END_TO_END_ID_CHARS_MAX", "LABELS_MAX", "LABEL_KEY_CHARS_MAX",
    "LABEL_VALUE_CHARS_MAX", "EXECUTION_DATE_DAYS_AHEAD_MAX", "NAME_CHARS_MAX", "NAME_CHARS_MAX_SEPA",
    "OTHER_ACCOUNT_CHARS_MAX", "REMITTANCE_CHARS_MAX", "STREET_CHARS_MAX", "BUILDING_CHARS_MAX",
    "POSTAL_CODE_CHARS_MAX", "TOWN_CHARS_MAX", "AMOUNT_DIGITS_MAX",
)  # fmt: skip
@pytest.mark.parametrize("bound", BOUNDS)
def test_what_is_allowed_is_taken_and_one_more_is_not(bound: str) -> None:
    """The bound breaks nothing; one above breaks its own rule and no other."""
    most, reason, filled = BOUNDS[bound]
    assert broken(**filled(most)) == {}
    assert broken(**filled(most + 1)).keys() == {reason}


@fills("AMOUNT_MAX_SEPA")
def test_the_largest_amount_within_sepa() -> None:
    """EUR 999,999,999.99 and not a cent more."""
    assert broken(amount=Money("EUR", rule.AMOUNT_MAX_SEPA)) == {}
    assert broken(amount=Money("EUR", rule.AMOUNT_MAX_SEPA + Decimal("0.01"))).keys() == {"AMOUNT_TOO_LARGE"}


@fills("REFERENCE_CHARS_MAX")
def test_the_longest_creditor_reference() -> None:
    """With right check digits, 25 characters are a reference and 26 are none (ISO 11649)."""
    for over in (0, 1):
        told = broken(remittance="", creditor_reference=_reference(REFERENCE_CHARS_MAX + over))
        assert told.keys() == ({"CREDITOR_REFERENCE_INVALID"} if over else set())


def _reference(chars: int) -> str:
    body = "1" * (chars - 4)
    return f"RF{98 - int(body + '271500') % 97:02}{body}"


def test_an_account_of_nobody_has_no_length() -> None:
    """An empty account is a missing one, not a short one."""
    assert "ACCOUNT_LENGTH" not in broken(creditor=creditor(account=Account()), **ELSEWHERE)
