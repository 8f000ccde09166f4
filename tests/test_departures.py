"""Claims about messages that wait for their first byte: the commits decide whether they still may leave."""

import trio

from gateway.core import happenings
from gateway.core.ports import Step
from gateway.departures import Departures
from tests.fakes.house import house, queue


async def test_only_what_happens_to_its_own_payments_calls_a_message_off() -> None:
    """Another payment's fate is nothing to it; its own payment's cancellation is."""
    gate = house()
    mine, other = await queue(gate, 1, 2)
    with gate.departures.of([mine.id]) as departure:
        await gate.store.take([Step(other.id, happening=happenings.cancelled("client-a"))])
        assert departure.wanted()
        await gate.store.take([Step(mine.id, happening=happenings.cancelled("client-a"))])
        assert not departure.wanted()


async def test_two_messages_never_carry_one_payment() -> None:
    """The second is called off from its start, and its end does not end the first one's watch."""
    gate = house()
    (mine,) = await queue(gate, 1)
    with gate.departures.of([mine.id]) as first:
        with gate.departures.of([mine.id]) as second:
            assert (first.wanted(), second.wanted()) == (True, False)
        await gate.store.take([Step(mine.id, happening=happenings.cancelled("client-a"))])
        assert not first.wanted()


async def test_a_message_that_left_is_forgotten() -> None:
    """Nothing is kept of a message whose way to its first byte is over (law 12)."""
    gate = house()
    departures = Departures(gate.store)
    payments = await queue(gate, *range(10))
    for payment in payments:
        with departures.of([payment.id]):
            await trio.lowlevel.checkpoint()
    assert vars(departures)["_of"] == {}
