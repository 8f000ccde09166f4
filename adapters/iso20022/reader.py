"""Reads pain.002 leniently and XML strictly.

Lenient: any version and namespace, any prefix, any envelope (AppHdr, a mailbox), several documents in one, unknown
elements. Strict: no document type (so no entities, no external files), no network, bounded size and depth, and what
is not well-formed is not read at all: half a report may lack the line that rejects.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat
from typing import Final

from lxml import etree

from adapters.iso20022.messages import BatchReport, Status, StatusReport, TransactionReport
from gateway.core.errors import Unreadable

DOCUMENT_BYTES_MAX: Final = 4 * 1024 * 1024  # equals limits.ANSWER_BYTES_MAX, which adapters may not import
REASONS_MAX: Final = 16  # reasons kept of one status; the schema sets no bound
TEXT_CHARS_MAX: Final = 35  # ISO 20022 Max35Text: every identification and reason code

_NONE: Final = Status()
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
    group: etree._Element | None = None
    batches: list[BatchReport] = []
    loose: list[etree._Element] = []
    for child in element:
        name = local_name(child)
        if name == "OrgnlPmtInfAndSts":
            batches.append(_batch(child, excerpts))
        elif name == "TxInfAndSts":  # older versions have transactions without a block
            loose.append(child)
        elif name == "OrgnlGrpInfAndSts" and group is None:
            group = child
    if loose:
        batches.append(BatchReport("", Status(), _transactions(loose, _each(loose) if excerpts else ())))
    if group is None:
        raise Unreadable("a pain.002 that does not say of which message")
    firsts = _firsts(group)
    excerpt = etree.tostring(group, with_tail=False) if excerpts else b""
    return StatusReport(_text(firsts, "OrgnlMsgId"), _status(group, firsts, "GrpSts"), tuple(batches), excerpt)


def _batch(element: etree._Element, excerpts: bool) -> BatchReport:
    firsts: dict[str, etree._Element] = {}
    inside: list[etree._Element] = []
    for child in element:
        name = local_name(child)
        if name == "TxInfAndSts":
            inside.append(child)
        else:
            firsts.setdefault(name, child)
    head, each = _excerpts(element, inside) if excerpts else (b"", ())
    status = _status(element, firsts, "PmtInfSts")
    return BatchReport(_text(firsts, "OrgnlPmtInfId"), status, _transactions(inside, each), head)


def _transactions(elements: Sequence[etree._Element], excerpts: Sequence[bytes]) -> tuple[TransactionReport, ...]:
    """`excerpts` has one for each element, or none at all."""
    return tuple(map(_transaction, elements, excerpts or repeat(b"")))


def _transaction(element: etree._Element, excerpt: bytes) -> TransactionReport:
    firsts = _firsts(element)
    return TransactionReport(
        _text(firsts, "OrgnlInstrId"),
        _text(firsts, "OrgnlEndToEndId"),
        _status(element, firsts, "TxSts"),
        _amount(element) if "OrgnlTxRef" in firsts else ("", ""),
        excerpt,
    )


def _excerpts(block: etree._Element, inside: Sequence[etree._Element]) -> tuple[bytes, Sequence[bytes]]:
    """What a block says beside its transactions, and each of these, as they stood.

    The block is written once and cut at the ends of its transactions, which no text in it can look like: writing each
    by itself costs as much as reading it. Where the pieces are not one for each of them, all are written one by one.
    """
    if inside:
        name = f"{inside[0].prefix}:TxInfAndSts" if inside[0].prefix else "TxInfAndSts"
        opening, closing = f"<{name}>".encode(), f"</{name}>".encode()
        *pieces, rest = etree.tostring(block, with_tail=False).split(closing)
        head, found, first = pieces[0].partition(opening) if pieces else (b"", b"", b"")
        pieces[:1] = [opening + first]
        if found and len(pieces) == len(inside) and all(one.lstrip().startswith(opening) for one in pieces):
            return head + rest, [one.lstrip() + closing for one in pieces]
    known = set(inside)
    return b"".join(_each(child for child in block if child not in known)), _each(inside)


def _each(elements: Iterable[etree._Element]) -> list[bytes]:
    return [etree.tostring(one, with_tail=False) for one in elements]


def _firsts(element: etree._Element) -> dict[str, etree._Element]:
    """By its local name the first child of each, in one pass: a path for each name would go over them as often."""
    return {str(child.tag).rpartition("}")[2]: child for child in element.iterchildren(reversed=True)}


def _status(element: etree._Element, firsts: Mapping[str, etree._Element], tag: str) -> Status:
    """`element` is what `firsts` are the children of."""
    code = _text(firsts, tag)
    if "StsRsnInf" in firsts:
        return Status(code, _reasons(element))
    return Status(code) if code else _NONE


def _reasons(element: etree._Element) -> tuple[str, ...]:
    reasons: list[str] = []
    for information in element.iterchildren("{*}StsRsnInf"):
        reason = information.find("{*}Rsn")
        codes = {} if reason is None else _firsts(reason)
        code = _text(codes, "Cd") or _text(codes, "Prtry")
        if code and len(reasons) < REASONS_MAX:
            reasons.append(code)
    return tuple(reasons)


def _amount(element: etree._Element) -> tuple[str, str]:
    for reference in element.iterchildren("{*}OrgnlTxRef"):
        found = reference.find("{*}Amt/{*}InstdAmt")
        if found is not None:
            return (found.get("Ccy", ""), (found.text or "").strip())
    return ("", "")


def _text(firsts: Mapping[str, etree._Element], tag: str) -> str:
    """A child's text without the blanks around it. One that is too long is cut, and so equals nothing of ours."""
    found = firsts.get(tag)
    return "" if found is None else (found.text or "").strip()[: TEXT_CHARS_MAX + 1]
