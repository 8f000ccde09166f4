"""A lenient reader of pain.001 (customer credit transfer initiation), the bank's own.

Any version and any namespace prefix; what the bank does not need it does not look at.
"""

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cache

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


@cache
def _parser() -> etree.XMLParser:
    return etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False, remove_comments=True)


class _Reader:
    """Finds elements of the document's own namespace, whichever that is.

    Walks children by hand: lxml's path searches run in Python and would cost more than all the rest.
    """

    def __init__(self, space: str) -> None:
        self._space = space
        named = re.search(r"pain\.001\.001\.\d\d", space)
        self._name = named.group() if named else "pain.001"

    def initiation(self, root: etree._Element) -> Initiation:
        body = self._child(root, "CstmrCdtTrfInitn")
        message_id = self._text(self._child(self._child(body, "GrpHdr"), "MsgId"))
        if body is None or not message_id or len(message_id) > TEXT_MAX:
            raise Unreadable("no usable CstmrCdtTrfInitn/GrpHdr/MsgId")
        try:
            groups = body.iterchildren(self._space + "PmtInf")
            transfers = tuple(transfer for group in groups for transfer in self._group(group))
        except Unreadable as broken:
            raise Unreadable(str(broken), message_id) from broken
        if not transfers:
            raise Unreadable("no CdtTrfTxInf", message_id)
        return Initiation(message_id, self._name, transfers)

    def _group(self, group: etree._Element) -> list[Transfer]:
        group_id = self._identification(self._child(group, "PmtInfId"), "PmtInfId")
        debtor = self._account(self._child(group, "DbtrAcct"))
        elements = group.iterchildren(self._space + "CdtTrfTxInf")
        return [self._transfer(element, group_id, debtor) for element in elements]

    def _transfer(self, element: etree._Element, group_id: str, debtor: str) -> Transfer:
        parts = {str(child.tag): child for child in element}
        payment_id = parts.get(self._space + "PmtId")
        instruction_id = self._text(self._child(payment_id, "InstrId"))
        if instruction_id and len(instruction_id) > TEXT_MAX:
            raise Unreadable("InstrId is too long")
        end_to_end_id = self._identification(self._child(payment_id, "EndToEndId"), "EndToEndId")
        uetr = self._text(self._child(payment_id, "UETR"))
        amount, currency = self._amount(parts.get(self._space + "Amt"))
        creditor_name = self._text(self._child(parts.get(self._space + "Cdtr"), "Nm")) or ""
        return Transfer(
            reference=instruction_id or end_to_end_id,
            payment_information_id=group_id,
            instruction_id=instruction_id,
            end_to_end_id=end_to_end_id,
            uetr=uetr if uetr and UETR.fullmatch(uetr) else None,
            amount=amount,
            currency=currency,
            debtor=debtor,
            creditor=self._account(parts.get(self._space + "CdtrAcct")) or creditor_name,
            creditor_name=creditor_name,
        )

    def _amount(self, element: etree._Element | None) -> tuple[Decimal, str]:
        equivalent = self._child(element, "EqvtAmt")
        found = self._child(element, "InstdAmt") if equivalent is None else self._child(equivalent, "Amt")
        try:
            amount = Decimal(self._text(found) or "")
        except InvalidOperation as broken:
            raise Unreadable("the amount is no number") from broken
        if found is None or not amount.is_finite():
            raise Unreadable("the amount is no number")
        return amount, found.get("Ccy", "")

    def _account(self, element: etree._Element | None) -> str:
        identification = self._child(element, "Id")
        other = self._child(self._child(identification, "Othr"), "Id")
        return self._text(self._child(identification, "IBAN")) or self._text(other) or ""

    def _identification(self, element: etree._Element | None, name: str) -> str:
        text = self._text(element)
        if not text or len(text) > TEXT_MAX:
            raise Unreadable(f"no usable {name}")
        return text

    def _child(self, element: etree._Element | None, name: str) -> etree._Element | None:
        return None if element is None else next(element.iterchildren(self._space + name), None)

    def _text(self, element: etree._Element | None) -> str | None:
        text = None if element is None else element.text
        return text.strip() or None if text else None
