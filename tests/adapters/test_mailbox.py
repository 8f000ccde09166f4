"""The mailbox: everything in it is read or set aside, and nothing is lost between two visits."""

import time

import pytest

from adapters.iso20022.adapter import REPORTS_PER_PAGE, Iso20022MailboxAdapter
from adapters.iso20022.config import from_settings
from gateway.core.errors import Unreadable
from gateway.core.outcome import Word
from gateway.core.ports import Collection, WireAnswer
from tests.fakes.bank_reports import Batch, Tx, document, mailbox, tx
from tests.fakes.payments import payment, submission

ONE, TWO = payment(), payment(2)
BULK = submission([ONE, TWO]).message_reference
BANK = Iso20022MailboxAdapter(from_settings({"initiating_party_name": "Firm"}))


def read(*documents: bytes) -> Collection:
    return BANK.read_collection("4", WireAnswer(200, body=mailbox("5", *documents)))


def heard(collection: Collection) -> list[tuple[str, str]]:
    return [(one.wire_reference, one.bank_status) for one in collection.outcomes]


def test_the_request_names_the_cursor_and_a_bound() -> None:
    """The cursor is the bank's word and is quoted; the first visit has none."""
    assert BANK.collect("a/b&c").path == f"/v1/reports?after=a%2Fb%26c&limit={REPORTS_PER_PAGE}"
    assert BANK.collect("").path == f"/v1/reports?after=&limit={REPORTS_PER_PAGE}"


def test_an_empty_mailbox_is_an_empty_mailbox() -> None:
    assert read() == Collection((), "5")
    assert BANK.read_collection("4", WireAnswer(204)) == Collection((), "4")


def test_outcomes_come_in_the_banks_order() -> None:
    """Repeated and overtaken reports are all handed on; the state table puts them right."""
    reports = [document(BULK, Batch("P", "", [tx(ONE, code)])) for code in ("ACSC", "RCVD", "ACSC")]
    assert heard(read(*reports)) == [(ONE.wire_reference, code) for code in ("ACSC", "RCVD", "ACSC")]


@pytest.mark.parametrize(("said", "named"), [(BULK, BULK), ("THEIRS", "THEIRS"), ("NOTPROVIDED", "")])
def test_an_outcome_names_the_message_it_speaks_of(said: str, named: str) -> None:
    """So that a late rejection of an older message is not taken for one of the latest; "NOTPROVIDED" names none."""
    [outcome] = read(document(said, Batch("P", "", [tx(ONE, "RJCT", "AC04")]))).outcomes
    assert (outcome.word, outcome.message_reference) == (Word.REJECTED, named)


def test_one_report_may_speak_of_several_payments() -> None:
    report = document(BULK, Batch("P", "PART", [tx(ONE, "RJCT", "AC04"), tx(TWO, "ACSC")]), group="PART")
    assert heard(read(report)) == [(ONE.wire_reference, "RJCT"), (TWO.wire_reference, "ACSC")]


@pytest.mark.parametrize(
    "report",
    [
        document(ONE.wire_reference, group="RJCT"),
        document(ONE.wire_reference, Batch(ONE.wire_reference, "RJCT")),
        document(ONE.wire_reference, Batch("", "", [Tx("RJCT", "", "E2E-1")])),
        document(ONE.wire_reference, Batch("", "", [tx(ONE, "RJCT")]), group="ACCP"),
    ],
    ids=["group", "block", "end-to-end id", "transaction"],
)
def test_a_message_of_one_payment_is_known_by_its_message_id(report: bytes) -> None:
    """Its MsgId is its wire reference, so every level of a report can be told to it."""
    collection = read(report)
    assert heard(collection) == [(ONE.wire_reference, "RJCT")]
    assert collection.unreadable == ()


def test_a_report_about_one_message_that_names_another_payment_touches_neither() -> None:
    report = document(ONE.wire_reference, Batch("", "", [tx(TWO, "RJCT")]), group="RJCT")
    assert read(report) == Collection((), "5", (report,))


@pytest.mark.parametrize("code", ["RJCT", "ACSC"])
def test_an_end_of_a_whole_bulk_is_set_aside_for_people(code: str) -> None:
    """Which payments it was is not in the report: nothing is guessed, and it does not disappear."""
    for report in (document(BULK, group=code), document(BULK, Batch("P", code))):
        assert read(report) == Collection((), "5", (report,))


def test_a_receipt_of_a_whole_bulk_is_nothing_new() -> None:
    assert read(document(BULK, group="ACTC")) == Collection((), "5")


def test_what_is_unclear_in_a_report_is_kept_beside_what_is_clear() -> None:
    report = document(BULK, Batch("P", "", [tx(ONE, "RJCT", "AM05"), tx(TWO, "ACSC")]))
    collection = read(report)
    assert heard(collection) == [(TWO.wire_reference, "ACSC")]
    assert collection.unreadable == (report,)


def test_an_end_without_our_reference_is_set_aside() -> None:
    """EndToEndIds belong to clients: without the message at hand they name nobody."""
    report = document(BULK, Batch("P", "", [tx(ONE, "ACSC"), Tx("RJCT", "", "E2E-1")]))
    collection = read(report)
    assert heard(collection) == [(ONE.wire_reference, "ACSC")]
    assert collection.unreadable == (report,)


@pytest.mark.parametrize(
    "bad",
    [
        b"<Document>",
        b"<Document><CstmrPmtStsRpt></Document>",
        b"garbage & more",
        b"<Document>&who;</Document>",
        b"<Document xmlns='x'><Other/></Document>",
        b"<Document><CstmrPmtStsRpt/></Document>",
    ],
)
def test_one_bad_document_does_not_keep_the_mailbox_shut(bad: bytes) -> None:
    """What stands before and after it is read; it is kept, as it was, for people."""
    good = [document(BULK, Batch("P", "", [tx(one, "ACSC")])) for one in (ONE, TWO)]
    collection = read(good[0], bad, good[1])
    assert ONE.wire_reference in dict(heard(collection))
    assert collection.cursor == "5"
    assert collection.unreadable
    if bad != b"<Document>":  # an element that is never closed swallows its neighbour
        assert heard(collection) == [(ONE.wire_reference, "ACSC"), (TWO.wire_reference, "ACSC")]
    else:
        assert any(TWO.wire_reference.encode() in kept for kept in collection.unreadable)


def test_a_mailbox_of_openings_costs_no_time() -> None:
    """A hundred thousand documents that never end are one unreadable piece, at once."""
    started = time.perf_counter()
    collection = read(b"<Document>" * 100_000, b"<x:Document >" * 100_000)
    assert time.perf_counter() - started < 1.0
    assert (collection.outcomes, len(collection.unreadable)) == ((), 1)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<reports/>",
        b'<reports next=""/>',
        b'<reports next="5">',
        b'<reports next="5"><Document/>',
        b'<report next="5"/>',
        b'<reports next="' + b"5" * 257 + b'"/>',
        b'<!DOCTYPE reports><reports next="5"/>',
        mailbox("5", document(BULK, group="ACTC"))[:-3],
    ],
)
def test_a_mailbox_that_is_not_whole_is_not_read(body: bytes) -> None:
    """Nothing is taken and the cursor stays: what is missing will be there next time."""
    with pytest.raises(Unreadable):
        BANK.read_collection("4", WireAnswer(200, body=body))


@pytest.mark.parametrize("status", [199, 202, 304, 404, 429, 500])
def test_any_other_status_is_no_mailbox(status: int) -> None:
    with pytest.raises(Unreadable):
        BANK.read_collection("4", WireAnswer(status, body=mailbox("5")))


def test_references_longer_than_any_of_ours_are_not_handed_on() -> None:
    """A bank's text becomes a key to look up in the store: only one that could be a reference does."""
    assert read(document("M", Batch("P", "", [Tx("ACSC", "I" * 600, "E")]))).outcomes == ()


def test_a_mailbox_gives_words() -> None:
    [outcome] = read(document(ONE.wire_reference, group="ACSC")).outcomes
    assert (outcome.word, outcome.bank_status) == (Word.SETTLED, "ACSC")
    assert b"OrgnlMsgId" in outcome.evidence
