"""Reads pain.002 leniently and XML strictly.

Lenient: any version and namespace, any prefix, any envelope (AppHdr, a mailbox), several documents in one, unknown
elements. Strict: no document type (so no entities, no external files), no network, bounded size and depth, and what
is not well-formed is not read at all: half a report may lack the line that rejects.
"""

from collections.abc import Mapping
from typing import Final

from lxml import etree

from adapters.iso20022.messages import BatchReport, Status, StatusReport, TransactionReport
from gateway.core.errors import Unreadable

DOCUMENT_BYTES_MAX: Final = 4 * 1024 * 1024  # equals limits.ANSWER_BYTES_MAX, which adapters may not import
REASONS_MAX: Final = 16  # reasons kept of one status; the schema sets no bound
TEXT_CHARS_MAX: Final = 35  # ISO 20022 Max35Text: every identification and reason code

_PARSER: Final = etree.XMLParser(  # for one thread at a time, which is all that read answers
    resolve_entities=False,
    no_network=True,
    load_dtd=False,
    dtd_validation=False,
    huge_tree=False,
    recover=False,
    remove_comments=True,
    remove_pis=True,
)


def parse(body: bytes) -> etree._Element:
    """The root element. Raises Unreadable, and nothing else, for whatever bytes."""
    if len(body) > DOCUMENT_BYTES_MAX:
        raise Unreadable(f"longer than {DOCUMENT_BYTES_MAX} bytes")
    try:
        root = etree.fromstring(body, _PARSER)
    except (etree.LxmlError, ValueError, LookupError) as error:
        # The parser's own text may quote the document, and a document holds names and accounts.
        raise Unreadable("not well-formed XML") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise Unreadable("a document type is not accepted")
    return root


def read_reports(root: etree._Element, *, excerpts: bool = True) -> tuple[StatusReport, ...]:
    """Every pain.002 in the tree, in its order. Raises Unreadable where there is none. Without `excerpts` those are
    empty: a short answer is kept whole, and what is taken out of it costs as much as reading it."""
    reports = tuple(_report(element, excerpts) for element in root.iter("{*}CstmrPmtStsRpt"))
    if not reports:
        raise Unreadable("no pain.002 in it")
    return reports


def local_name(element: etree._Element) -> str:
    """The tag without its namespace."""
    return str(element.tag).rpartition("}")[2]


def _report(element: etree._Element, excerpts: bool) -> StatusReport:
    parts = _parts(element)
    groups = parts.get("OrgnlGrpInfAndSts")
    batches = [_batch(one, excerpts) for one in parts.get("OrgnlPmtInfAndSts", ())]
    loose = tuple([_transaction(one, excerpts) for one in parts.get("TxInfAndSts", ())])
    if loose:  # older versions have transactions without a block
        batches.append(BatchReport("", Status(), loose))
    if groups is None:
        raise Unreadable("a pain.002 that does not say of which message")
    group = _parts(groups[0])
    excerpt = etree.tostring(groups[0], with_tail=False) if excerpts else b""
    return StatusReport(_text(group, "OrgnlMsgId"), _status(group, "GrpSts"), tuple(batches), excerpt)


def _batch(element: etree._Element, excerpts: bool) -> BatchReport:
    parts = _parts(element)
    transactions = tuple([_transaction(one, excerpts) for one in parts.pop("TxInfAndSts", ())])
    excerpt = b""
    if excerpts:
        excerpt = b"".join(etree.tostring(one, with_tail=False) for part in parts.values() for one in part)
    return BatchReport(_text(parts, "OrgnlPmtInfId"), _status(parts, "PmtInfSts"), transactions, excerpt)


def _transaction(element: etree._Element, excerpts: bool) -> TransactionReport:
    parts = _parts(element)
    return TransactionReport(
        instruction_id=_text(parts, "OrgnlInstrId"),
        end_to_end_id=_text(parts, "OrgnlEndToEndId"),
        status=_status(parts, "TxSts"),
        amount=_amount(parts),
        excerpt=etree.tostring(element, with_tail=False) if excerpts else b"",
    )


def _parts(element: etree._Element) -> dict[str, list[etree._Element]]:
    """Its children by their local names, in one pass: a path for each name would go over them as often."""
    parts: dict[str, list[etree._Element]] = {}
    for child in element:
        name = str(child.tag).rpartition("}")[2]
        if name in parts:
            parts[name].append(child)
        else:
            parts[name] = [child]
    return parts


def _status(parts: Mapping[str, list[etree._Element]], tag: str) -> Status:
    reasons: list[str] = []
    for information in parts.get("StsRsnInf", ()):
        for reason in _parts(information).get("Rsn", ())[:1]:
            codes = _parts(reason)
            code = _text(codes, "Cd") or _text(codes, "Prtry")
            if code and len(reasons) < REASONS_MAX:
                reasons.append(code)
    return Status(_text(parts, tag), tuple(reasons))


def _amount(parts: Mapping[str, list[etree._Element]]) -> tuple[str, str]:
    for reference in parts.get("OrgnlTxRef", ()):
        found = reference.find("{*}Amt/{*}InstdAmt")
        if found is not None:
            return (found.get("Ccy", ""), (found.text or "").strip())
    return ("", "")


def _text(parts: Mapping[str, list[etree._Element]], tag: str) -> str:
    """A child's text without the blanks around it. One that is too long is cut, and so equals nothing of ours."""
    found = parts.get(tag)
    return (found[0].text or "").strip()[: TEXT_CHARS_MAX + 1] if found else ""
