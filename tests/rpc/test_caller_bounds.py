"""Claims about the bounds of one caller at their very edge, and about how far a compressed message is believed."""

import struct
import zlib

import grpc
import pytest
import trio
import trio.testing

from gateway.net import http2
from gateway.rpc.callers import PAUSE_S_MAX, PAUSE_S_MIN, Callers
from gateway.rpc.framing import DEFLATE_RATIO_MAX, INFLATE_SLICE_BYTES, frame, inflating
from gateway.rpc.limits import ServerLimits
from gateway.rpc.status import RpcError
from tests.fills import fills
from tests.rpc.abused import HANG, assert_calmed, assert_works, server
from tests.rpc.test_callers import OTHER, calling

EDGE_S = 0.001


@fills("max_connections_per_caller")
async def test_the_last_connection_of_a_caller_is_served(autojump_clock: trio.testing.MockClock) -> None:
    """As many as are allowed work, side by side; one more is told to calm down, and costs the others nothing."""
    chosen = server(max_connections_per_caller=3)
    async with calling(chosen) as first, calling(chosen) as second, calling(chosen) as third:
        async with calling(chosen) as surplus:
            await assert_calmed(surplus, b"too many connections of this caller")
        for peer in (first, second, third):
            await assert_works(peer)


@fills("max_calls_per_caller")
async def test_the_last_call_of_a_caller_is_taken(autojump_clock: trio.testing.MockClock) -> None:
    """As many as are allowed hang, over two connections; one more is RESOURCE_EXHAUSTED on either."""
    chosen = server(max_calls_per_caller=4, max_concurrent_streams=4)
    async with calling(chosen) as one, calling(chosen) as two, calling(chosen, OTHER) as stranger:
        held = [(peer, await peer.request(HANG, frame(b""))) for peer in (one, two) for _ in range(2)]
        await trio.sleep(1)  # the allowance of these connections is small: their frames may wait at the gate
        for peer in (one, two):
            refused = await peer.request(HANG, frame(b""))
            await peer.wait_for(http2.StreamEnded, refused)
            assert peer.fields_of(refused)[b"grpc-status"] == b"8"
        assert not any(peer.fields_of(stream_id) for peer, stream_id in held)
        await assert_works(stranger)


@fills("caller_burst", "caller_refill_per_s")
async def test_an_allowance_is_spent_and_comes_back(autojump_clock: trio.testing.MockClock) -> None:
    """A caller that has used half of caller_burst is in good standing, and with one frame more under suspicion; what it
    spends beyond the whole is not held against it, and caller_refill_per_s makes it clean again."""
    callers = Callers(ServerLimits(caller_burst=100, caller_refill_per_s=10.0))
    caller = callers.join("one")
    assert caller is not None
    now = trio.current_time()
    assert caller.budget.spend(now, 50.0)
    assert not caller.budget.suspicious(now)
    assert caller.budget.spend(now)
    assert caller.budget.suspicious(now)
    assert caller.budget.spend(now, 49.0)
    assert not caller.budget.spend(now, 1_000.0)
    clean_s = now + (50.0 + 1.0) / 10.0  # half of the allowance, and the one that it may owe
    assert caller.budget.suspicious(clean_s - EDGE_S)
    assert not caller.budget.suspicious(clean_s + EDGE_S)


@fills("max_callers_remembered")
async def test_whoever_was_quiet_for_longest_is_forgotten(autojump_clock: trio.testing.MockClock) -> None:
    """Callers under suspicion are remembered up to the bound; one more makes the first of them a stranger again."""
    callers = Callers(ServerLimits(max_callers_remembered=2, caller_refill_per_s=0.0))
    for name in ("first", "second"):
        _leave_suspicious(callers, name)
    assert len(callers) == 2
    _leave_suspicious(callers, "third")
    assert len(callers) == 2
    assert [_is_known(callers, name) for name in ("second", "third", "first")] == [True, True, False]


def _leave_suspicious(callers: Callers, name: str) -> None:
    caller = callers.join(name)
    assert caller is not None
    caller.budget.spend(trio.current_time(), 900.0)
    callers.leave(caller)


def _is_known(callers: Callers, name: str) -> bool:
    """Whether it comes back under the suspicion under which it left."""
    caller = callers.join(name)
    assert caller is not None
    return caller.budget.suspicious(trio.current_time())


@fills("PAUSE_S_MAX")
@pytest.mark.parametrize(("slice_s", "pause_s"), [(0.0, PAUSE_S_MIN), (0.02, 0.06), (10.0, PAUSE_S_MAX)])
async def test_the_pause_after_a_slice(slice_s: float, pause_s: float, autojump_clock: trio.testing.MockClock) -> None:
    """Three times as long as the slice, and never more than PAUSE_S_MAX however long that was."""
    callers = Callers(ServerLimits(), worked=trio.current_time)
    async with callers.gate():
        await trio.sleep(slice_s)
        ended = trio.current_time()
    assert trio.current_time() - ended == pytest.approx(pause_s)


def _squeezed(size: int) -> bytes:
    """So many zeros, deflated as well as can be, in one gzip member."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    return deflate.compress(bytes(size)) + deflate.flush()


@fills("DEFLATE_RATIO_MAX")
def test_a_length_is_believed_as_far_as_deflate_goes() -> None:
    """A message that announces DEFLATE_RATIO_MAX times its size is refused by that word alone; one that announces a
    byte more has lied, and is inflated to find out what it is. Nothing that zlib makes comes near."""
    honest = _squeezed(50_000_000)
    assert 1_000 < 50_000_000 / len(honest) < DEFLATE_RATIO_MAX
    most = len(honest) * DEFLATE_RATIO_MAX
    for announced, believed in ((most, True), (most + 1, False)):
        parts = inflating(honest[:-4] + struct.pack("<L", announced), INFLATE_SLICE_BYTES)
        if not believed:
            assert next(parts) == bytes(INFLATE_SLICE_BYTES)
        with pytest.raises(RpcError) as caught:
            next(parts)
        assert caught.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED
