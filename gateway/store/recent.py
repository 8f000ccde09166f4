"""The payments of the last commits, decoded: a payment is marked and answered within moments of its admission, and
reading its record again for each of these steps costs more than the steps themselves.

What is here was committed, by this process, the only writer there is. Only the writer's thread puts something in,
after the commit has returned, and it reads here what it wrote itself: never a value that is older than the store. The
event loop may see a payment a commit older or newer than its read transaction, so it takes one from here only where
the index entry that led to it agrees (reads.View), and a mark names the version it expects.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from gateway import limits
from gateway.core.payment import Payment
from gateway.core.states import State
from gateway.store.layout import Entry
from gateway.store.records import Standing

_OVER: Final = frozenset({State.SETTLED, State.REFUSED, State.REJECTED, State.CANCELLED, State.EXPIRED, State.RETURNED})
"""States in which hardly anything happens any more."""


@dataclass(frozen=True, slots=True)
class Known:
    """A payment as the last commit left it, and what the next one needs of what is stored: the part of its record that
    no step changes, the entry of payment2seq that has its last fact, and its moving index entries."""

    payment: Payment
    standing: Standing
    sequences: bytes = b""
    moving: tuple[Entry, ...] = ()


class Recent:
    """At most `most` payments; the ones written longest ago make room."""

    def __init__(self, most: int = limits.RECENT_PAYMENTS_MAX) -> None:
        self._most = most
        self._known: dict[bytes, Known] = {}

    def __len__(self) -> int:
        return len(self._known)

    def get(self, payment_id: bytes) -> Known | None:
        return self._known.get(payment_id)

    def keep(self, written: Iterable[Known]) -> None:
        """What a commit has made durable."""
        known = self._known
        for one in written:
            payment_id = one.payment.id
            known.pop(payment_id, None)
            if one.payment.state not in _OVER:
                known[payment_id] = one
        while len(known) > self._most:
            del known[next(iter(known))]
