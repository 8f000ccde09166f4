"""The load is open: what a stalled server does to requests that were due meanwhile is seen."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from loadtest.arrivals import Step
from loadtest.generator import Plan, drive
from loadtest.http2 import PeerBroke
from loadtest.link import Address
from loadtest.mirror import Pause, no_pause, reflect
from loadtest.tally import Tally

NOWHERE = Address("127.0.0.1", 1)
STALL_EVERY_S, STALL_S = 10.0, 1.0


@asynccontextmanager
async def mirrored(connections: int = 1, pause: Pause = no_pause) -> AsyncIterator[list[trio.abc.Stream]]:
    """Connections to a mirror in memory."""
    async with trio.open_nursery() as nursery:
        ends = [trio.testing.memory_stream_pair() for _ in range(connections)]
        for _, theirs in ends:
            nursery.start_soon(reflect, theirs, pause)
        yield [ours for ours, _ in ends]
        nursery.cancel_scope.cancel()


async def stall() -> None:
    """A server that does nothing in the first of every ten seconds."""
    into_s = trio.current_time() % STALL_EVERY_S
    if into_s < STALL_S:
        await trio.sleep(STALL_S - into_s)


@pytest.mark.parametrize("streaming", [False, True])
async def test_a_server_that_stalls_1_s_every_10_s_shows_p99_of_at_least_0_9_s(
    streaming: bool, autojump_clock: trio.testing.MockClock
) -> None:
    """One request in ten is due while it stalls and waits up to a second: the 99th percentile is 0.9 s."""
    plan = Plan(NOWHERE, "stalling", "echo", streaming, steps=(Step(100.0, 50.0),), spacing="even")
    async with mirrored(pause=stall) as streams:
        result = await drive(plan, streams, Tally())
    assert result["acknowledged"] == pytest.approx(5_000, abs=1)
    assert result["latency_ms"]["p99"] >= 900
    assert result["latency_ms"]["p50"] < 10


async def test_a_closed_load_does_not_see_the_stall(autojump_clock: trio.testing.MockClock) -> None:
    """Why the generator is open: one that waits for answers sends nothing while the server stalls, and reports
    nearly no latency at all."""

    async def busy() -> None:
        await stall()
        await trio.sleep(0.01)

    plan = Plan(NOWHERE, "closed--", "echo", in_flight=1, seconds=50.0)
    async with mirrored(pause=busy) as streams:
        result = await drive(plan, streams, Tally())
    assert result["latency_ms"]["p99"] < 100


async def test_what_the_server_does_not_let_us_send_waits_and_its_waiting_counts(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """The mirror allows 1,000 open calls and 2,000 come due while it stalls: the rest waits in our queue, none is
    dropped, and latency counts from when each was due, not from when it could be sent."""
    tally = Tally()
    plan = Plan(NOWHERE, "overload", "echo", steps=(Step(2_000.0, 3.0),), spacing="even")
    async with mirrored(pause=stall) as streams:
        result = await drive(plan, streams, tally)
    assert result["unanswered"] == 0
    assert result["acknowledged"] == result["sent"]
    assert result["latency_ms"]["max"] > 990
    assert max(second.backlog + second.open_calls for second in tally.seconds) >= 1_990


@pytest.mark.parametrize("streaming", [False, True])
async def test_a_closed_load_never_has_more_in_flight_than_told(
    streaming: bool, autojump_clock: trio.testing.MockClock
) -> None:
    """64 in flight over four connections are 64, and a count is kept to the request."""
    tally = Tally()

    async def look() -> None:
        await trio.sleep(0.2)

    plan = Plan(NOWHERE, "closed--", "echo", streaming, connections=4, in_flight=64, seconds=100.0, count=1_000)
    async with mirrored(4, look) as streams:
        result = await drive(plan, streams, tally)
    most = max((second.open_calls for second in tally.seconds), default=0)
    assert most <= 64
    assert result["sent"] == result["acknowledged"] == 1_000


async def test_numbers_are_acknowledged_each_once(autojump_clock: trio.testing.MockClock) -> None:
    """The file for the oracle names every request: one that was sent and not answered is not called acknowledged."""
    tally = Tally()
    plan = Plan(NOWHERE, "numbers-", "echo", connections=3, steps=(Step(500.0, 2.0),))
    async with mirrored(3) as streams:
        result = await drive(plan, streams, tally)
    assert bytes(tally.states) == bytes([1]) * result["sent"]
    assert len(result["due_s"]) == result["sent"]


async def test_a_connection_that_ends_ends_the_run() -> None:
    """A load whose connections vanish has measured nothing, and says so."""
    ours, theirs = trio.testing.memory_stream_pair()
    plan = Plan(NOWHERE, "vanished", "echo", steps=(Step(10.0, 1.0),))
    await theirs.aclose()
    with pytest.RaisesGroup(PeerBroke, flatten_subgroups=True):
        await drive(plan, [ours], Tally())


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": (Step(1.0, 1.0),), "in_flight": 1, "seconds": 1.0},
        {},
        {"in_flight": 0, "seconds": 1.0},
        {"in_flight": 1},
        {"steps": (Step(1.0, 1.0),), "connections": 0},
    ],
)
def test_a_plan_is_open_or_closed(wrong: dict[str, object]) -> None:
    """A plan that is both or neither is refused before anything is sent."""
    with pytest.raises(ValueError, match=r"plan has|connections|closed load"):
        Plan(NOWHERE, "whatever", **wrong)  # type: ignore[arg-type]
