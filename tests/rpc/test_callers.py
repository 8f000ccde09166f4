"""What one caller may have and cost over all its connections, and that others do not pay for it."""

import base64
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest
import trio
import trio.testing
from google.rpc import error_details_pb2, status_pb2

from gateway.net import http2
from gateway.rpc.abuse import AbuseBudget
from gateway.rpc.callers import (
    ACTIVE_S,
    GIVE_WAY_TURNS,
    LARGE_S,
    LARGE_SHARE,
    PAUSE_S_MAX,
    PAUSE_S_MIN,
    USED_S_MAX,
    Caller,
    Callers,
)
from gateway.rpc.framing import frame, frame_gzip
from gateway.rpc.limits import ServerLimits
from gateway.rpc.server import Server
from tests.fills import fills
from tests.rpc.abused import HANG, assert_calmed, assert_works, server
from tests.rpc.raw_peer import RawPeer, frame_bytes, new_connection

ONE = "ipv4:192.0.2.1:40000"
OTHER = "ipv4:192.0.2.2:40000"
USELESS = frame_bytes(0xEE, 0, 0, b"unknown")


@asynccontextmanager
async def calling(chosen: Server, peer: str = ONE, certificate: bytes | None = None) -> AsyncIterator[RawPeer]:
    """A connection of this caller."""
    ours, theirs = trio.testing.memory_stream_pair()
    theirs.peer_certificate = certificate  # type: ignore[attr-defined]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: chosen.serve_stream(theirs, peer=peer))
        made = RawPeer(ours, new_connection())
        await made.flush()
        await made.wait_for(http2.RemoteSettingsChanged)
        yield made
        nursery.cancel_scope.cancel()


async def test_connections_of_one_caller(autojump_clock: trio.testing.MockClock) -> None:
    """One connection too many is told to calm down; another caller is served, and a place that is left is free."""
    chosen = server(max_connections_per_caller=2)
    async with calling(chosen) as first, calling(chosen, OTHER) as other:
        async with calling(chosen):
            async with calling(chosen) as surplus:
                await assert_calmed(surplus, b"too many connections of this caller")
            await assert_works(first)
            await assert_works(other)
        async with calling(chosen) as next_one:
            await assert_works(next_one)


async def test_a_holder_is_one_caller_wherever_he_calls_from(autojump_clock: trio.testing.MockClock) -> None:
    """With certificates, callers are told apart by whom the server says their holder is, not by address."""
    limits = dataclasses.replace(ServerLimits(), max_connections_per_caller=1)
    named = Server(limits=limits, caller_of=lambda certificate: certificate.decode().split()[0])
    async with calling(named, ONE, b"alice first"):
        async with calling(named, OTHER, b"alice second") as surplus:
            await assert_calmed(surplus)
        async with calling(named, ONE, b"bob") as other:
            assert not other.eof


async def test_calls_of_one_caller(autojump_clock: trio.testing.MockClock) -> None:
    """One call too many over all connections is RESOURCE_EXHAUSTED with RetryInfo; another caller's is taken, and a
    call that is over leaves its place."""
    chosen = server(max_calls_per_caller=2, max_concurrent_streams=2)
    async with calling(chosen) as first, calling(chosen) as second, calling(chosen, OTHER) as other:
        held = [await peer.request(HANG, frame(b"")) for peer in (first, second)]
        await trio.testing.wait_all_tasks_blocked()
        refused = await second.request(HANG, frame(b""))
        await second.wait_for(http2.StreamEnded, refused)
        fields = second.fields_of(refused)
        assert fields[b"grpc-status"] == b"8"
        raw = fields[b"grpc-status-details-bin"]
        status = status_pb2.Status.FromString(base64.b64decode(raw + b"=" * (-len(raw) % 4)))
        retry = error_details_pb2.RetryInfo()
        assert status.details[0].Unpack(retry)
        assert retry.retry_delay.seconds == 1
        await assert_works(other)
        first.h2.reset_stream(held[0], http2.ErrorCodes.CANCEL)
        await first.flush()
        await trio.testing.wait_all_tasks_blocked()
        await assert_works(second)


async def test_calls_end_with_their_connection(autojump_clock: trio.testing.MockClock) -> None:
    """A connection that is gone has no calls open, however they ended."""
    chosen = server(max_calls_per_caller=2, max_concurrent_streams=2)
    async with calling(chosen) as stays:
        async with calling(chosen) as leaves:
            for _ in range(2):
                await leaves.request(HANG, frame(b""))
            await trio.testing.wait_all_tasks_blocked()
        await trio.testing.wait_all_tasks_blocked()
        await assert_works(stays)


async def test_a_new_connection_is_no_clean_sheet(autojump_clock: trio.testing.MockClock) -> None:
    """Whoever was ended for abuse waits at the gate on its next connection, which serves it; nobody else does."""
    chosen = server(caller_burst=50, caller_refill_per_s=0.0)
    async with calling(chosen) as hostile:
        await hostile.send_raw(USELESS * 100)
        await assert_calmed(hostile)
    before = trio.current_time()
    async with calling(chosen, OTHER) as decent:
        await assert_works(decent)
    assert trio.current_time() == before
    async with calling(chosen) as back:
        await assert_works(back)
    assert trio.current_time() >= before + 2 * PAUSE_S_MIN


async def test_one_gate_for_all_under_suspicion(autojump_clock: trio.testing.MockClock) -> None:
    """Two of them take turns, and each slice has its pause: more connections do not make more work."""
    callers = Callers(ServerLimits())
    began: list[float] = []

    async def work() -> None:
        async with callers.gate():
            began.append(trio.current_time())

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(work)
    assert [later - earlier for earlier, later in pairwise(began)] == pytest.approx([PAUSE_S_MIN] * 4)


async def test_a_long_slice_closes_the_gate_for_a_bounded_time(autojump_clock: trio.testing.MockClock) -> None:
    """A machine that slept in the middle of a slice must not keep everybody at the gate."""
    callers = Callers(ServerLimits(), worked=trio.current_time)
    async with callers.gate():
        await trio.sleep(3_600)
        slept = trio.current_time()
    assert trio.current_time() - slept == pytest.approx(PAUSE_S_MAX)


async def test_whoever_takes_much_gives_way(autojump_clock: trio.testing.MockClock) -> None:
    """A caller beyond its share waits between slices while another one calls; alone, or having made up for it, not."""
    callers = Callers(ServerLimits())
    busy, light = callers.join("busy"), callers.join("light")
    assert busy is not None
    assert light is not None
    busy.use(0.0, 2 * LARGE_S)
    callers.heard(busy, 0.0)
    assert callers.alone(busy, 0.0)
    assert not callers.must_give_way(busy, 0.0)
    callers.heard(light, 0.0)
    callers.heard(busy, 0.0)
    assert callers.must_give_way(busy, 0.0)
    assert not callers.must_give_way(light, 0.0)
    made_up = LARGE_S / LARGE_SHARE
    assert made_up < ACTIVE_S
    assert not callers.must_give_way(busy, made_up)


@fills("USED_S_MAX")
async def test_what_was_taken_is_forgotten(autojump_clock: trio.testing.MockClock) -> None:
    """However much a caller took, it has made up for it after a second; much of it is still known after half of one,
    so that coming in waves earns nobody a burst with each."""
    callers = Callers(ServerLimits())
    busy = callers.join("busy")
    assert busy is not None
    busy.use(0.0, 3_600.0)
    assert busy.takes_much(0.5)
    assert not busy.takes_much(USED_S_MAX / LARGE_SHARE)


async def test_a_handlers_parts_count(autojump_clock: trio.testing.MockClock) -> None:
    """Work that a handler does in parts is its caller's: one large message blown up, and it gives way."""
    chosen = server(abuse_burst=1_000)
    async with calling(chosen) as peer:
        message = frame_gzip(bytes(3_500_000))
        await peer.request([*HANG, (b"grpc-encoding", b"gzip")], message)
        await trio.testing.wait_all_tasks_blocked()
        caller = chosen.callers.join(f"address {ONE.rpartition(':')[0]}")
        assert caller is not None
        assert caller.takes_much(trio.current_time())


async def _turns_of(work: Callable[[Callers, Caller], Awaitable[None]]) -> list[int]:
    """In which turns of the loop two connections of one busy caller, beside another one, do this three times each."""
    callers = Callers(ServerLimits())
    busy, light = callers.join("busy"), callers.join("light")
    assert busy is not None
    assert light is not None
    busy.use(trio.current_time(), USED_S_MAX)
    callers.heard(light, trio.current_time())
    turns, at = 0, []
    over = trio.Event()

    async def count() -> None:
        nonlocal turns
        while not over.is_set():
            turns += 1
            await trio.lowlevel.checkpoint()

    async def connection() -> None:
        for _ in range(3):
            await work(callers, busy)
            at.append(turns)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(count)
        async with trio.open_nursery() as both:
            both.start_soon(connection)
            both.start_soon(connection)
        over.set()
    assert len(at) == 6
    return sorted(at)


async def test_turns_between_the_slices_of_one_caller(autojump_clock: trio.testing.MockClock) -> None:
    """Two connections of a caller that gives way have one slice in GIVE_WAY_TURNS turns of the loop, together."""

    async def take(callers: Callers, caller: Caller) -> None:
        async with callers.turn_of(caller):
            pass

    at = await _turns_of(take)
    assert all(later - earlier >= GIVE_WAY_TURNS for earlier, later in pairwise(at))


async def test_turns_at_the_door(autojump_clock: trio.testing.MockClock) -> None:
    """Connections of such a caller begin and wind up one after another as well."""
    at = await _turns_of(Callers.turn_at_door)
    assert all(later - earlier >= GIVE_WAY_TURNS for earlier, later in pairwise(at))


async def test_callers_remembered(autojump_clock: trio.testing.MockClock) -> None:
    """Decent callers are forgotten as they leave; of the others as many are kept in mind as is said."""
    callers = Callers(ServerLimits(max_callers_remembered=3, caller_refill_per_s=0.0))
    for number in range(10):
        decent = callers.join(f"decent {number}")
        hostile = callers.join(f"hostile {number}")
        assert decent is not None
        assert hostile is not None
        hostile.budget.spend(trio.current_time(), 900.0)
        callers.leave(decent)
        callers.leave(hostile)
    assert len(callers) == 3
    again = callers.join("hostile 9")
    assert again is not None
    assert again.budget.suspicious(trio.current_time())


def test_suspicion_ends() -> None:
    """However much was spent, a caller is clean again a bounded time after."""
    budget = AbuseBudget(1_000, 400.0, 0.0, suspicious_below=0.5)
    for _ in range(1_000_000 // 50):
        budget.spend(0.0, 50.0)
    assert budget.suspicious(1.0)
    assert not budget.suspicious(2.0)
