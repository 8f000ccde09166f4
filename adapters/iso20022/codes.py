"""What a bank's codes mean. Total over the code sets named here: a code that is missing is a code nobody may guess.

Source: ISO 20022 External Code Sets, 2Q2026 (ExternalPaymentTransactionStatus1Code, ExternalPaymentGroupStatus1Code,
ExternalStatusReason1Code). pain.002.001.03 has an enumeration of its own, a subset of the group codes.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from gateway.core.outcome import Word

RECEIVED: Final = "RCVD"
"""What an HTTP answer without a body says: the bank has received the message, nothing more."""

TRANSACTION_STATUS: Final[Mapping[str, Word | None]] = MappingProxyType(
    {
        # Checks passed or running: the bank holds it.
        "RCVD": Word.TAKEN,
        "PDNG": Word.TAKEN,
        "ACTC": Word.TAKEN,
        "ACCP": Word.TAKEN,
        "ACFC": Word.TAKEN,
        "ACSP": Word.TAKEN,
        "ACWC": Word.TAKEN,
        "PATC": Word.TAKEN,  # some of several signatures are there
        "ACFW": Word.TAKEN,  # an explicit confirmation of the initiating party is outstanding
        # Verification of the payee: whatever it found, the bank holds the transaction and waits or goes on.
        "RCVC": Word.TAKEN,
        "RVNA": Word.TAKEN,
        "RVNM": Word.TAKEN,
        "RVMC": Word.TAKEN,
        "RVNC": Word.TAKEN,
        "RVCM": Word.TAKEN,
        # On its way, not there.
        "ACPD": Word.TAKEN,  # released by the debtor's bank, accepted by the clearing
        "ACWP": Word.TAKEN,  # accepted, not posted to the creditor's account; ACCC or BLCK follows
        "ACIS": Word.TAKEN,  # a cheque was issued, neither deposited nor cleared
        # The debtor is debited, the creditor gets nothing, nothing comes back: not settled, and to call it rejected
        # would invite a second payment. It stays with the bank, visibly, until a person has asked.
        "BLCK": Word.TAKEN,
        "ACSC": Word.SETTLED,
        "ACCC": Word.SETTLED,
        "CPUC": Word.SETTLED,  # the creditor has picked up the cash
        "RJCT": Word.REJECTED,
        "CANC": Word.REJECTED,  # cancelled before execution, on request: nothing will be paid
        "PRES": None,  # speaks of a request to pay, never of a payment
    }
)
"""TxSts → the bank's word; None: a known code that says nothing about a payment."""

GROUP_STATUS: Final[Mapping[str, Word | None]] = MappingProxyType(
    {
        **{
            code: TRANSACTION_STATUS[code]
            for code in (
                "RCVD",
                "PDNG",
                "ACTC",
                "ACCP",
                "ACSP",
                "ACWC",
                "RCVC",
                "RVCM",
                "RVNC",
                "ACSC",
                "ACCC",
                "RJCT",
            )
        },
        "PART": None,  # some are accepted and some are not: says nothing about a line that is not mentioned
    }
)
"""GrpSts and PmtInfSts → the bank's word for every payment below that has no status of its own."""

DUPLICATE_REASONS: Final = frozenset({"AM05", "DU01", "DU02", "DU03", "DU04", "DU05", "DUPL"})
"""RJCT for one of these rejects a second copy, so a first may be there: never a rejection of the payment itself."""

_SEPA = (
    "AD AL AT BE BG CH CY CZ DE DK EE ES FI FR GB GI GR HR HU IE IS IT LI LT LU LV MC MD ME MK MT NL NO PL PT RO RS"
    " SE SI SK SM VA"
)
SEPA_COUNTRIES: Final = frozenset(_SEPA.split(" "))
"""IBAN country codes of the SEPA schemes' geographical scope (EPC409-09)."""
