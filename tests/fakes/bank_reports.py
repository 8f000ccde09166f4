"""pain.002 as banks write it: a builder of schema-valid reports for tests."""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from gateway.core.payment import Payment

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:pain.002.001.{}"


@dataclass(frozen=True)
class Tx:
    """A TxInfAndSts; empty texts are left out."""

    status: str = ""
    instruction_id: str = ""
    end_to_end_id: str = ""
    reason: str = ""
    amount: str = ""
    """As XML text, such as `<InstdAmt Ccy="EUR">1.00</InstdAmt>`."""


@dataclass(frozen=True)
class Batch:
    """An OrgnlPmtInfAndSts."""

    payment_information_id: str
    status: str = ""
    transactions: Sequence[Tx] = ()
    reason: str = ""


def tx(of: Payment, status: str, reason: str = "") -> Tx:
    return Tx(status, of.wire_reference, of.instruction.end_to_end_id, reason)


def document(
    message_id: str,
    *batches: Batch,
    group: str = "",
    reason: str = "",
    namespace: str = NAMESPACE.format("10"),
    prefix: str = "",
) -> bytes:
    """A Document without an XML declaration, so that it can stand in an envelope."""
    body = (
        "<CstmrPmtStsRpt><GrpHdr><MsgId>STATUS-1</MsgId><CreDtTm>2026-03-02T09:31:00Z</CreDtTm></GrpHdr>"
        f"<OrgnlGrpInfAndSts>{_el('OrgnlMsgId', message_id)}<OrgnlMsgNmId>pain.001.001.09</OrgnlMsgNmId>"
        f"{_el('GrpSts', group)}{_reason(reason)}</OrgnlGrpInfAndSts>{''.join(map(_batch, batches))}</CstmrPmtStsRpt>"
    )
    text = f'<Document xmlns="{namespace}">{body}</Document>'
    if prefix:
        text = text.replace("</", f"</{prefix}:").replace("xmlns=", f"xmlns:{prefix}=")
        text = "".join(f"<{prefix}:" + part if part[:1] not in "/?" else "<" + part for part in text.split("<")[1:])
    return text.encode()


def mailbox(following: str, *documents: bytes) -> bytes:
    return (
        b'<?xml version="1.0" encoding="UTF-8"?>\n<reports next="'
        + following.encode()
        + b'">'
        + b"".join(documents)
        + b"</reports>"
    )


def _batch(batch: Batch) -> str:
    return (
        f"<OrgnlPmtInfAndSts>{_el('OrgnlPmtInfId', batch.payment_information_id)}{_el('PmtInfSts', batch.status)}"
        f"{_reason(batch.reason)}{''.join(map(_tx, batch.transactions))}</OrgnlPmtInfAndSts>"
    )


def _tx(one: Tx) -> str:
    amount = f"<OrgnlTxRef><Amt>{one.amount}</Amt></OrgnlTxRef>" if one.amount else ""
    return (
        f"<TxInfAndSts>{_el('OrgnlInstrId', one.instruction_id)}{_el('OrgnlEndToEndId', one.end_to_end_id)}"
        f"{_el('TxSts', one.status)}{_reason(one.reason)}{amount}</TxInfAndSts>"
    )


def _el(tag: str, value: str) -> str:
    return f"<{tag}>{escape(value)}</{tag}>" if value else ""


def _reason(code: str) -> str:
    return f"<StsRsnInf><Rsn><Cd>{code}</Cd></Rsn></StsRsnInf>" if code else ""
