"""What was marked before our start: the visibility window is counted from the start."""

from gateway.status.leaps import Leaps
from tests.fakes.clock import FakeClock


async def test_time_before_the_start_proves_nothing() -> None:
    """A clock set forward while no daemon ran cannot shorten a bank's visibility window (simulator, seeds 9 and 40)."""
    clock = FakeClock()
    marked_at_ns = clock.now_ns()
    clock.advance(7200.0)
    leaps = Leaps(clock)
    assert leaps.unseen(marked_at_ns) >= 7_200_000_000_000
    assert leaps.unseen(clock.now_ns() + 1) == 0
