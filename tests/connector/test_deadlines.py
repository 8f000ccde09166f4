"""One clock for many exchanges: each ends at its own time, and what has ended leaves nothing behind."""

import pytest
import trio
from trio.testing import MockClock

from gateway.connector.deadlines import REMAINS_MAX, Deadlines
from gateway.connector.exchange import Exchange
from tests.connector.bank import PAY
from tests.fills import fills


class Ends:
    """Which exchanges were ended, and when."""

    def __init__(self) -> None:
        self.at: dict[int, float] = {}
        self.deadlines = Deadlines(self.end)
        self._started_at = trio.current_time()

    def end(self, exchange: Exchange) -> None:
        self.at[id(exchange)] = trio.current_time() - self._started_at


async def test_each_ends_at_its_own_time(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    """Also the one that came last and is due first."""
    ends = Ends()
    nursery.start_soon(ends.deadlines.run)
    exchanges = [Exchange(PAY) for _ in range(3)]
    for exchange, timeout_s in zip(exchanges, (5.0, 9.0, 2.0), strict=True):
        ends.deadlines.watch(exchange, timeout_s)
        await trio.testing.wait_all_tasks_blocked()
    await trio.sleep(20)
    assert [ends.at[id(exchange)] for exchange in exchanges] == [5.0, 9.0, 2.0]
    assert ends.deadlines.kept == 0


async def test_what_is_released_is_not_ended(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    """An answer in time: the clock passes over its deadline, and reaches the next."""
    ends = Ends()
    nursery.start_soon(ends.deadlines.run)
    first, second = Exchange(PAY), Exchange(PAY)
    number = ends.deadlines.watch(first, 1.0)
    ends.deadlines.watch(second, 2.0)
    ends.deadlines.release(number)
    await trio.sleep(3)
    assert list(ends.at) == [id(second)]


async def test_at_once(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    """A timeout of nothing ends now, one without end never."""
    ends = Ends()
    nursery.start_soon(ends.deadlines.run)
    now, never = Exchange(PAY), Exchange(PAY)
    ends.deadlines.watch(never, float("inf"))
    ends.deadlines.watch(now, 0.0)
    await trio.sleep(3_600)
    assert ends.at == {id(now): 0.0}


@fills("REMAINS_MAX")
async def test_remains_are_bounded(autojump_clock: MockClock) -> None:
    """One exchange that waits long before all others does not keep the deadlines of those that have ended: REMAINS_MAX
    of them, beside as many as are alive, and then they are swept out."""
    deadlines = Ends().deadlines
    deadlines.watch(Exchange(PAY), 1.0)
    kept = []
    for _ in range(5 * REMAINS_MAX):
        deadlines.release(deadlines.watch(Exchange(PAY), 30.0))
        kept.append(deadlines.kept)
    assert max(kept) == REMAINS_MAX + 2
    assert min(kept) == 1


@pytest.mark.parametrize("timeout_s", [-1.0, float("nan")])
async def test_no_time_at_all(timeout_s: float) -> None:
    """What is no duration is refused before anything is kept."""
    deadlines = Ends().deadlines
    with pytest.raises(ValueError, match="timeout_s"):
        deadlines.watch(Exchange(PAY), timeout_s)
    assert deadlines.kept == 0
