"""A claim about a wake-up that never came."""

import trio

from gateway.core.ports import CommitListener
from gateway.core.states import State
from gateway.dispatch.lane import IDLE_S_MAX, Lane
from tests.fakes.clock import FakeClock
from tests.fakes.house import house, queue
from tests.fakes.memory_store import MemoryStore
from tests.fills import fills


class Mute(MemoryStore):
    """Tells nobody of its commits."""

    def on_commit(self, told: CommitListener) -> None:
        pass


@fills("lane.IDLE_S_MAX")
async def test_a_lane_looks_though_nobody_wakes_it(autojump_clock: trio.testing.MockClock) -> None:
    """A payment of which the lane never heard is found by its next look, IDLE_S_MAX after the last at the latest; no
    look comes earlier."""
    clock = FakeClock()
    gate = house(store=Mute(clock), clock=clock)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Lane(gate, gate.banks["northbank"]).run)
        await trio.sleep(1)  # the first look finds nothing
        [payment] = await queue(gate, 1)
        await trio.sleep(IDLE_S_MAX - 2)
        assert await _state(gate.store, payment.id) is State.QUEUED
        await trio.sleep(2)
        assert await _state(gate.store, payment.id) is State.ACCEPTED
        nursery.cancel_scope.cancel()


async def _state(store: object, payment_id: bytes) -> State:
    assert isinstance(store, Mute)
    payment = await store.get(payment_id)
    assert payment is not None
    return payment.state
