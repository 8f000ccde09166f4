"""A lenient reader of pain.001 (customer credit transfer initiation), the bank's own.

Any version and any namespace prefix; what the bank does not need it does not look at.
"""

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from lxml import etree

UETR = re.compile(r"[a-f0-9]{8}-[a-f0-9]{4}-4[a-f0-9]{3}-[89ab][a-f0-9]{3}-[a-f0-9]{12}")
TEXT_MAX = 35  # ISO 20022 Max35Text: every identification that a pain.002 repeats


class Unreadable(Exception):
    """The body is no XML, or no pain.001. `message_id` is what could be read of it."""

    def __init__(self, why: str, message_id: str | None = None) -> None:
        super().__init__(why)
        self.message_id = message_id


@dataclass(frozen=True, slots=True)
class Transfer:
    """One CdtTrfTxInf. `reference`, the wire reference, is InstrId, or EndToEndId where there is none."""

    reference: str
    payment_information_id: str
    instruction_id: str | None
    end_to_end_id: str
    uetr: str | None
    amount: Decimal
    currency: str
    debtor: str
    creditor: str
    creditor_name: str


@dataclass(frozen=True, slots=True)
class Initiation:
    """One pain.001. `name` is the message name as pain.002 repeats it, such as pain.001.001.09."""

    message_id: str
    name: str
    transfers: tuple[Transfer, ...]


def read(body: bytes) -> Initiation:
    """Raises Unreadable."""
    try:
        root = etree.fromstring(body, _parser())
    except etree.XMLSyntaxError as broken:
        raise Unreadable("not well-formed XML") from broken
    if root.getroottree().docinfo.internalDTD is not None:
        raise Unreadable("a document type is not accepted")
    space = root.tag.rpartition("}")[0] + "}" if root.tag.startswith("{") else ""
    return _Reader(space).initiation(root)


def _parser() -> etree.XMLParser:
    return etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False, remove_comments=True)


class _Reader:
    """Finds elements of the document's own namespace, whichever that is."""

    def __init__(self, space: str) -> None:
        self._space = space
        named = re.search(r"pain\.001\.001\.\d\d", space)
        self._name = named.group() if named else "pain.001"

    def initiation(self, root: etree._Element) -> Initiation:
        message_id = self._text(root, "CstmrCdtTrfInitn", "GrpHdr", "MsgId")
        if not message_id or len(message_id) > TEXT_MAX:
            raise Unreadable("no usable CstmrCdtTrfInitn/GrpHdr/MsgId")
        try:
            groups = root.iterfind(self._path("CstmrCdtTrfInitn", "PmtInf"))
            transfers = tuple(transfer for group in groups for transfer in self._group(group))
        except Unreadable as broken:
            raise Unreadable(str(broken), message_id) from broken
        if not transfers:
            raise Unreadable("no CdtTrfTxInf", message_id)
        return Initiation(message_id, self._name, transfers)

    def _group(self, group: etree._Element) -> list[Transfer]:
        payment_information_id = self._needed(group, "PmtInfId")
        debtor = self._account(group, "DbtrAcct")
        return [
            self._transfer(element, payment_information_id, debtor)
            for element in group.iterfind(self._path("CdtTrfTxInf"))
        ]

    def _transfer(self, element: etree._Element, payment_information_id: str, debtor: str) -> Transfer:
        instruction_id = self._text(element, "PmtId", "InstrId")
        end_to_end_id = self._needed(element, "PmtId", "EndToEndId")
        if instruction_id and len(instruction_id) > TEXT_MAX:
            raise Unreadable("InstrId is too long")
        amount, currency = self._amount(element)
        creditor_name = self._text(element, "Cdtr", "Nm") or ""
        return Transfer(
            reference=instruction_id or end_to_end_id,
            payment_information_id=payment_information_id,
            instruction_id=instruction_id,
            end_to_end_id=end_to_end_id,
            uetr=self._uetr(element),
            amount=amount,
            currency=currency,
            debtor=debtor,
            creditor=self._account(element, "CdtrAcct") or creditor_name,
            creditor_name=creditor_name,
        )

    def _uetr(self, element: etree._Element) -> str | None:
        uetr = self._text(element, "PmtId", "UETR")
        return uetr if uetr and UETR.fullmatch(uetr) else None

    def _amount(self, element: etree._Element) -> tuple[Decimal, str]:
        for way in (("Amt", "InstdAmt"), ("Amt", "EqvtAmt", "Amt")):
            found = element.find(self._path(*way))
            if found is not None:
                break
        else:
            raise Unreadable("no amount")
        try:
            amount = Decimal((found.text or "").strip())
        except InvalidOperation as broken:
            raise Unreadable("the amount is no number") from broken
        if not amount.is_finite():
            raise Unreadable("the amount is no number")
        return amount, found.get("Ccy", "")

    def _account(self, element: etree._Element, name: str) -> str:
        return self._text(element, name, "Id", "IBAN") or self._text(element, name, "Id", "Othr", "Id") or ""

    def _needed(self, element: etree._Element, *way: str) -> str:
        text = self._text(element, *way)
        if not text or len(text) > TEXT_MAX:
            raise Unreadable(f"no usable {'/'.join(way)}")
        return text

    def _text(self, element: etree._Element, *way: str) -> str | None:
        text = element.findtext(self._path(*way))
        return text.strip() if text and text.strip() else None

    def _path(self, *way: str) -> str:
        return "/".join([self._space + name for name in way])
