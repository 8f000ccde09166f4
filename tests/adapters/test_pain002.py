"""What a report says of whom: the nearest status counts, and what is not certain says nothing."""

from decimal import Decimal

import pytest

from adapters.iso20022.pain002 import Line, Said, said
from adapters.iso20022.reader import parse, read_reports
from gateway.core.outcome import Word
from tests.fakes.bank_reports import Batch, Tx, document

LINES = [Line(f"I{n}", f"E{n}", "P1" if n < 3 else "P2", ("EUR", Decimal("100.00"))) for n in (1, 2, 3)]


def hear(*batches: Batch, group: str = "", reason: str = "", lines: list[Line] = LINES) -> Said:
    [report] = read_reports(parse(document("M", *batches, group=group, reason=reason)))
    return said(report, lines)


def words(heard: Said) -> dict[str, tuple[str, str]]:
    return {one.wire_reference: (one.bank_status, one.bank_reason) for one in heard.outcomes}


def test_a_group_status_is_everybodys() -> None:
    """RJCT of the whole message rejects each of its payments, with the group's reason."""
    heard = hear(group="RJCT", reason="AM10")
    assert words(heard) == dict.fromkeys(("I1", "I2", "I3"), ("RJCT", "AM10"))
    assert {one.word for one in heard.outcomes} == {Word.REJECTED}


def test_a_block_status_is_its_payments_and_goes_before_the_groups() -> None:
    heard = hear(Batch("P1", "RJCT", reason="AC01"), group="ACCP")
    assert words(heard) == {"I1": ("RJCT", "AC01"), "I2": ("RJCT", "AC01"), "I3": ("ACCP", "")}


def test_a_transactions_own_status_goes_first() -> None:
    heard = hear(Batch("P1", "ACCP", [Tx("RJCT", "I1", "E1", "AC04")]), group="ACSP")
    assert words(heard) == {"I1": ("RJCT", "AC04"), "I2": ("ACCP", ""), "I3": ("ACSP", "")}


def test_part_says_nothing_about_lines_that_are_not_mentioned() -> None:
    """Of a part-accepted batch only the mentioned line has a word: the others may be either."""
    heard = hear(Batch("P1", "PART", [Tx("RJCT", "I1", "E1", "AC04")]), group="PART")
    assert words(heard) == {"I1": ("RJCT", "AC04")}
    assert not heard.unclear


def test_a_mentioned_line_without_a_status_has_its_blocks() -> None:
    """Its reason is the block's too; under PART it has none."""
    assert words(hear(Batch("P1", "RJCT", [Tx("", "I1", "E1")], "AG01")))["I1"] == ("RJCT", "AG01")
    assert words(hear(Batch("P1", "PART", [Tx("", "I1", "E1")]), group="ACCP")) == {"I3": ("ACCP", "")}
    assert words(hear(Batch("P1", "RJCT", [Tx("RJCT", "I1", "E1")], "AG01")))["I1"] == ("RJCT", "AG01")


def test_a_line_without_instruction_id_is_known_by_its_end_to_end_id() -> None:
    assert words(hear(Batch("P2", "", [Tx("ACSC", "", "E3")]))) == {"I3": ("ACSC", "")}
    assert words(hear(Batch("P2", "", [Tx("ACSC", "NOTPROVIDED", "E3")]))) == {"I3": ("ACSC", "")}


def test_an_end_to_end_id_of_two_payments_names_neither() -> None:
    """Clients choose EndToEndIds. Where two share one, neither gets the word, not even the group's."""
    twins = [Line("I1", "E", "P1"), Line("I2", "E", "P1"), Line("I3", "E3", "P1")]
    heard = hear(Batch("P1", "", [Tx("RJCT", "", "E")]), group="ACCP", lines=twins)
    assert words(heard) == {"I3": ("ACCP", "")}
    assert heard.unclear


@pytest.mark.parametrize(
    "transaction",
    [
        Tx("RJCT", "I1", "E2"),
        Tx("RJCT", "I1", "E-unknown"),
        Tx("RJCT", "I1", "E1", amount='<InstdAmt Ccy="EUR">100.01</InstdAmt>'),
        Tx("RJCT", "I1", "E1", amount='<InstdAmt Ccy="USD">100.00</InstdAmt>'),
        Tx("RJCT", "I1", "E1", amount='<InstdAmt Ccy="EUR">a lot</InstdAmt>'),
    ],
)
def test_a_line_that_describes_another_payment_says_nothing(transaction: Tx) -> None:
    """Our InstrId beside another's EndToEndId or amount: a contradiction touches nothing."""
    heard = hear(Batch("P1", "", [transaction]))
    assert heard.outcomes == []
    assert heard.unclear


def test_the_same_amount_written_otherwise_is_the_same() -> None:
    amount = '<InstdAmt Ccy="EUR">100</InstdAmt>'
    assert words(hear(Batch("P1", "", [Tx("ACSC", "I1", "E1", amount=amount)]))) == {"I1": ("ACSC", "")}


def test_two_ends_of_one_payment_in_one_report_are_none() -> None:
    """Settled and rejected at once, in either order: no word."""
    for codes in (("RJCT", "ACSC"), ("ACSC", "RJCT"), ("RJCT", "ACSC", "RJCT")):
        heard = hear(Batch("P1", "", [Tx(code, "I1", "E1") for code in codes]))
        assert heard.outcomes == []
        assert heard.unclear


def test_a_line_told_twice_is_as_far_as_it_got() -> None:
    """RCVD and ACSC of one payment in one report is ACSC, whichever comes first; the later of two alike counts."""
    assert words(hear(Batch("P1", "", [Tx("ACSC", "I1", "E1"), Tx("RCVD", "I1", "E1")]))) == {"I1": ("ACSC", "")}
    assert words(hear(Batch("P1", "", [Tx("RCVD", "I1", "E1"), Tx("ACSP", "I1", "E1")]))) == {"I1": ("ACSP", "")}


def test_a_block_told_twice_with_different_statuses_is_none() -> None:
    heard = hear(Batch("P1", "RJCT"), Batch("P1", "ACSC"), group="ACCP")
    assert words(heard) == {"I3": ("ACCP", "")}
    assert heard.unclear


@pytest.mark.parametrize("code", ["ACXX", "acsc", "SETTLED", "PART"])
def test_an_unknown_code_is_no_word(code: str) -> None:
    """A code outside the code set is never guessed, and the level above does not speak in its place."""
    heard = hear(Batch("P1", "ACCP", [Tx(code, "I1", "E1")]))
    assert words(heard) == {"I2": ("ACCP", "")}
    assert heard.unclear


def test_an_unknown_code_of_a_block_hides_the_groups() -> None:
    heard = hear(Batch("P1", "WHAT"), group="ACSC")
    assert words(heard) == {"I3": ("ACSC", "")}


@pytest.mark.parametrize("reason", ["AM05", "DU01", "DU02", "DU03", "DU04", "DU05", "DUPL"])
def test_a_rejected_duplicate_is_no_rejection_of_the_payment(reason: str) -> None:
    """The bank refuses a second copy: a first may be there, and to call it rejected would invite a second payment."""
    for heard in (hear(Batch("P1", "", [Tx("RJCT", "I1", "E1", reason)])), hear(group="RJCT", reason=reason)):
        assert heard.outcomes == []
        assert heard.unclear


def test_a_code_about_something_else_is_no_word() -> None:
    """PRES is a request to pay that was shown to a debtor."""
    heard = hear(Batch("P1", "", [Tx("PRES", "I1", "E1")]))
    assert (heard.outcomes, heard.unclear) == ([], False)


def test_the_evidence_is_the_lines_that_say_it() -> None:
    """Of a long report each payment keeps what speaks of it, not what speaks of others."""
    heard = hear(Batch("P1", "PART", [Tx("RJCT", "I1", "E1", "AC04"), Tx("ACSC", "I2", "E2")]), group="PART")
    first = heard.outcomes[0].evidence
    assert b"OrgnlMsgId" in first
    assert b"AC04" in first
    assert b"E2" not in first
