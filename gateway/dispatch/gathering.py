"""Which payments travel in one message, and when the message is ready to leave.

In one message go payments of the same debtor account, date, rail and currency, as banks ask for; and of one tenant,
since a bank's answer about a message is evidence that each of its payments' people may see. A message is ready when it
is full, or when its oldest payment has waited for company as long as the bank's profile says. An instant payment
travels alone and at once.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

from gateway.core.payment import Payment, Rail

_Key = tuple[str, str, str, date | None, Rail]


@dataclass(slots=True, eq=False)
class _Message:
    """One in the making."""

    key: _Key
    payments: dict[bytes, Payment] = field(default_factory=dict)


class Gathering:
    """Payments that may leave, by messages: the instant ones first, then the oldest. Times are Unix nanoseconds."""

    def __init__(self, lines_max: int, wait_ns: int = 0) -> None:
        self._lines_max = lines_max
        self._wait_ns = wait_ns
        self._instant: list[_Message] = []
        self._others: list[_Message] = []
        self._open: dict[_Key, _Message] = {}
        self._of: dict[bytes, _Message] = {}

    def __len__(self) -> int:
        """Payments in it."""
        return len(self._of)

    def __contains__(self, payment_id: object) -> bool:
        return payment_id in self._of

    def add(self, payments: Iterable[Payment]) -> None:
        """In the order in which they are due."""
        for payment in payments:
            message = self._message_for(payment)
            message.payments[payment.id] = payment
            self._of[payment.id] = message

    def drop(self, payment_id: bytes) -> None:
        """It has moved on, or changed: it is no longer what its message would say."""
        message = self._of.pop(payment_id, None)
        if message is not None:
            del message.payments[payment_id]

    def take(self, now_ns: int, most: int) -> list[tuple[Payment, ...]]:
        """At most so many messages that are ready; each payment is in one of them, and is here no longer."""
        taken = self._instant[:most]
        self._instant = self._instant[most:]
        left: list[_Message] = []
        for place, message in enumerate(self._others):
            if len(taken) == most:
                left.extend(self._others[place:])
                break
            (taken if self._is_ready(message, now_ns) else left).append(message)
        self._others = left
        for message in taken:
            self._close(message)
        return [tuple(message.payments.values()) for message in taken if message.payments]

    def ready_ns(self) -> int:
        """When the next message is ready; 0 where there is none."""
        waiting = (message for message in (*self._instant, *self._others) if message.payments)
        return min(map(self._ready_ns, waiting), default=0)

    def _message_for(self, payment: Payment) -> _Message:
        instruction = payment.instruction
        key = (
            payment.tenant,
            instruction.debtor.account.number,
            instruction.amount.currency,
            instruction.requested_execution_date,
            instruction.rail,
        )
        if instruction.rail is Rail.INSTANT:
            self._instant.append(_Message(key))
            return self._instant[-1]
        message = self._open.get(key)
        if message is None or len(message.payments) >= self._lines_max:
            message = self._open[key] = _Message(key)
            self._others.append(message)
        return message

    def _is_ready(self, message: _Message, now_ns: int) -> bool:
        """Also where the clock shows a moment before its oldest payment came: it was set back, and due stays due."""
        return not message.payments or not _since_ns(message) <= now_ns < self._ready_ns(message)

    def _ready_ns(self, message: _Message) -> int:
        instant = message.key[-1] is Rail.INSTANT
        full = len(message.payments) >= self._lines_max
        return _since_ns(message) + (0 if full or instant else self._wait_ns)

    def _close(self, message: _Message) -> None:
        """Nothing joins a message that has left."""
        for payment_id in message.payments:
            del self._of[payment_id]
        if self._open.get(message.key) is message:
            del self._open[message.key]


def _since_ns(message: _Message) -> int:
    """Since when its oldest payment may leave."""
    oldest = next(iter(message.payments.values()))
    return max(oldest.received_at_ns, oldest.send_after_ns)
