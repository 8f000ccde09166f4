"""Which payments a bank has said it does not find, and for how long.

One "not found" proves nothing: the request may lie unread in the socket of a bank that stood still, and be acted upon
a moment after the inquiry beside it was answered. So the bank must say it twice. Its first word shows that it is at
work; when its visibility window has passed since then, whatever had reached it shows, and the second word counts
(law 8).

Kept in memory, by trio's clock: a restart only asks once more.
"""

from typing import Final

import trio

from gateway.core.payment import Payment

MISSING_MAX: Final = 100_000
"""Payments remembered for one bank, about 20 MiB; of more the oldest are forgotten, and asked about once more."""


class Missing:
    """Of one bank. Only the first "not found" about an attempt counts."""

    def __init__(self) -> None:
        self._since: dict[bytes, tuple[int, float]] = {}
        """Payment id → (number of its latest attempt, when the bank first said so)."""

    def for_s(self, payment: Payment) -> float:
        """Seconds since the bank first said "not found" about the payment's latest attempt; 0 = it has not."""
        attempt, at_s = self._since.get(payment.id, (0, 0.0))
        return trio.current_time() - at_s if attempt == _latest(payment) else 0.0

    def said(self, payment: Payment) -> None:
        """The bank's answer has come just now."""
        if self._since.get(payment.id, (0, 0.0))[0] == _latest(payment):
            return
        self._since.pop(payment.id, None)
        self._since[payment.id] = (_latest(payment), trio.current_time())
        if len(self._since) > MISSING_MAX:
            del self._since[next(iter(self._since))]

    def forget(self, payment: Payment) -> None:
        """The bank has said something else of it."""
        self._since.pop(payment.id, None)


def _latest(payment: Payment) -> int:
    return payment.attempt.number if payment.attempt else 0
