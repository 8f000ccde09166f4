"""How the bank judges a transfer: by its end-to-end id, its creditor's name or its amount.

First rule that fits:
  amount not above zero                                     RJCT AM01
  amount above the bank's largest                           RJCT AM02
  end-to-end id `REJECT-XXXX...` or creditor `REJECT XXXX`  RJCT with reason XXXX
  end-to-end id `LATE-XXXX...`                              ACCP, RJCT XXXX when others settle; never booked
  end-to-end id `HOLD-...`                                  ACCP and booked, never settled
  anything else                                             ACCP, booked, settled (ACSC)
"""

import re
from dataclasses import dataclass
from decimal import Decimal

from loadtest.bank.pain001 import Transfer

_REJECT_ID = re.compile(r"(REJECT|LATE)-([A-Z]{2}[A-Z0-9]{2})")
_REJECT_NAME = re.compile(r"REJECT ([A-Z]{2}[A-Z0-9]{2})\b")


@dataclass(frozen=True, slots=True)
class Verdict:
    """The bank's decision. `reason` is an ISO 20022 status reason code, given exactly when it rejects."""

    books: bool
    reason: str | None = None
    settles: bool = True
    accepts_first: bool = False


def judge(transfer: Transfer, max_amount: Decimal) -> Verdict:
    """The decision about one transfer."""
    if transfer.amount <= 0:
        return Verdict(books=False, reason="AM01")
    if transfer.amount > max_amount:
        return Verdict(books=False, reason="AM02")
    if named := _REJECT_NAME.match(transfer.creditor_name):
        return Verdict(books=False, reason=named.group(1))
    if named := _REJECT_ID.match(transfer.end_to_end_id):
        return Verdict(books=False, reason=named.group(2), accepts_first=named.group(1) == "LATE")
    return Verdict(books=True, settles=not transfer.end_to_end_id.startswith("HOLD-"))
