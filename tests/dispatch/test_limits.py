"""Claims about how much a lane takes from the outbox at once, and how long a payment may be told to wait."""

import trio

from gateway import limits
from gateway.config import LanePolicy
from gateway.core.payment import Payment
from gateway.dispatch.lane import Lane
from tests.fakes.bank import hang
from tests.fakes.clock import FakeClock
from tests.fakes.house import bank, house, link, queue
from tests.fakes.memory_store import MemoryStore
from tests.fills import fills


class Watching(MemoryStore):
    """Remembers the pages asked for."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.asked: list[int] = []
        self.given: list[int] = []

    async def due(self, bank: str, now_ns: int, limit: int) -> list[Payment]:
        found = await super().due(bank, now_ns, limit)
        self.asked.append(limit)
        self.given.append(len(found))
        return found


@fills("LANE_PAGE_MAX")
async def test_a_lane_takes_a_page_of_the_outbox(autojump_clock: trio.testing.MockClock) -> None:
    """However much is due and however many messages there is room for, no more than LANE_PAGE_MAX beyond what is
    under way."""
    clock = FakeClock()
    store = Watching(clock)
    roomy = LanePolicy(in_flight_max=100, bulk_lines_max=100, request_timeout_s=10.0, retry_first_s=1.0)
    gate = house(bank("northbank", lane=roomy), store=store, clock=clock)
    link(gate).script.extend([hang] * 100)
    await queue(gate, *range(2 * limits.LANE_PAGE_MAX))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Lane(gate, gate.banks["northbank"]).run)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert store.asked[0] == store.given[0] == limits.LANE_PAGE_MAX
