"""Frames that look harmless one by one: each has a price, and whoever uses them in good measure never pays it."""

import struct

import pytest
import trio
import trio.testing

from gateway.net import http2
from gateway.rpc.framing import frame
from gateway.rpc.limits import ServerLimits
from gateway.rpc.server import Listener
from tests.fills import fills
from tests.rpc.abused import BURST, assert_calmed, assert_works, server
from tests.rpc.raw_peer import HEADERS, RawPeer, frame_bytes, headers, new_connection, raw_peer

RESET = struct.pack(">L", 8)
ONE = struct.pack(">L", 1)
TIMEOUT_S = ServerLimits().frame_timeout_s


@pytest.mark.parametrize("flood", [frame_bytes(3, 0, 1, RESET), frame_bytes(8, 0, 1, ONE)])
async def test_frames_on_a_stream_that_is_over(flood: bytes, autojump_clock: trio.testing.MockClock) -> None:
    """RST_STREAM and WINDOW_UPDATE for a call that has been answered do nothing, and still cost."""
    async with raw_peer(server()) as peer:
        await assert_works(peer)
        await peer.send_raw(flood * 10)
        await assert_works(peer)
        await peer.send_raw(flood * BURST)
        await assert_calmed(peer, b"too many frames of no use")


async def test_window_updates_nobody_called_for(autojump_clock: trio.testing.MockClock) -> None:
    """Windows opened again and again although nothing was sent into them."""
    async with raw_peer(server()) as peer:
        await peer.send_raw(frame_bytes(8, 0, 0, ONE) * (2 * BURST))
        await assert_calmed(peer, b"too many window updates")


async def test_a_reader_may_open_its_windows(autojump_clock: trio.testing.MockClock) -> None:
    """A client that acknowledges each frame it reads, for the stream and the connection, is never charged."""
    async with raw_peer(server()) as peer:
        stream_id = await peer.request(headers(path=b"/test.Echo/Bidi"), end=False)
        for number in range(2 * BURST):
            peer.h2.send_data(stream_id, frame(b"x"))
            await peer.flush()
            await trio.testing.wait_all_tasks_blocked()
            while len(peer.data_of(stream_id)) <= 6 * number:
                await peer.receive()
            await peer.send_raw(frame_bytes(8, 0, 0, ONE) + frame_bytes(8, 0, stream_id, ONE))
        await assert_works(peer)


async def test_a_message_in_scraps(autojump_clock: trio.testing.MockClock) -> None:
    """A message sent byte by byte, each in a frame, costs the sender."""
    async with raw_peer(server()) as peer:
        stream_id = await peer.request(headers(path=b"/test.Echo/Concat"), end=False)
        await peer.send_raw(frame_bytes(0, 0, stream_id, bytes((0,)) + struct.pack(">L", 10 * BURST)))
        await peer.send_raw(frame_bytes(0, 0, stream_id, b"x") * (2 * BURST))
        await assert_calmed(peer, b"too many scraps of messages")


async def test_prefixes_in_frames_of_their_own(autojump_clock: trio.testing.MockClock) -> None:
    """Clients that write a message's prefix and its content apart are decent clients."""
    async with raw_peer(server()) as peer:
        stream_id = await peer.request(headers(path=b"/test.Echo/Concat"), end=False)
        for _ in range(2 * BURST):
            peer.h2.send_data(stream_id, frame(b"xy")[:5])
            peer.h2.send_data(stream_id, b"xy")
        peer.h2.end_stream(stream_id)
        await peer.flush()
        await peer.wait_for(http2.StreamEnded, stream_id)
        assert peer.data_of(stream_id) == frame(b"xy" * (2 * BURST))


CALL = b"\x00\x01a\x01b" * 8


@pytest.mark.parametrize(
    "slow",
    [frame_bytes(1, 5, 1, CALL), frame_bytes(1, 0, 1, b"") + frame_bytes(9, 0, 1, b"") * 5],
    ids=["a frame byte by byte", "a header block frame by frame"],
)
@fills("frame_timeout_s")
async def test_a_slow_loris(slow: bytes, autojump_clock: trio.testing.MockClock) -> None:
    """Who begins something and finishes it at a trickle is cut off, though it is never silent."""
    async with raw_peer(server()) as peer:
        await assert_works(peer)
        await drip(peer, slow)
        await assert_calmed(peer, b"a frame takes too long")


async def test_a_preface_at_a_trickle(autojump_clock: trio.testing.MockClock) -> None:
    """The same before the first frame: the preface."""
    ours, theirs = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server().serve_stream, theirs)
        peer = RawPeer(ours, new_connection())
        peer.h2.data_to_send()
        await drip(peer, b"PRI * HTTP/2.0\r\n\r\n")
        await assert_calmed(peer, b"a frame takes too long")


@fills("preface_timeout_s")
async def test_silence_instead_of_a_preface(autojump_clock: trio.testing.MockClock) -> None:
    """A peer that connects and says nothing is gone after `preface_timeout_s`."""
    chosen = server()
    ours, theirs = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(chosen.serve_stream, theirs)
        while await ours.receive_some(65_536):
            pass
        assert trio.current_time() < 2 * chosen.limits.preface_timeout_s + TIMEOUT_S


async def test_a_long_frame_may_take_its_time(autojump_clock: trio.testing.MockClock) -> None:
    """A slow line that finishes frame after frame is served, however long the whole of it takes."""
    async with raw_peer(server()) as peer:
        stream_id = await peer.request(HEADERS, end=False)
        for part in (frame(bytes(600))[:300], frame(bytes(600))[300:]):
            whole = frame_bytes(0, 0, stream_id, part)
            for half in (whole[:150], whole[150:]):
                await peer.send_raw(half)
                await trio.sleep(TIMEOUT_S * 0.8)
        peer.h2.end_stream(stream_id)
        await peer.flush()
        await peer.wait_for(http2.StreamEnded, stream_id)
        assert peer.data_of(stream_id) == frame(bytes(600))


@fills("max_handshakes")
@pytest.mark.parametrize("bound", ["max_connections", "max_handshakes"])
async def test_stalled_handshakes_make_way(bound: str) -> None:
    """Peers that connect and never begin their handshake cannot keep out one that has a certificate to show: the
    longest of them gives up its place."""
    chosen = server(max_connections=3) if bound == "max_connections" else server(max_handshakes=3)
    waiting: list[trio.SocketStream] = []

    async def upgrade(stream: trio.SocketStream) -> trio.abc.Stream:
        waiting.append(stream)
        assert await stream.receive_some(1) == b"!"
        waiting.remove(stream)
        return stream

    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with trio.open_nursery() as nursery:
        await nursery.start(chosen.serve, [Listener(listener, upgrade)])
        address = listener.socket.getsockname()
        stalled = [await trio.open_tcp_stream(*address) for _ in range(3)]
        with trio.fail_after(10):
            stream = await trio.open_tcp_stream(*address)
            await stream.send_all(b"!")
            peer = RawPeer(stream, new_connection())
            await peer.flush()
            await assert_works(peer)
            assert await stalled[0].receive_some(1) == b"", "the longest"
        for one in (*stalled, stream):
            await trio.aclose_forcefully(one)
        nursery.cancel_scope.cancel()


async def drip(peer: RawPeer, whole: bytes) -> None:
    for byte in whole:
        try:
            await peer.send_raw(bytes((byte,)))
        except trio.BrokenResourceError:
            return  # the server has had enough
        await trio.sleep(TIMEOUT_S / 10)
