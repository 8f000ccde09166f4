"""Calls turned away before they cost anything: as soon as their headers are read.

A refusal that had to wait for a task, a span and a parsed request came after everything that was ready before it. Here
it costs one look at the store's queue and an answer made beforehand; the handler asks again for those let through.
Nothing but the load is told: who the caller is has not been looked at yet.
"""

import time
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from gateway.core.errors import Overloaded, StoreFailed
from gateway.house import House
from gateway.ingress.errors import as_rpc_error
from gateway.journey import room_for
from gateway.rpc.status import Status
from gateway.telemetry import names

ADMITTING: Final = "/causeway.v1.PaymentService/SubmitPayment"
"""A stream of instructions is not refused as a whole: each of its answers is durable by itself."""
STATUSES_MAX: Final = 256  # kept ready-made: two queues, each up to ten seconds in tenths


SUBMISSIONS_MAX: Final = 512
"""Unary submissions open at once, of all callers: 0.2 s of one core. Where the core is what runs out, the writer's
queue stays empty and would take them all: calls then piled up by the thousand, and each waited for all others."""
CROWDED: Final = 384
"""Of these, where it is the core that runs out: what has been begun comes first, and nothing more is read before.
Refusing four fifths of five times the load is more than a core can do; without, a twelfth of the peak was let in."""
BUSY_SHARE: Final = 0.85
"""Of one core that this process works; where a disk is what calls wait for, it works half of the time."""
BUSY_WINDOW_S: Final = 0.1
BUSY_RETRY_AFTER_S: Final = 0.5


class Submissions:
    """Counts the unary submissions whose handlers run; shared by whoever serves them and the gate before them."""

    __slots__ = ("_busy", "_now", "_since", "_worked", "open")

    def __init__(
        self, now: Callable[[], float] = time.monotonic, worked: Callable[[], float] = time.process_time
    ) -> None:
        """Both clocks in seconds; `worked`: what this process had of any core."""
        self.open = 0
        self._now, self._worked = now, worked
        self._since = (now(), worked())
        self._busy = False

    def crowded(self) -> bool:
        """Whether so many are open, and for want of the core, that no more should be read."""
        return self.open >= CROWDED and self._core_is_short()

    def _core_is_short(self) -> bool:
        now_s, worked_s = self._now(), self._worked()
        since_s, before_s = self._since
        if now_s - since_s >= BUSY_WINDOW_S:
            self._busy = worked_s - before_s >= BUSY_SHARE * (now_s - since_s)
            self._since = (now_s, worked_s)
        return self._busy

    def __enter__(self) -> None:
        self.open += 1

    def __exit__(self, *exc: object) -> None:
        self.open -= 1


class Shedding:
    """The gate of gateway.rpc's Server."""

    def __init__(self, house: House, submissions: Submissions | None = None) -> None:
        self._house = house
        self._submissions = submissions or Submissions()

    def __call__(self, method: str) -> Status | None:
        """The end of a call that there is no room for; None lets it in."""
        if method != ADMITTING:
            return None
        if self._submissions.open >= SUBMISSIONS_MAX:
            self._house.trail.count(names.SHED, queue="calls")
            return self._shed(Overloaded("submission queue", BUSY_RETRY_AFTER_S), method)
        try:
            room_for(self._house, 1)
        except StoreFailed:
            return None  # the handler says so, and the daemon ends
        except Overloaded as error:
            return self._shed(error, method)
        return None

    def _shed(self, error: Overloaded, method: str) -> Status:
        self._house.trail.observe(names.CALL_S, 0.0, method=method.lstrip("/"), status="RESOURCE_EXHAUSTED")
        return _status(error.what, round(10 * error.retry_after_s))


@lru_cache(STATUSES_MAX)
def _status(queue: str, tenths: int) -> Status:
    return as_rpc_error(Overloaded(queue, max(1, tenths) / 10)).status
