"""How far the wall clock has leapt ahead while we ran, so that a correction of the clock shortens no window (law 5).

A bank's visibility window is a duration, but it must outlive restarts, so it is counted from a moment of the wall
clock. Should that clock be set forward in between, the window would seem to be over when it has hardly begun, and a
"not found" that proves nothing would free a payment the bank holds. Against trio's clock, which never leaps, the
leap shows. What was set while no daemon ran cannot be seen from here.
"""

import trio

from gateway.core.ports import WallClock

LEAP_S_MIN = 1.0
"""Less than this between two looks is drift or slewing, as every clock that is kept right shows it."""
LEAPS_KEPT = 32
"""Beyond it the two oldest become one; that counts a leap for too many payments, never for too few."""


class Leaps:
    """To be looked at often: a leap counts for every moment before the look that found it."""

    def __init__(self, clock: WallClock) -> None:
        self._clock = clock
        self._lead_s = self._lead_now_s()
        self._seen: list[tuple[int, int]] = []
        """(Unix nanoseconds at which it was seen, nanoseconds leapt), oldest first."""

    def look(self) -> None:
        lead_s = self._lead_now_s()
        leapt_s, self._lead_s = lead_s - self._lead_s, lead_s
        if leapt_s < LEAP_S_MIN:
            return
        self._seen.append((self._clock.now_ns(), int(leapt_s * 1e9)))
        if len(self._seen) > LEAPS_KEPT:
            (_, first_ns), (at_ns, second_ns), *rest = self._seen
            self._seen = [(at_ns, first_ns + second_ns), *rest]

    def after(self, moment_ns: int) -> int:
        """Nanoseconds that the wall clock has skipped since `moment_ns`, as far as we have seen."""
        self.look()
        return sum(leapt_ns for at_ns, leapt_ns in self._seen if at_ns > moment_ns)

    def _lead_now_s(self) -> float:
        return self._clock.now_ns() / 1e9 - trio.current_time()
