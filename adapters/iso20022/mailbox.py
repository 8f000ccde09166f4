"""The mailbox: `<reports next="K">` around complete documents, each with a namespace of its own.

One bad document must not keep the mailbox shut for ever, so it is set aside and the rest is read. That holds for a
document that is not even well-formed, which spoils the whole envelope: then the envelope is cut along its documents
and each is read by itself. An envelope without its end, or without `next`, is never read: what is missing is unknown.
"""

import re
from collections.abc import Iterator
from typing import Final

from lxml import etree

from adapters.iso20022.codes import GROUP_STATUS
from adapters.iso20022.messages import BatchReport, StatusReport
from adapters.iso20022.pain002 import ENDS, Line, Said, said
from adapters.iso20022.reader import DOCUMENT_BYTES_MAX, TEXT_CHARS_MAX, local_name, parse, read_reports
from gateway.core.errors import Unreadable
from gateway.core.outcome import Outcome
from gateway.core.payment import REFERENCE_CHARS
from gateway.core.ports import Collection

CURSOR_CHARS_MAX: Final = 256  # a cursor is stored and sent back; no bank we know needs more than a timestamp

_OPEN = re.compile(rb"\A\s*(?:<\?xml[^>]*\?>)?\s*<reports\b[^<>]*>")
_CLOSE = re.compile(rb"</reports\s*>\s*\Z")
_DOCUMENT = re.compile(rb"<([A-Za-z_][\w.\-]{0,63}:)?Document[\s>]")
_SINGLE = re.compile(rf"CW[0-9A-F]{{{REFERENCE_CHARS - 2}}}")  # core.payment.wire_reference
_BULK = re.compile(rf"CB[0-9A-F]{{{REFERENCE_CHARS - 2}}}")  # core.payment.message_reference


def read_mailbox(body: bytes) -> Collection:
    """Outcomes in the bank's order, under the wire references that the bank repeats. Raises Unreadable."""
    outcomes: list[Outcome] = []
    unreadable: list[bytes] = []
    cursor, documents = _opened(body)
    for document in documents:
        try:
            heard = [_heard(report) for report in read_reports(parse(document))]
        except Unreadable:
            unreadable.append(document)  # kept and reported by the caller; the rest of the mailbox is read
            continue
        for one in heard:
            outcomes.extend(one.outcomes)
        if any(one.unclear for one in heard):
            unreadable.append(document)
    return Collection(tuple(outcomes), cursor, tuple(unreadable))


def _heard(report: StatusReport) -> Said:
    """What a report says with nothing but itself at hand.

    A message of one payment bears that payment's wire reference as its MsgId, so OrgnlMsgId is enough to tell of whom
    it speaks. In any other message a transaction is known by its OrgnlInstrId, our wire reference. An end told of a
    whole bulk message, or of a transaction without OrgnlInstrId, cannot be told to payments here: it is unclear, and
    the payments' own inquiries ask for it. Reports about messages that are not ours are never unclear.
    """
    if _SINGLE.fullmatch(report.message_id):
        return _of_one(report)
    named = [_with_reference(batch) for batch in report.batches]
    result = said(report._replace(batches=tuple(named)), [line for batch in named for line in _lines(batch)])
    levels = [report.status, *(batch.status for batch in report.batches if not batch.transactions)]
    nameless = sum(len(batch.transactions) for batch in report.batches) - sum(len(one.transactions) for one in named)
    ended = not result.outcomes and any(GROUP_STATUS.get(level.code) in ENDS for level in levels)
    ours = _BULK.fullmatch(report.message_id) is not None
    return Said(result.outcomes, unclear=ours and (result.unclear or ended or nameless > 0))


def _of_one(report: StatusReport) -> Said:
    mentioned = [transaction for batch in report.batches for transaction in batch.transactions]
    end_to_end_id = mentioned[0].end_to_end_id if len(mentioned) == 1 else ""
    batch_id = report.batches[0].payment_information_id if report.batches else ""
    result = said(report, [Line(report.message_id, end_to_end_id, batch_id)])
    return Said(unclear=True) if result.foreign else result


def _with_reference(batch: BatchReport) -> BatchReport:
    usable = (one for one in batch.transactions if 0 < len(one.instruction_id) <= TEXT_CHARS_MAX)
    return batch._replace(transactions=tuple(usable))


def _lines(batch: BatchReport) -> list[Line]:
    return [Line(one.instruction_id, one.end_to_end_id, batch.payment_information_id) for one in batch.transactions]


def _opened(body: bytes) -> tuple[str, list[bytes]]:
    """The cursor and the documents."""
    if len(body) > DOCUMENT_BYTES_MAX:
        raise Unreadable(f"longer than {DOCUMENT_BYTES_MAX} bytes")
    try:
        root = parse(body)
    except Unreadable:
        return _cut_open(body)
    documents = [etree.tostring(child, with_tail=False, encoding="UTF-8") for child in root.iterchildren("*")]
    return _cursor(root), documents


def _cut_open(body: bytes) -> tuple[str, list[bytes]]:
    """The same for an envelope with a broken document in it: complete documents, and what lies between them."""
    opening, closing = _OPEN.search(body), _CLOSE.search(body)
    if opening is None or closing is None:
        raise Unreadable("no mailbox, or one without its end")
    cursor = _cursor(parse(opening.group() + b"</reports>"))
    return cursor, [piece for piece in _pieces(body[opening.end() : closing.start()]) if piece.strip()]


def _pieces(inside: bytes) -> Iterator[bytes]:
    """In one pass, whatever is in it: what follows a document without an end is one last piece."""
    at = 0
    while opening := _DOCUMENT.search(inside, at):
        closing = re.compile(rb"</%bDocument\s*>" % re.escape(opening[1] or b"")).search(inside, opening.end())
        if closing is None:
            break
        yield inside[at : opening.start()]
        yield inside[opening.start() : closing.end()]
        at = closing.end()
    yield inside[at:]


def _cursor(root: etree._Element) -> str:
    cursor = root.get("next", "")
    if local_name(root) != "reports" or not 0 < len(cursor) <= CURSOR_CHARS_MAX or not cursor.isprintable():
        raise Unreadable("no mailbox, or one that does not say where to go on")
    return cursor
