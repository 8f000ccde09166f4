"""Reads pain.002 leniently and XML strictly.

Lenient: any version and namespace, any prefix, any envelope (AppHdr, a mailbox), several documents in one, unknown
elements. Strict: no document type (so no entities, no external files), no network, bounded size and depth, and what
is not well-formed is not read at all: half a report may lack the line that rejects.
"""

from collections.abc import Iterator
from typing import Final

from lxml import etree

from adapters.iso20022.messages import BatchReport, Status, StatusReport, TransactionReport
from gateway.core.errors import Unreadable

DOCUMENT_BYTES_MAX: Final = 4 * 1024 * 1024  # equals limits.ANSWER_BYTES_MAX, which adapters may not import
REASONS_MAX: Final = 16  # reasons kept of one status; the schema sets no bound
TEXT_CHARS_MAX: Final = 35  # ISO 20022 Max35Text: every identification and reason code


def parse(body: bytes) -> etree._Element:
    """The root element. Raises Unreadable, and nothing else, for whatever bytes."""
    if len(body) > DOCUMENT_BYTES_MAX:
        raise Unreadable(f"longer than {DOCUMENT_BYTES_MAX} bytes")
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        recover=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(body, parser)
    except (etree.LxmlError, ValueError, LookupError) as error:
        # The parser's own text may quote the document, and a document holds names and accounts.
        raise Unreadable("not well-formed XML") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise Unreadable("a document type is not accepted")
    return root


def read_reports(root: etree._Element) -> tuple[StatusReport, ...]:
    """Every pain.002 in the tree, in its order. Raises Unreadable where there is none."""
    reports = tuple(_report(element) for element in root.iter("{*}CstmrPmtStsRpt"))
    if not reports:
        raise Unreadable("no pain.002 in it")
    return reports


def local_name(element: etree._Element) -> str:
    """The tag without its namespace."""
    return etree.QName(element).localname


def _report(element: etree._Element) -> StatusReport:
    group = _child(element, "OrgnlGrpInfAndSts")
    batches = [_batch(one) for one in _children(element, "OrgnlPmtInfAndSts")]
    loose = tuple(_transaction(one) for one in _children(element, "TxInfAndSts"))
    if loose:  # older versions have transactions without a block
        batches.append(BatchReport("", Status(), loose))
    if group is None:
        raise Unreadable("a pain.002 that does not say of which message")
    return StatusReport(_text(group, "OrgnlMsgId"), _status(group, "GrpSts"), tuple(batches), etree.tostring(group))


def _batch(element: etree._Element) -> BatchReport:
    transactions = tuple(_transaction(one) for one in _children(element, "TxInfAndSts"))
    own = [etree.tostring(one, with_tail=False) for one in element if local_name(one) != "TxInfAndSts"]
    return BatchReport(_text(element, "OrgnlPmtInfId"), _status(element, "PmtInfSts"), transactions, b"".join(own))


def _transaction(element: etree._Element) -> TransactionReport:
    return TransactionReport(
        instruction_id=_text(element, "OrgnlInstrId"),
        end_to_end_id=_text(element, "OrgnlEndToEndId"),
        status=_status(element, "TxSts"),
        amount=_amount(element),
        excerpt=etree.tostring(element, with_tail=False),
    )


def _status(element: etree._Element, tag: str) -> Status:
    reasons: list[str] = []
    for information in _children(element, "StsRsnInf"):
        reason = _child(information, "Rsn")
        code = "" if reason is None else _text(reason, "Cd") or _text(reason, "Prtry")
        if code and len(reasons) < REASONS_MAX:
            reasons.append(code)
    return Status(_text(element, tag), tuple(reasons))


def _amount(element: etree._Element) -> tuple[str, str]:
    found = element.find("{*}OrgnlTxRef/{*}Amt/{*}InstdAmt")
    return ("", "") if found is None else (found.get("Ccy", ""), (found.text or "").strip())


def _children(element: etree._Element, tag: str) -> Iterator[etree._Element]:
    return element.iterchildren("{*}" + tag)


def _child(element: etree._Element, tag: str) -> etree._Element | None:
    return next(_children(element, tag), None)


def _text(element: etree._Element, tag: str) -> str:
    """A child's text without the blanks around it. One that is too long is cut, and so equals nothing of ours."""
    return (element.findtext("{*}" + tag) or "").strip()[: TEXT_CHARS_MAX + 1]
