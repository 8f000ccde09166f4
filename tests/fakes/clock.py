"""A wall clock for tests: it shows what it is set to, and goes on with trio's clock."""

import trio

from gateway.core.payment import Uptime

START_NS = 1_790_000_000_000_000_000
"""A moment in September 2026, where no test has set another."""


class FakeClock:
    """A WallClock. While trio runs, it moves with trio's clock: with MockClock only as far as the test lets it."""

    def __init__(self, now_ns: int = START_NS) -> None:
        self._base_ns = now_ns
        self._since_s = _trio_time()
        self.boots = 1

    def now_ns(self) -> int:
        now_s = _trio_time()
        if now_s is None:
            return self._base_ns
        if self._since_s is None:
            self._since_s = now_s
        return self._base_ns + int((now_s - self._since_s) * 1e9)

    def uptime(self) -> Uptime:
        """Goes on with trio's clock over every `set`."""
        return Uptime(self.boots.to_bytes(16, "big"), int((_trio_time() or 0.0) * 1e9))

    def reboot(self) -> None:
        """As if the machine had been started anew: what its uptime said before says nothing any more."""
        self.boots += 1

    def set(self, now_ns: int) -> None:
        """Also backwards, as clocks of machines do."""
        self._base_ns = now_ns
        self._since_s = _trio_time()

    def advance(self, seconds: float) -> None:
        self.set(self.now_ns() + int(seconds * 1e9))


def _trio_time() -> float | None:
    try:
        return trio.current_time()
    except RuntimeError:
        return None
