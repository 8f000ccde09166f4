"""Requests and HTTP answers: what counts as the bank's word, and what leaves a payment in doubt."""

from dataclasses import replace

import pytest

from adapters.iso20022.adapter import EVIDENCE_WHOLE_BYTES_MAX, RETRY_AFTER_S_MAX, Iso20022Adapter
from adapters.iso20022.config import from_settings
from adapters.iso20022.pain001 import payment_information_id, payment_type
from gateway.core.errors import Unreadable
from gateway.core.outcome import Outcome, Word, rejects_another
from gateway.core.payment import Payment, message_reference
from gateway.core.ports import WireAnswer
from tests.fakes.bank_reports import Batch, Tx, document, tx
from tests.fakes.payments import attempt, payment, submission

CONFIG = from_settings({"initiating_party_name": "Firm", "bulk_lines_max": 10, "unprocessed_statuses": [429, 503]})
BANK = Iso20022Adapter(CONFIG)
ONE, TWO, THREE = payment(), payment(2), payment(3)
ALONE = submission([ONE])
BULK = submission([ONE, TWO])


def statuses(outcomes: tuple[Outcome, ...]) -> dict[str, str]:
    return {one.wire_reference: one.bank_status for one in outcomes}


def sent(of: Payment, *messages: str) -> Payment:
    """The payment after attempts that travelled in these messages."""
    attempts = (attempt(of, number, message_reference=name) for number, name in enumerate(messages, 1))
    return replace(of, attempts=tuple(attempts))


def block_of(of: Payment, message: str) -> str:
    return payment_information_id(message, of, payment_type(CONFIG, of.instruction))


# ---- submission


def test_a_submission_is_a_post_of_xml() -> None:
    request = BANK.compose(ALONE)
    assert (request.method, request.path) == ("POST", "/v1/payments")
    assert dict(request.headers)["content-type"] == "application/xml; charset=utf-8"
    assert ONE.wire_reference.encode() in request.body


@pytest.mark.parametrize("status", [200, 201, 202])
@pytest.mark.parametrize("body", [b"", b" \r\n"])
def test_an_empty_answer_confirms_receipt_and_nothing_more(status: int, body: bytes) -> None:
    """The bank has every payment of the message; none is settled by it."""
    outcomes = BANK.read(BULK, WireAnswer(status, body=body))
    assert statuses(outcomes) == {ONE.wire_reference: "RCVD", TWO.wire_reference: "RCVD"}
    assert {one.word for one in outcomes} == {Word.TAKEN}


@pytest.mark.parametrize("status", [200, 201, 202])
def test_a_report_is_read(status: int) -> None:
    report = document(BULK.message_reference, Batch("P", "PART", [tx(ONE, "RJCT", "AC04"), tx(TWO, "ACSP")]))
    [first, second] = BANK.read(BULK, WireAnswer(status, body=report))
    named = BULK.message_reference
    assert first == Outcome(Word.REJECTED, ONE.wire_reference, "RJCT", "AC04", report, message_reference=named)
    assert second == Outcome(Word.TAKEN, TWO.wire_reference, "ACSP", "", report, message_reference=named)


def test_a_block_of_a_bulk_is_told_to_its_payments() -> None:
    """The PmtInfId that the bank repeats is the one that was sent."""
    block = block_of(ONE, BULK.message_reference)
    assert block.encode() in BANK.compose(BULK).body
    report = document(BULK.message_reference, Batch(block, "RJCT", reason="AC01"))
    assert statuses(BANK.read(BULK, WireAnswer(200, body=report))) == {
        ONE.wire_reference: "RJCT",
        TWO.wire_reference: "RJCT",
    }


@pytest.mark.parametrize(
    "report",
    [
        document("SOMEBODY-ELSE", group="ACSC"),
        document("", group="ACSC"),
        document(TWO.wire_reference, Batch("P", "", [tx(ONE, "ACSC")])),
        document(ONE.wire_reference, Batch("P", "", [tx(TWO, "ACSC")]), group="ACSC"),
        document(ONE.wire_reference, Batch("P", "", [Tx("ACSC", "UNKNOWN", "E2E-1")]), group="ACSC"),
        document(ONE.wire_reference, Batch("P", "", [Tx("ACSC")])),
    ],
)
def test_a_lie_touches_nothing(report: bytes) -> None:
    """A report about another message, or about payments that are not in ours, is no answer at all."""
    with pytest.raises(Unreadable):
        BANK.read(ALONE, WireAnswer(200, body=report))


@pytest.mark.parametrize("status", [400, 409, 422, 500])
def test_a_refusing_status_counts_with_a_report_that_rejects(status: int) -> None:
    rejects = document(ONE.wire_reference, group="RJCT", reason="FF01")
    accepts = document(ONE.wire_reference, group="ACCP")
    assert statuses(BANK.read(ALONE, WireAnswer(status, body=rejects))) == {ONE.wire_reference: "RJCT"}
    for body in (accepts, b"", b"<html>Bad gateway</html>", b'{"error": "no"}'):
        with pytest.raises(Unreadable):
            BANK.read(ALONE, WireAnswer(status, body=body))


@pytest.mark.parametrize("status", [204, 301, 302, 304])
def test_other_statuses_are_no_answer(status: int) -> None:
    for body in (b"", document(ONE.wire_reference, group="ACSC")):
        with pytest.raises(Unreadable):
            BANK.read(ALONE, WireAnswer(status, body=body))


@pytest.mark.parametrize("reason", ["DU01", "AM05"])
def test_a_refused_duplicate_leaves_the_payment_in_doubt(reason: str) -> None:
    """After a lost reply the same message is refused as a duplicate: the first copy is with the bank."""
    report = document(ONE.wire_reference, group="RJCT", reason=reason)
    with pytest.raises(Unreadable):
        BANK.read(ALONE, WireAnswer(200, body=report))


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ((), 0.0),
        ((("retry-after", "7"),), 7.0),
        ((("retry-after", "-7"),), 0.0),
        ((("retry-after", "9" * 9),), RETRY_AFTER_S_MAX),
        ((("retry-after", "9" * 400),), 0.0),
        ((("retry-after", "soon"),), 0.0),
        ((("retry-after", "Mon, 02 Mar 2026 09:30:40 GMT"), ("date", "Mon, 02 Mar 2026 09:30:00 GMT")), 40.0),
        ((("retry-after", "Mon, 02 Mar 2026 09:30:00 GMT"), ("date", "Mon, 02 Mar 2026 09:30:40 GMT")), 0.0),
        ((("retry-after", "Mon, 02 Mar 2026 09:30:40 GMT"),), 0.0),
    ],
)
def test_not_processed_is_the_banks_word_for_all_of_them(headers: tuple[tuple[str, str], ...], wait_s: float) -> None:
    """Only for a status that this bank documents so, with its wish how long to wait, within reason."""
    outcomes = BANK.read(BULK, WireAnswer(429, headers))
    assert [one.word for one in outcomes] == [Word.NOT_PROCESSED] * 2
    assert [one.retry_after_s for one in outcomes] == [wait_s] * 2


def test_not_processed_with_a_report_was_processed() -> None:
    with pytest.raises(Unreadable):
        BANK.read(ALONE, WireAnswer(429, body=document(ONE.wire_reference, group="ACCP")))


def test_a_status_that_the_bank_does_not_document_proves_nothing() -> None:
    bank = Iso20022Adapter(from_settings({"initiating_party_name": "Firm"}))
    assert bank.read(ALONE, WireAnswer(429))[0].word is Word.NOT_PROCESSED
    with pytest.raises(Unreadable):
        bank.read(ALONE, WireAnswer(503, (("retry-after", "1"),)))


def test_the_evidence_of_a_long_report_stays_short() -> None:
    """A report of thousands of lines is not kept once per line."""
    payments = [payment(number) for number in range(1, 1001)]
    bank = Iso20022Adapter(from_settings({"initiating_party_name": "Firm", "bulk_lines_max": 1000}))
    told = submission(payments)
    report = document(told.message_reference, Batch("P", "", [tx(one, "ACSP") for one in payments]))
    outcomes = bank.read(told, WireAnswer(200, body=report))
    assert len(outcomes) == 1000
    assert all(one.wire_reference.encode() in one.evidence for one in outcomes)
    assert max(len(one.evidence) for one in outcomes) < EVIDENCE_WHOLE_BYTES_MAX


# ---- inquiry


def test_an_inquiry_asks_by_the_wire_reference() -> None:
    request = BANK.inquire(ONE)
    assert (request.method, request.path, request.body) == ("GET", f"/v1/status/{ONE.wire_reference}", b"")


def test_a_bank_without_inquiry_is_not_asked() -> None:
    bank = Iso20022Adapter(from_settings({"initiating_party_name": "Firm", "inquiry_path": ""}))
    assert not bank.declaration.inquiry
    with pytest.raises(ValueError, match="no status inquiry"):
        bank.inquire(ONE)


@pytest.mark.parametrize("code", ["ACSC", "RJCT", "PDNG"])
@pytest.mark.parametrize("level", ["group", "block", "transaction"])
def test_an_inquiry_is_answered_at_any_level(level: str, code: str) -> None:
    """A payment of a bulk learns its status from the report of its message, its block or itself."""
    message = BULK.message_reference
    report = {
        "group": document(message, group=code),
        "block": document(message, Batch(block_of(TWO, message), code)),
        "transaction": document(message, Batch("P", "PART", [tx(ONE, "ACCP"), tx(TWO, code)]), group="PART"),
    }[level]
    answer = WireAnswer(200, body=report)
    assert statuses(BANK.read_inquiry(sent(TWO, message), answer)) == {TWO.wire_reference: code}


def test_a_part_accepted_bulk_says_nothing_of_a_payment_it_does_not_mention() -> None:
    report = document(BULK.message_reference, Batch("P", "PART", [tx(ONE, "RJCT")]), group="PART")
    assert BANK.read_inquiry(sent(TWO, BULK.message_reference), WireAnswer(200, body=report)) == ()


def test_not_found_is_said_by_404_only() -> None:
    [outcome] = BANK.read_inquiry(sent(ONE, ONE.wire_reference), WireAnswer(404, body=b"unknown reference\n"))
    assert (outcome.word, outcome.wire_reference) == (Word.NOT_FOUND, ONE.wire_reference)
    for status in (200, 202, 204, 301, 400, 403, 410, 429, 500, 503):
        with pytest.raises(Unreadable):
            BANK.read_inquiry(ONE, WireAnswer(status))


@pytest.mark.parametrize(
    "answer",
    [
        WireAnswer(404, (("content-type", "text/html; charset=utf-8"),), b"no such page"),
        WireAnswer(404, (), b"\n<!DOCTYPE html><title>404</title>"),
        WireAnswer(404, (), b"<HTML><h1>Not Found</h1>"),
    ],
)
def test_a_web_page_is_no_not_found(answer: WireAnswer) -> None:
    """A proxy that lost its way answers 404 too; it must not clear a payment for a second send."""
    with pytest.raises(Unreadable):
        BANK.read_inquiry(ONE, answer)


@pytest.mark.parametrize("message", ["SOMEBODY-ELSE", TWO.wire_reference, BULK.message_reference])
def test_an_inquiry_answer_about_another_message_touches_nothing(message: str) -> None:
    report = document(message, group="RJCT")
    with pytest.raises(Unreadable):
        BANK.read_inquiry(sent(ONE, ONE.wire_reference), WireAnswer(200, body=report))


def test_the_rejection_of_an_earlier_message_is_none_of_the_present_one() -> None:
    """A payment that was sent again is not rejected because its first message was; that one settled is news."""
    again = sent(ONE, ONE.wire_reference, BULK.message_reference)
    settled = WireAnswer(200, body=document(ONE.wire_reference, group="ACSC"))
    rejected = WireAnswer(200, body=document(ONE.wire_reference, group="RJCT", reason="AC04"))
    assert statuses(BANK.read_inquiry(again, settled)) == {ONE.wire_reference: "ACSC"}
    [outcome] = BANK.read_inquiry(again, rejected)
    assert (outcome.word, outcome.message_reference) == (Word.REJECTED, ONE.wire_reference)
    assert rejects_another(again, outcome)


@pytest.mark.parametrize(("code", "counts"), [("ACSC", True), ("ACSP", True), ("RJCT", False)])
def test_a_message_that_we_have_forgotten_counts_where_it_names_the_payment(code: str, counts: bool) -> None:
    """A store restored from a backup knows neither the message nor the attempt. That the bank has the payment is true
    in whatever message it came; a rejection may be one of an older attempt."""
    forgotten = message_reference((ONE.wire_reference, TWO.wire_reference))
    answer = WireAnswer(200, body=document(forgotten, Batch("P", "", [tx(ONE, code)])))
    [outcome] = BANK.read_inquiry(ONE, answer)
    assert (outcome.bank_status, outcome.message_reference) == (code, forgotten)
    assert rejects_another(ONE, outcome) is not counts


def test_a_message_that_we_have_forgotten_says_nothing_of_a_payment_it_does_not_name() -> None:
    """Its group status may be about anybody."""
    answer = WireAnswer(200, body=document("CBX", Batch("P", "ACSC", [tx(TWO, "ACSC")]), group="ACSC"))
    with pytest.raises(Unreadable):
        BANK.read_inquiry(ONE, answer)


def test_a_message_of_one_is_known_after_a_bulk_of_one() -> None:
    """Whatever else was in the message, its name is a function of its payments."""
    assert message_reference((ONE.wire_reference,)) == ONE.wire_reference
    assert submission([ONE, THREE]).message_reference != BULK.message_reference


def test_several_documents_of_one_answer_are_all_heard() -> None:
    """In their order; those about other messages are left out."""
    reports = [document(ONE.wire_reference, group="RCVD"), document("X", group="RJCT")]
    reports.append(document(ONE.wire_reference, group="ACSC"))
    answer = WireAnswer(200, body=b"<all>" + b"".join(reports) + b"</all>")
    assert [one.bank_status for one in BANK.read_inquiry(ONE, answer)] == ["RCVD", "ACSC"]
