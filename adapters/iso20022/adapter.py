"""The bank's words: which request asks for what, and what each answer means. Pure; no clock, no I/O."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import quote

from adapters.iso20022 import mailbox
from adapters.iso20022.codes import RECEIVED
from adapters.iso20022.config import Iso20022Config
from adapters.iso20022.form import form_of
from adapters.iso20022.messages import StatusReport
from adapters.iso20022.pain001 import blocks_of, compose, payment_information_id
from adapters.iso20022.pain002 import Line, said
from adapters.iso20022.reader import parse, read_reports
from gateway.core.errors import Unreadable
from gateway.core.outcome import Outcome, Word
from gateway.core.payment import Payment
from gateway.core.ports import Collection, Declaration, Submission, WireAnswer, WireRequest

REPORTS_PER_PAGE: Final = 100  # documents asked for at once; a page must fit into limits.ANSWER_BYTES_MAX
RETRY_AFTER_S_MAX: Final = 86_400.0  # a longer wish is cut: a payment must not sleep for years because a bank says so
EVIDENCE_WHOLE_BYTES_MAX: Final = 4_096  # a longer answer is kept as the lines that speak of the payment

_RECEIPT_STATUSES = frozenset({200, 201, 202})
_SECONDS = re.compile(r"[0-9]{1,9}")  # Retry-After's delay-seconds (RFC 9110 section 10.2.3)
_CONTENT = ("content-type", "application/xml; charset=utf-8")
_ACCEPT = ("accept", "application/xml")


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that an answer may speak of."""

    lines: list[Line]
    complete: bool
    """The lines are all there are: a report of others contradicts itself."""


class Iso20022Adapter:
    """pain.001 and pain.002 over HTTPS, for a bank without a mailbox."""

    def __init__(self, config: Iso20022Config) -> None:
        self._config = config
        self._form = form_of(config)
        self._declaration = Declaration(
            duplicate_key=config.duplicate_key,
            duplicate_window_s=config.duplicate_window_s,
            inquiry=bool(config.inquiry_path),
            not_found_is_proof=config.not_found_is_proof,
            visibility_s=config.visibility_s,
            statement_evidence=config.statement_evidence,
            bulk_lines_max=config.bulk_lines_max,
        )

    @property
    def declaration(self) -> Declaration:
        return self._declaration

    def compose(self, submission: Submission) -> WireRequest:
        """POST of a pain.001. ValueError where a payment cannot be said; it names the element, never its value."""
        body = compose(self._config, self._form, submission)
        return WireRequest("POST", self._config.submit_path, (_CONTENT, _ACCEPT), body)

    def read(self, submission: Submission, answer: WireAnswer) -> tuple[Outcome, ...]:
        """The bank's word for each payment of the submission that the answer speaks of. Raises Unreadable.

        An empty answer to a good status confirms receipt. A refusing status (4xx, 5xx) counts only with a pain.002
        that rejects, or where the bank documents it as "not processed".
        """
        if answer.status in self._config.unprocessed_statuses:
            return self._unprocessed(submission, answer)
        if answer.status in _RECEIPT_STATUSES and not answer.body.strip():
            evidence = f"HTTP {answer.status} without a body".encode()
            return tuple(
                Outcome(
                    Word.TAKEN,
                    payment.wire_reference,
                    RECEIVED,
                    evidence=evidence,
                    message_reference=submission.message_reference,
                )
                for payment in submission.payments
            )
        if not (answer.status in _RECEIPT_STATUSES or 400 <= answer.status <= 599):
            raise Unreadable(f"HTTP {answer.status} is no answer to a submission")
        reference = submission.message_reference
        sent = Sent(self._lines(submission.payments, reference), complete=True)
        outcomes = _understood(answer.body, {reference: sent})
        if answer.status >= 400 and any(outcome.word is not Word.REJECTED for outcome in outcomes):
            raise Unreadable(f"HTTP {answer.status} with a report that does not reject")
        return outcomes

    def inquire(self, payment: Payment) -> WireRequest:
        """GET of the status by wire reference. ValueError where the bank offers none (see the declaration)."""
        if not self._config.inquiry_path:
            raise ValueError("this bank offers no status inquiry")
        path = self._config.inquiry_path.replace("{reference}", quote(payment.wire_reference, safe=""))
        return WireRequest("GET", path, (_ACCEPT,))

    def read_inquiry(self, payment: Payment, answer: WireAnswer) -> tuple[Outcome, ...]:
        """The bank's word for this payment. Raises Unreadable.

        404 is NOT_FOUND, unless it brings a web page: that comes from a server in front of the bank. What is said of
        an earlier attempt's message is read too, and so it is of a message that we do not know, where it repeats our
        reference: a store that was restored from a backup has forgotten its latest messages. Each outcome names its
        message, so that a rejection of another is not taken for one of the latest (core.outcome.rejects_another).
        """
        if answer.status == 404 and not _is_page(answer):
            evidence = b"HTTP 404 " + answer.body[:EVIDENCE_WHOLE_BYTES_MAX]
            return (Outcome(Word.NOT_FOUND, payment.wire_reference, evidence=evidence),)
        if answer.status != 200:
            raise Unreadable(f"HTTP {answer.status} is no answer to an inquiry")
        references = {payment.wire_reference, *(attempt.message_reference for attempt in payment.attempts)}
        sent = {
            reference: Sent(self._lines((payment,), reference), complete=reference == payment.wire_reference)
            for reference in references
        }
        elsewhere = Sent(self._lines((payment,), ""), complete=False)
        return _understood(answer.body, sent, elsewhere)

    def _unprocessed(self, submission: Submission, answer: WireAnswer) -> tuple[Outcome, ...]:
        if b"CstmrPmtStsRpt" in answer.body:
            raise Unreadable(f"HTTP {answer.status} with a report: it was processed after all")
        evidence = f"HTTP {answer.status} ".encode() + answer.body[:EVIDENCE_WHOLE_BYTES_MAX]
        wait_s = _retry_after_s(answer)
        return tuple(
            Outcome(Word.NOT_PROCESSED, payment.wire_reference, evidence=evidence, retry_after_s=wait_s)
            for payment in submission.payments
        )

    def _lines(self, payments: Sequence[Payment], message_reference: str) -> list[Line]:
        """Of a message. The payments of a block share its id, which is made once for all of them."""
        if len(payments) == 1 and message_reference == payments[0].wire_reference:
            return [_line(payments[0], message_reference, message_reference)]
        return [
            _line(payment, payment.wire_reference, block_id)
            for block in blocks_of(self._config, payments)
            for block_id in (payment_information_id(message_reference, block.payments[0], block.kind),)
            for payment in block.payments
        ]


class Iso20022MailboxAdapter(Iso20022Adapter):
    """The same for a bank whose reports can be fetched later (ports.Collects)."""

    def collect(self, cursor: str) -> WireRequest:
        path = self._config.collect_path.replace("{cursor}", quote(cursor, safe=""))
        return WireRequest("GET", path.replace("{limit}", str(REPORTS_PER_PAGE)), (_ACCEPT,))

    def read_collection(self, cursor: str, answer: WireAnswer) -> Collection:
        """What lay in the mailbox; `cursor` is where the request started, and stays where the answer is 204. Raises
        Unreadable."""
        if answer.status == 204:
            return Collection((), cursor)
        if answer.status != 200:
            raise Unreadable(f"HTTP {answer.status} is no answer of a mailbox")
        return mailbox.read_mailbox(answer.body)


def _line(payment: Payment, wire_reference: str, block_id: str) -> Line:
    told = payment.instruction
    return Line(wire_reference, told.end_to_end_id, block_id, (told.amount.currency, told.amount.value))


def _understood(body: bytes, sent: Mapping[str, Sent], elsewhere: Sent | None = None) -> tuple[Outcome, ...]:
    """What the reports in `body` say of the messages we sent, in the bank's order, and of the lines of `elsewhere` in
    any other message. Raises Unreadable where none is about them, or nothing that is said could be used."""
    long = len(body) > EVIDENCE_WHOLE_BYTES_MAX
    outcomes: list[Outcome] = []
    unclear, about_ours = False, False
    for report in read_reports(parse(body), excerpts=long):
        message = sent.get(report.message_id)
        if message is None and elsewhere is not None:
            message = _if_named(report, elsewhere)
        if message is None:
            continue
        about_ours = True
        heard = said(report, message.lines, whole=b"" if long else body)
        if heard.foreign and message.complete:
            raise Unreadable("a pain.002 about payments that are not in its message")
        unclear = unclear or heard.unclear
        outcomes.extend(heard.outcomes)
    if not about_ours:
        raise Unreadable("a pain.002 about other messages")
    if unclear and not outcomes:
        raise Unreadable("a pain.002 whose statuses are not certain")
    return tuple(outcomes)


def _if_named(report: StatusReport, elsewhere: Sent) -> Sent | None:
    """`elsewhere` where the report has a transaction with the reference of one of its lines."""
    named = {transaction.instruction_id for batch in report.batches for transaction in batch.transactions}
    return elsewhere if any(line.wire_reference in named for line in elsewhere.lines) else None


def _is_page(answer: WireAnswer) -> bool:
    kind = answer.header("content-type").strip().lower()
    start = answer.body[:64].lstrip().lower()
    return kind.startswith("text/html") or start.startswith((b"<!doctype html", b"<html"))


def _retry_after_s(answer: WireAnswer) -> float:
    """Retry-After in seconds: a number, or a moment measured against the answer's own Date. 0 where it says nothing
    that can be used."""
    value = answer.header("retry-after").strip()
    if _SECONDS.fullmatch(value):
        wait_s = float(value)
    else:
        until, at = _moment(value), _moment(answer.header("date"))
        wait_s = (until - at).total_seconds() if until and at else 0.0
    return min(max(wait_s, 0.0), RETRY_AFTER_S_MAX)


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError, OverflowError):
        return None  # no HTTP-date: the header says nothing
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
