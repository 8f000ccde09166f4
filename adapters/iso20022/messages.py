"""The messages as this adapter sees them: pain.001 by what differs between its kinds, pain.002 by what it says."""

import re
from dataclasses import dataclass
from typing import Final

NOT_PROVIDED: Final = "NOTPROVIDED"
"""What ISO 20022 and the EPC guidelines write where a mandatory identification is missing."""

XML_TYPE: Final = "application/xml; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Form:
    """One kind of pain.001: what differs between versions and dialects."""

    namespace: str
    bic_tag: str
    bic: re.Pattern[str]
    date_is_choice: bool
    """ReqdExctnDt holds a Dt (DateAndDateTime2Choice) instead of the date."""
    uetr: bool
    name_chars_max: int
    reference: re.Pattern[str] | None
    """Allowed characters of MsgId, PmtInfId, InstrId, EndToEndId; None: any."""
    text: re.Pattern[str] | None
    """Allowed characters of every other text; None: any that XML can say."""


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
