"""Claims about how many digits an amount may have on its way out, and how much of a bank's texts is kept."""

from dataclasses import replace
from decimal import Decimal

import pytest

from adapters.iso20022.elements import _DECIMALS_MAX, _DIGITS_MAX, amount, total
from adapters.iso20022.mailbox import read_mailbox
from adapters.iso20022.reader import REASONS_MAX, TEXT_CHARS_MAX, parse, read_reports
from gateway.core.payment import REFERENCE_CHARS, Money, Payment
from tests.fakes.bank_reports import Batch, Tx, document, mailbox
from tests.fakes.payments import payment
from tests.fills import fills

BULK = "CB" + "0" * (REFERENCE_CHARS - 2)
"""The reference of a message of ours that holds many payments."""


def _digits(whole: int, decimals: int) -> Decimal:
    """A number of so many nines before and behind the point."""
    return Decimal(f"{'9' * whole}.{'9' * decimals}")


def _of(value: Decimal) -> Payment:
    one = payment(1)
    return replace(one, instruction=replace(one.instruction, amount=Money("EUR", value)))


@fills("elements._DIGITS_MAX", "_DECIMALS_MAX")
def test_an_amount_has_its_digits() -> None:
    """All digits, with as many decimals as there may be, are written exactly; one more of either is refused by a text
    that does not name the value."""
    whole = _DIGITS_MAX - _DECIMALS_MAX
    longest = _digits(whole, _DECIMALS_MAX)
    assert amount(longest) == str(longest)
    for value in (_digits(whole + 1, _DECIMALS_MAX), _digits(_DIGITS_MAX + 1, 0), _digits(1, _DECIMALS_MAX + 1)):
        with pytest.raises(ValueError, match=f"at most {_DIGITS_MAX} digits") as refused:
            amount(value)
        assert "999" not in str(refused.value)


@fills("elements._DIGITS_MAX")
def test_a_sum_has_its_digits() -> None:
    """Amounts that fit each may not fit together: the sum is exact up to the last digit, and refused beyond."""
    almost = Decimal("9" * _DIGITS_MAX) - 1
    assert total([_of(almost), _of(Decimal(1))]) == "9" * _DIGITS_MAX
    with pytest.raises(ValueError, match="digits"):
        total([_of(almost), _of(Decimal(2))])


@fills("REASONS_MAX")
def test_so_many_reasons_are_kept() -> None:
    """Of a status with any number of reasons the first REASONS_MAX are kept, in the bank's order."""
    for count in (REASONS_MAX, REASONS_MAX + 1, 1_000):
        codes = [f"R{number:03}" for number in range(count)]
        many = "".join(f"<StsRsnInf><Rsn><Cd>{code}</Cd></Rsn></StsRsnInf>" for code in codes)
        body = document("MSG-1", Batch("P", "", [Tx("RJCT", "I", "E")]))
        body = body.replace(b"</TxSts>", b"</TxSts>" + many.encode())
        (report,) = read_reports(parse(body))
        assert list(report.batches[0].transactions[0].status.reasons) == codes[:REASONS_MAX]


@fills("TEXT_CHARS_MAX")
def test_a_text_that_is_too_long_is_nobodys() -> None:
    """TEXT_CHARS_MAX characters are kept whole. Of a longer text one more is kept: it equals nothing that we ever sent,
    however it begins, and costs no more memory than that."""
    longest = "I" * TEXT_CHARS_MAX
    for told in (longest, longest + "x", longest + "x" * 100_000):
        (report,) = read_reports(parse(document(told, Batch(told, "", [Tx("ACSP", told, told)]))))
        transaction = report.batches[0].transactions[0]
        for kept in (report.message_id, transaction.instruction_id, transaction.end_to_end_id):
            assert kept == told[: TEXT_CHARS_MAX + 1]
            assert (kept == longest) is (told == longest)


@fills("TEXT_CHARS_MAX")
def test_a_reference_that_is_too_long_is_told_to_nobody() -> None:
    """In a mailbox a transaction is known by its reference: the longest is told under, and a longer one to nobody; its
    document is kept for people."""
    longest = "C" * TEXT_CHARS_MAX
    for reference, told in ((longest, [longest]), (longest + "x", [])):
        body = document(BULK, Batch("P", "", [Tx("RJCT", reference, "E")]))
        collected = read_mailbox(mailbox("9", body))
        assert [outcome.wire_reference for outcome in collected.outcomes] == told
        assert len(collected.unreadable) == 1 - len(told)
