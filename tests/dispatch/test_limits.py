"""Claims about how much a lane takes from the outbox at once, and how long a payment may be told to wait."""

from collections.abc import Container
from dataclasses import replace

import trio

from gateway import limits
from gateway.config import LanePolicy
from gateway.core.outcome import Outcome, Word
from gateway.core.payment import Payment
from gateway.core.ports import Submission, WireAnswer
from gateway.dispatch.lane import Lane
from tests.fakes.bank import FakeAdapter, hang
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

    async def due(self, bank: str, now_ns: int, limit: int, without: Container[bytes] = frozenset()) -> list[Payment]:
        found = await super().due(bank, now_ns, limit, without)
        self.asked.append(limit)
        self.given.append(len(found))
        return found


class Patient(FakeAdapter):
    """Reads every answer as a bank that asks us to wait for years."""

    def read(self, submission: Submission, answer: WireAnswer) -> tuple[Outcome, ...]:
        return tuple(Outcome(Word.NOT_PROCESSED, one.wire_reference, retry_after_s=1e9) for one in submission.payments)


@fills("limits.RETRY_AFTER_S_MAX")
async def test_no_bank_sends_a_payment_to_sleep_for_years(autojump_clock: trio.testing.MockClock) -> None:
    """A wait above RETRY_AFTER_S_MAX is cut to it: the payment is due again then, and not a second earlier."""
    clock = FakeClock()
    store = MemoryStore(clock)
    patient = replace(bank(), adapter=Patient())
    gate = house(patient, store=store, clock=clock)
    await queue(gate, 1)
    began_ns = clock.now_ns()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Lane(gate, patient).run)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    due_ns = await store.next_due_ns("northbank", after_ns=clock.now_ns())
    assert abs((due_ns - began_ns) / 1e9 - limits.RETRY_AFTER_S_MAX) <= 1.0


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
