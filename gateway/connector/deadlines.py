"""One clock for all exchanges with a bank.

A cancel scope for each exchange costs more than its TLS. Here an exchange leaves its deadline and a number; one task
sleeps until the earliest. What has ended in time is taken out by its number; its deadline stays behind until it comes
to the top or until such remains are more than what is alive.
"""

import heapq
import math
from collections.abc import Callable
from typing import Final

import trio

from gateway.connector.exchange import Exchange

REMAINS_MAX: Final = 1_024  # deadlines of ended exchanges, beside as many as are alive: 100 bytes each


class Deadlines:
    """`expire` is called with each exchange that is still watched when its time is up; it must not raise."""

    def __init__(self, expire: Callable[[Exchange], None]) -> None:
        self._expire = expire
        self._due: list[tuple[float, int]] = []
        self._watched: dict[int, Exchange] = {}
        self._numbers = 0
        self._alarm = trio.CancelScope()

    @property
    def kept(self) -> int:
        """Deadlines in memory."""
        return len(self._due)

    def watch(self, exchange: Exchange, timeout_s: float) -> int:
        """From now on; returns the number for `release`. Raises ValueError for less than nothing, or NaN."""
        if not timeout_s >= 0:
            raise ValueError("timeout_s must be at least 0")
        deadline = trio.current_time() + timeout_s
        self._numbers += 1
        self._watched[self._numbers] = exchange
        heapq.heappush(self._due, (deadline, self._numbers))
        if deadline < self._alarm.deadline:
            self._alarm.deadline = deadline
        return self._numbers

    def release(self, number: int) -> None:
        """Nobody waits for this exchange any more."""
        self._watched.pop(number, None)
        due, watched = self._due, self._watched
        while due and due[0][1] not in watched:
            heapq.heappop(due)
        if len(due) > 2 * len(watched) + REMAINS_MAX:
            due[:] = [each for each in due if each[1] in watched]
            heapq.heapify(due)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            with trio.CancelScope(deadline=self._due[0][0] if self._due else math.inf) as self._alarm:
                await trio.sleep_forever()
            self._end_those_due(trio.current_time())

    def _end_those_due(self, now: float) -> None:
        while self._due and self._due[0][0] <= now:
            _, number = heapq.heappop(self._due)
            exchange = self._watched.pop(number, None)
            if exchange is not None:
                self._expire(exchange)
