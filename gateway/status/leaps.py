"""How far the wall clock has leapt ahead or fallen back while we ran, so that a correction of the clock shortens no
window and stretches none (law 5).

A bank's visibility window is a duration, but it must outlive restarts, so it is counted from a moment of the wall
clock. Should that clock be set forward in between, the window would seem to be over when it has hardly begun, and a
"not found" that proves nothing would free a payment the bank holds. Against trio's clock, which never leaps, the
leap shows. The other way round, a clock set back would stretch the time for which a bank detects duplicates. What was
set while no daemon ran cannot be seen from here.
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
        self._falls: list[tuple[int, int]] = []
        """The same of falls; the moment is what the clock would have shown without the fall."""

    def look(self) -> None:
        lead_s = self._lead_now_s()
        leapt_s, self._lead_s = lead_s - self._lead_s, lead_s
        leapt_ns = int(leapt_s * 1e9)
        if leapt_s >= LEAP_S_MIN:
            self._seen = _bounded([*self._seen, (self._clock.now_ns(), leapt_ns)])
        elif leapt_s <= -LEAP_S_MIN:
            self._falls = _bounded([*self._falls, (self._clock.now_ns() - leapt_ns, -leapt_ns)])

    def after(self, moment_ns: int) -> int:
        """Nanoseconds that the wall clock has skipped since `moment_ns`, as far as we have seen."""
        self.look()
        return sum(leapt_ns for at_ns, leapt_ns in self._seen if at_ns > moment_ns)

    def fallen_after(self, moment_ns: int) -> int:
        """Nanoseconds that the wall clock has fallen back since `moment_ns`: at least those that we have seen, and
        more where `moment_ns` was itself read after the fall."""
        self.look()
        return sum(fallen_ns for at_ns, fallen_ns in self._falls if at_ns >= moment_ns)

    def _lead_now_s(self) -> float:
        return self._clock.now_ns() / 1e9 - trio.current_time()


def _bounded(seen: list[tuple[int, int]]) -> list[tuple[int, int]]:
    if len(seen) <= LEAPS_KEPT:
        return seen
    (_, first_ns), (at_ns, second_ns), *rest = seen
    return [(at_ns, first_ns + second_ns), *rest]
