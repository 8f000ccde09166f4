"""pain.002.001.10 (customer payment status report) as text: templates with escaping, for speed."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import groupby
from typing import Literal
from xml.sax.saxutils import escape

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"
PROLOGUE = b'<?xml version="1.0" encoding="UTF-8"?>\n'
NOT_PROVIDED = "NOTPROVIDED"

Status = Literal["PDNG", "ACCP", "ACSC", "RJCT"]
_PROGRESS: tuple[Status, ...] = ("PDNG", "ACCP", "ACSC")  # a group is as far as its slowest transaction


@dataclass(frozen=True, slots=True)
class TransferStatus:
    """What is said of one transaction. `bank_reference` is the booking's, None when there is none."""

    payment_information_id: str
    instruction_id: str | None
    end_to_end_id: str
    uetr: str | None
    status: Status
    reason: str | None = None
    bank_reference: str | None = None


def report(
    message_id: str, name: str, at: float, transfers: Iterable[TransferStatus], reason: str | None = None
) -> bytes:
    """A complete document without XML declaration. `at`: seconds since the epoch; `reason`: the group's."""
    statuses = sorted(transfers, key=lambda transfer: transfer.payment_information_id)
    groups = [list(group) for _, group in groupby(statuses, key=lambda each: each.payment_information_id)]
    group_status = summary(statuses) if statuses else "RJCT"
    text = (
        f'<Document xmlns="{NAMESPACE}"><CstmrPmtStsRpt>'
        f"<GrpHdr><MsgId>{uuid.uuid4().hex}</MsgId><CreDtTm>{_moment(int(at))}</CreDtTm></GrpHdr>"
        f"<OrgnlGrpInfAndSts><OrgnlMsgId>{escape(message_id)}</OrgnlMsgId>"
        f"<OrgnlMsgNmId>{escape(name)}</OrgnlMsgNmId><GrpSts>{group_status}</GrpSts>{_reason(reason)}"
        f"</OrgnlGrpInfAndSts>{''.join(map(_group, groups))}</CstmrPmtStsRpt></Document>"
    )
    return text.encode()


def unreadable(message_id: str | None, at: float) -> bytes:
    """RJCT FF01 (invalid file format) for a message the bank could not read."""
    return report(message_id or NOT_PROVIDED, "pain.001", at, (), reason="FF01")


def summary(transfers: list[TransferStatus]) -> str:
    """GrpSts or PmtInfSts: RJCT when all are, PART when some are, else the least advanced status."""
    statuses = {transfer.status for transfer in transfers}
    if statuses == {"RJCT"}:
        return "RJCT"
    return "PART" if "RJCT" in statuses else min(statuses, key=_PROGRESS.index)


@lru_cache(maxsize=16)
def _moment(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _group(transfers: list[TransferStatus]) -> str:
    return (
        f"<OrgnlPmtInfAndSts><OrgnlPmtInfId>{escape(transfers[0].payment_information_id)}</OrgnlPmtInfId>"
        f"<PmtInfSts>{summary(transfers)}</PmtInfSts>{''.join(map(_transfer, transfers))}</OrgnlPmtInfAndSts>"
    )


def _transfer(transfer: TransferStatus) -> str:
    return (
        f"<TxInfAndSts>{_optional('OrgnlInstrId', transfer.instruction_id)}"
        f"<OrgnlEndToEndId>{escape(transfer.end_to_end_id)}</OrgnlEndToEndId>"
        f"{_optional('OrgnlUETR', transfer.uetr)}<TxSts>{transfer.status}</TxSts>{_reason(transfer.reason)}"
        f"{_optional('AcctSvcrRef', transfer.bank_reference)}</TxInfAndSts>"
    )


def _optional(element: str, text: str | None) -> str:
    return f"<{element}>{escape(text)}</{element}>" if text else ""


def _reason(code: str | None) -> str:
    return f"<StsRsnInf><Rsn><Cd>{escape(code)}</Cd></Rsn></StsRsnInf>" if code else ""
