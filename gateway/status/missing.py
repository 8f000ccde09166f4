"""Which payments a bank has said it does not find, and since when.

One "not found" proves nothing: the request may lie unread in the socket of a bank that stood still, and be acted upon
a moment after the inquiry beside it was answered. So the bank must say it twice. Its first word shows that it is at
work; when its visibility window has passed since then, whatever reached it shows, and the second word counts (law 8).

Kept in memory: a restart only asks once more.
"""

from typing import Final

from gateway.core.payment import Payment

MISSING_MAX: Final = 100_000
"""Payments remembered for one bank, about 20 MiB; of more the oldest are forgotten, and asked about once more."""


class Missing:
    """Of one bank."""

    def __init__(self) -> None:
        self._since: dict[bytes, tuple[int, int]] = {}

    def since_ns(self, payment: Payment) -> int:
        """When the bank first said "not found" about the payment's latest attempt; 0 = it has not."""
        attempt, at_ns = self._since.get(payment.id, (0, 0))
        return at_ns if attempt == _latest(payment) else 0

    def said(self, payment: Payment, at_ns: int) -> None:
        """The bank's answer came at `at_ns`. Only the first about an attempt counts."""
        if self.since_ns(payment):
            return
        self._since.pop(payment.id, None)
        self._since[payment.id] = (_latest(payment), at_ns)
        if len(self._since) > MISSING_MAX:
            del self._since[next(iter(self._since))]

    def forget(self, payment: Payment) -> None:
        """It is not in doubt any more."""
        self._since.pop(payment.id, None)


def _latest(payment: Payment) -> int:
    return payment.attempt.number if payment.attempt else 0
