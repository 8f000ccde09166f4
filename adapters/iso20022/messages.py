"""pain.002 as this adapter sees it: who it speaks of, at which level, and with which code.

Named tuples: half a dozen are made for every answer, and a frozen dataclass costs four times as much to make.
"""

from typing import Final, NamedTuple

NOT_PROVIDED: Final = "NOTPROVIDED"
"""What ISO 20022 and the EPC guidelines write where a mandatory identification is missing."""


class Status(NamedTuple):
    """A status at one level. `code` is empty where that level has none."""

    code: str = ""
    reasons: tuple[str, ...] = ()
    """StsRsnInf/Rsn, Cd or Prtry, in the bank's order."""


class TransactionReport(NamedTuple):
    """TxInfAndSts: what is said of one transaction. Texts are empty where absent."""

    instruction_id: str
    end_to_end_id: str
    status: Status
    amount: tuple[str, str] = ("", "")
    """(currency, amount) of OrgnlTxRef/Amt/InstdAmt, as text."""
    excerpt: bytes = b""
    """The element as it stood, for evidence."""


class BatchReport(NamedTuple):
    """OrgnlPmtInfAndSts: what is said of one PmtInf block."""

    payment_information_id: str
    status: Status
    transactions: tuple[TransactionReport, ...]
    excerpt: bytes = b""
    """The element without its transactions."""


class StatusReport(NamedTuple):
    """One CstmrPmtStsRpt."""

    message_id: str
    """OrgnlMsgId: the message it speaks of."""
    status: Status
    batches: tuple[BatchReport, ...]
    excerpt: bytes = b""
    """OrgnlGrpInfAndSts as it stood."""
