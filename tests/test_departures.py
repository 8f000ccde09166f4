"""Claims about messages that wait for their first byte: the commits decide whether they still may leave."""

import trio

from gateway.core import happenings
from gateway.core.ports import CommitListener, Step
from gateway.departures import Departures
from tests.fakes.clock import FakeClock
from tests.fakes.house import house, queue
from tests.fakes.memory_store import MemoryStore


async def test_only_what_happens_to_its_own_payments_calls_a_message_off() -> None:
    """Another payment's fate is nothing to it; its own payment's cancellation is."""
    gate = house()
    mine, other = await queue(gate, 1, 2)
    with gate.departures.of([mine]) as departure:
        await gate.store.take([Step(other.id, happening=happenings.cancelled("client-a"))])
        assert departure.wanted()
        await gate.store.take([Step(mine.id, happening=happenings.cancelled("client-a"))])
        assert not departure.wanted()


async def test_what_was_read_with_a_payment_is_no_news_of_it() -> None:
    """A store may be read before its last commit is told: the facts of a payment's own admission, told when its message
    is registered already, call nothing off. Over LmdbStore such messages went the long way of a back-off."""
    gate = house()
    (mine,) = await queue(gate, 1)
    admission = await gate.store.facts_of(mine.id, 10)
    late: list[CommitListener] = []

    class LateStore(MemoryStore):
        def on_commit(self, told: CommitListener) -> None:
            late.append(told)

    departures = Departures(LateStore(FakeClock()))
    with departures.of([mine]) as departure:
        late[0](admission)
        assert departure.wanted()
        await gate.store.take([Step(mine.id, happening=happenings.cancelled("client-a"))])
        late[0]((await gate.store.facts_of(mine.id, 10))[len(admission) :])
        assert not departure.wanted()


async def test_two_messages_never_carry_one_payment() -> None:
    """The second is called off from its start, and its end does not end the first one's watch."""
    gate = house()
    (mine,) = await queue(gate, 1)
    with gate.departures.of([mine]) as first:
        with gate.departures.of([mine]) as second:
            assert (first.wanted(), second.wanted()) == (True, False)
        await gate.store.take([Step(mine.id, happening=happenings.cancelled("client-a"))])
        assert not first.wanted()


async def test_a_message_that_left_is_forgotten() -> None:
    """Nothing is kept of a message whose way to its first byte is over (law 12)."""
    gate = house()
    departures = Departures(gate.store)
    payments = await queue(gate, *range(10))
    for payment in payments:
        with departures.of([payment]):
            await trio.lowlevel.checkpoint()
    assert vars(departures)["_of"] == {}
