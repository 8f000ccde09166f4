"""The payments of the last commits, decoded: a payment is marked and answered within moments of its admission, and
reading its record again for each of these steps costs more than the steps themselves.

What is here was committed, by this process, the only writer there is. Only the writer's thread puts something in,
after the commit has returned, and it reads here what it wrote itself: never a value that is older than the store. The
event loop may see a payment a commit older or newer than its read transaction, so it takes one from here only where
the index entry that led to it agrees (reads.View), and a mark names the version it expects.

Who makes room is chosen for a backlog, which is where the work is: payments leave in the order in which they came, so
to drop the oldest for the newest would drop each just before it is needed, and read every one of them twice again.
Those whose answer is there, or that stand still, go first. While all are on their way a newcomer finds no room, unless
the oldest has waited so long that it is not about to leave at all (a date in the future, a bank that is out).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from gateway import limits
from gateway.core.payment import Payment
from gateway.core.states import State
from gateway.store.layout import Entry
from gateway.store.records import Standing

_ON_THE_WAY: Final = frozenset({State.RECEIVED, State.QUEUED, State.SENDING})
_OVER: Final = frozenset({State.SETTLED, State.REFUSED, State.REJECTED, State.CANCELLED, State.EXPIRED, State.RETURNED})
"""States in which hardly anything happens any more."""
STANDS_STILL_NS: Final = 30_000_000_000
"""A payment on its way to which nothing has happened for so long makes room for one that has just come."""


@dataclass(frozen=True, slots=True)
class Known:
    """A payment as the last commit left it, and what the next one needs of what is stored: the part of its record that
    no step changes, the entry of payment2seq that has its last fact, and its moving index entries."""

    payment: Payment
    standing: Standing
    sequences: bytes = b""
    moving: tuple[Entry, ...] = ()


class Recent:
    """At most `most` payments."""

    def __init__(self, most: int = limits.RECENT_PAYMENTS_MAX) -> None:
        self._most = most
        self._on_the_way: dict[bytes, Known] = {}
        self._others: dict[bytes, Known] = {}
        """Both in the order in which they were written last."""

    def __len__(self) -> int:
        return len(self._on_the_way) + len(self._others)

    def get(self, payment_id: bytes) -> Known | None:
        known = self._on_the_way.get(payment_id)
        return known if known is not None else self._others.get(payment_id)

    def keep(self, written: Iterable[Known]) -> None:
        """What a commit has made durable. Of a payment that is not kept nothing older stays either."""
        on_the_way, others = self._on_the_way, self._others
        full = False
        for one in written:
            payment_id, state = one.payment.id, one.payment.state
            if on_the_way.pop(payment_id, None) is None:
                others.pop(payment_id, None)
            if state in _ON_THE_WAY:
                full = full or (len(on_the_way) >= self._most and not self._made_room(one))
                if not full or len(on_the_way) < self._most:
                    on_the_way[payment_id] = one
            elif state not in _OVER:
                others[payment_id] = one
        while others and len(self) > self._most:
            del others[next(iter(others))]

    def _made_room(self, newcomer: Known) -> bool:
        """Whether the oldest on its way has gone for it. The clock may have been set in between, either way."""
        oldest_id = next(iter(self._on_the_way), b"")
        oldest = self._on_the_way.get(oldest_id)
        if oldest is None or abs(newcomer.payment.updated_at_ns - oldest.payment.updated_at_ns) < STANDS_STILL_NS:
            return False
        del self._on_the_way[oldest_id]
        return True
