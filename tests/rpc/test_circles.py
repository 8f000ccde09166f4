"""What is over is freed at once: a thousand dead connections must not wait for one long collection."""

import gc

import trio
import trio.testing

from gateway.net.http2 import ServerConnection
from gateway.rpc.server_session import ServerSession
from tests.rpc.abused import assert_calmed, assert_works, server
from tests.rpc.raw_peer import RawPeer, frame_bytes, new_connection

USELESS = frame_bytes(0xEE, 0, 0, b"unknown")


def _living() -> int:
    return sum(isinstance(one, ServerSession | ServerConnection) for one in gc.get_objects())


async def _served(*, hostile: bool) -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server().serve_stream, theirs)
        peer = RawPeer(ours, new_connection())
        await peer.flush()
        await assert_works(peer)
        if hostile:
            await peer.send_raw(USELESS * 100)
            await assert_calmed(peer)
        await ours.aclose()


async def test_a_connection_that_is_over_leaves_no_circle(autojump_clock: trio.testing.MockClock) -> None:
    """Sessions and what h2 keeps of them are gone without the garbage collector, whether the peer left or was ended."""
    gc.collect()
    gc.disable()
    try:
        before = _living()
        for hostile in (False, True):
            await _served(hostile=hostile)
        assert _living() == before
    finally:
        gc.enable()
