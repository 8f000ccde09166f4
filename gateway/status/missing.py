"""Which payments a bank has said it does not find, and for how long.

One "not found" proves nothing: the request may lie unread in the socket of a bank that stood still, and be acted upon
a moment after the inquiry beside it was answered. So the bank must say it twice. Its first word shows that it is at
work; when its visibility window has passed since then, whatever reached it shows, and the second word counts (law 8).

Kept in memory and measured on trio's clock: a restart only asks once more, and a leap of the wall clock proves nothing.
"""

from typing import Final

from gateway.core.payment import Payment

MISSING_MAX: Final = 100_000
"""Payments remembered for one bank, about 20 MiB; of more the oldest are forgotten, and asked about once more."""


class Missing:
    """Of one bank. Moments are seconds of trio's clock."""

    def __init__(self) -> None:
        self._since: dict[bytes, tuple[int, float]] = {}

    def for_s(self, payment: Payment, asked_at_s: float) -> float | None:
        """How long before this asking the bank's first "not found" about the latest attempt came; None = never."""
        attempt, since_s = self._since.get(payment.id, (None, 0.0))
        return asked_at_s - since_s if attempt == _latest(payment) else None

    def said(self, payment: Payment, at_s: float) -> None:
        """The bank's "not found" came. Only the first about an attempt counts."""
        if self.for_s(payment, at_s) is not None:
            return
        self._since.pop(payment.id, None)
        self._since[payment.id] = (_latest(payment), at_s)
        if len(self._since) > MISSING_MAX:
            del self._since[next(iter(self._since))]

    def forget(self, payment: Payment) -> None:
        """The bank said something else about it."""
        self._since.pop(payment.id, None)


def _latest(payment: Payment) -> int:
    """Its number; 0 of a payment that is only suspected to have one (a store restored from a backup)."""
    return payment.attempt.number if payment.attempt else 0
