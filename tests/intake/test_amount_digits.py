"""A claim about how large an amount may be for us to write it anew."""

from decimal import Decimal

import pytest

from gateway.core.payment import Money
from gateway.intake.prepare import _DIGITS_MAX
from gateway.intake.rule import AMOUNT_DIGITS_MAX
from tests.fills import fills
from tests.intake.drafts import broken, draft, prepared


def _written(value: str) -> str:
    return str(prepared(draft(amount=Money("EUR", Decimal(value)))).instruction.amount.value)


@fills("prepare._DIGITS_MAX")
def test_an_amount_is_written_anew_up_to_its_digits() -> None:
    """_DIGITS_MAX digits get their currency's decimals; an amount of one more is left as it came, as are those whose
    digits nobody could write down, and the rules refuse all of them."""
    assert _DIGITS_MAX > AMOUNT_DIGITS_MAX
    assert _written("9" * _DIGITS_MAX) == "9" * _DIGITS_MAX + ".00"
    assert _written("9" * (_DIGITS_MAX + 1)) == "9" * (_DIGITS_MAX + 1)
    assert _written("1E+900000") == "1E+900000"


@pytest.mark.parametrize("value", ["9" * _DIGITS_MAX, "9" * (_DIGITS_MAX + 1), "1E+900000"])
def test_such_amounts_are_refused(value: str) -> None:
    """Written anew or not, it is too large."""
    assert broken(amount=Money("EUR", Decimal(value))).keys() == {"AMOUNT_TOO_LARGE"}
