"""pain.002 as this adapter sees it: who it speaks of, at which level, and with which code."""

from dataclasses import dataclass
from typing import Final

NOT_PROVIDED: Final = "NOTPROVIDED"
"""What ISO 20022 and the EPC guidelines write where a mandatory identification is missing."""


@dataclass(frozen=True, slots=True)
class Status:
    """A status at one level. `code` is empty where that level has none."""

    code: str = ""
    reasons: tuple[str, ...] = ()
    """StsRsnInf/Rsn, Cd or Prtry, in the bank's order."""


@dataclass(frozen=True, slots=True)
class TransactionReport:
    """TxInfAndSts: what is said of one transaction. Texts are empty where absent."""

    instruction_id: str
    end_to_end_id: str
    status: Status
    amount: tuple[str, str] = ("", "")
    """(currency, amount) of OrgnlTxRef/Amt/InstdAmt, as text."""
    excerpt: bytes = b""
    """The element as it stood, for evidence."""


@dataclass(frozen=True, slots=True)
class BatchReport:
    """OrgnlPmtInfAndSts: what is said of one PmtInf block."""

    payment_information_id: str
    status: Status
    transactions: tuple[TransactionReport, ...]
    excerpt: bytes = b""
    """The element without its transactions."""


@dataclass(frozen=True, slots=True)
class StatusReport:
    """One CstmrPmtStsRpt."""

    message_id: str
    """OrgnlMsgId: the message it speaks of."""
    status: Status
    batches: tuple[BatchReport, ...]
    excerpt: bytes = b""
    """OrgnlGrpInfAndSts as it stood."""
