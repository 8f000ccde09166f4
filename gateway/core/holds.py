"""The holds that the house itself places, and which of them a person may release. Pure.

A release sends: the payment goes to the outbox. So it is an act with a name and a note in the log, nobody releases
what they made (law 9), and only a hold is here that says nothing about the payment itself.
"""

from typing import Final

from gateway.core.happenings import Happening
from gateway.core.payment import Payment
from gateway.core.reasons import Reason
from gateway.core.states import Kind

HOLD_CONTRADICTION: Final = "bank_contradiction"
"""The hold of a payment that a bank claims although we hold it. Never released: it would pay what may be paid."""

HOLD_DEFECT: Final = "adapter_defect"
"""The hold of a payment that its adapter could not put into words, for no reason the adapter knows of: our defect, not
the instruction's, so it waits for people instead of being refused."""

RELEASABLE: Final = frozenset({HOLD_DEFECT})
"""Holds that one other person releases, when what was wrong with us has been mended."""

RELEASES: Final = frozenset({Kind.HOLD_RELEASED, Kind.HOLDS_CLEARED})


def released(payment: Payment, hold: str, actor: str, note: str) -> Happening:
    """The last open hold leads to the outbox, another one to what else is open."""
    kind = Kind.HOLDS_CLEARED if payment.holds == (hold,) else Kind.HOLD_RELEASED
    return Happening(kind, reason=Reason.RELEASED, holds=(hold,), actor=actor, evidence=note.encode())


def released_by_another(payment: Payment, happening: Happening) -> bool:
    """Whether a happening releases none of RELEASABLE, or is such a release by somebody who did not make `payment`, and
    leads to the outbox only where nothing else is open."""
    if happening.kind not in RELEASES or RELEASABLE.isdisjoint(happening.holds):
        return True
    left = set(payment.holds) - set(happening.holds)
    return (
        happening.reason is Reason.RELEASED
        and happening.actor not in ("", payment.principal)
        and (happening.kind is Kind.HOLDS_CLEARED) == (not left)
    )
