"""What abuse costs the abuser, and only the abuser."""

import struct

import grpc
import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.net import http2
from gateway.rpc.context import Context
from gateway.rpc.framing import frame
from gateway.rpc.limits import ServerLimits
from gateway.rpc.server import Server
from gateway.rpc.server_session import ServerSession
from tests.fills import fills
from tests.rpc.abused import BURST, HANG, assert_calmed, assert_works, server
from tests.rpc.echo import Echo
from tests.rpc.raw_peer import HEADERS, RawPeer, frame_bytes, headers, new_connection, raw_peer


@fills("abuse_burst")
async def test_rapid_reset(autojump_clock: trio.testing.MockClock) -> None:
    """Opening and resetting streams without end ends the connection, and costs no handler task."""
    echo = Echo()
    chosen = Server(limits=ServerLimits(abuse_burst=BURST, abuse_refill_per_s=0.0))
    echo.add_to(chosen)
    async with raw_peer(chosen) as peer:
        for number in range(2 * BURST):
            stream_id = peer.h2.get_next_available_stream_id()
            peer.h2.send_headers(stream_id, headers(path=b"/test.Echo/Deaf"))
            peer.h2.reset_stream(stream_id, http2.ErrorCodes.CANCEL)
            if number == BURST // 2:
                await assert_works(peer)
        await peer.flush()
        await assert_calmed(peer)
    assert not echo.started.is_set()


@fills("max_concurrent_streams")
async def test_handlers_that_wind_down_count(autojump_clock: trio.testing.MockClock) -> None:
    """Calls that are reset but still tidy up count too: at most twice the streams allowed have a handler."""
    tidied = trio.Event()

    async def slow_to_leave(request: bytes, context: Context) -> bytes:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await tidied.wait()
        raise AssertionError("unreachable")

    chosen = Server(limits=ServerLimits(max_concurrent_streams=1))
    Echo().add_to(chosen)
    handlers = {"Slow": grpc.unary_unary_rpc_method_handler(slow_to_leave)}
    chosen.add_registered_method_handlers("test.Slow", handlers)
    async with raw_peer(chosen) as peer:
        for _ in range(2):
            reset = await peer.request(headers(path=b"/test.Slow/Slow"), frame(b""))
            await trio.testing.wait_all_tasks_blocked()
            peer.h2.reset_stream(reset, http2.ErrorCodes.CANCEL)
        surplus = await peer.request(HANG, frame(b""))
        event = await peer.wait_for(http2.StreamReset, surplus)
        assert isinstance(event, http2.StreamReset)
        assert event.error_code == http2.ErrorCodes.REFUSED_STREAM
        tidied.set()
        await trio.testing.wait_all_tasks_blocked()
        await assert_works(peer)


@pytest.mark.parametrize(
    "flood",
    [
        frame_bytes(6, 0, 0, bytes(8)),  # PING
        frame_bytes(6, 1, 0, bytes(8)),  # PING acknowledgement
        frame_bytes(4, 0, 0, struct.pack(">HL", 4, 65_535)),  # SETTINGS
        frame_bytes(4, 0, 0, b""),
        frame_bytes(2, 0, 1, struct.pack(">LB", 0, 1)),  # PRIORITY
        frame_bytes(0xEE, 0, 0, b"unknown"),
        frame_bytes(0, 0, 1, b""),  # empty DATA
    ],
)
async def test_flood(flood: bytes, autojump_clock: trio.testing.MockClock) -> None:
    """Frames of no use are answered up to a budget; then the connection is told to calm down and closed."""
    async with raw_peer(server(max_ping_strikes=0)) as peer:
        await peer.request(HANG, end=False)
        await peer.send_raw(flood * 10)
        await assert_works(peer)
        await peer.send_raw(flood * BURST)
        await assert_calmed(peer)


async def test_continuation_flood(autojump_clock: trio.testing.MockClock) -> None:
    """A header block that never ends is cut off."""
    async with raw_peer(server()) as peer:
        await peer.send_raw(frame_bytes(1, 0, 1, b"") + frame_bytes(9, 0, 1, b"") * 100)
        await peer.wait_for_eof()
        assert peer.goaway is not None


async def test_header_bomb(autojump_clock: trio.testing.MockClock) -> None:
    """A small block that unfolds into a huge header list is not unfolded."""
    async with raw_peer(server()) as peer:
        entry = b"\x40\x01a\x7f\x81\x1e" + bytes(3_968)  # an entry of 3,968 octets enters the table
        await peer.send_raw(frame_bytes(1, 5, 1, entry + b"\xbe" * 10_000))
        await assert_calmed(peer)


async def test_oversized_frame(autojump_clock: trio.testing.MockClock) -> None:
    """A frame over the limit is refused by its head alone; nothing of it is collected."""
    async with raw_peer(server()) as peer:
        await peer.send_raw(frame_bytes(0, 0, 1, bytes(16_385))[:20])
        await peer.wait_for_eof()
        assert peer.goaway is not None
        assert peer.goaway.error_code == http2.ErrorCodes.FRAME_SIZE_ERROR


async def test_too_many_pings(autojump_clock: trio.testing.MockClock) -> None:
    """A client that pings too often gets gRPC's too_many_pings."""
    async with raw_peer(server()) as peer:
        for _ in range(4):
            peer.h2.ping(bytes(8))
            await peer.flush()
            await trio.sleep(1)
        await assert_calmed(peer, b"too_many_pings")


async def test_pings_in_good_measure(autojump_clock: trio.testing.MockClock) -> None:
    """Pings that follow data, as grpcio's bandwidth probes do, or that keep their distance, are no strikes."""
    async with raw_peer(server()) as peer:
        for _ in range(BURST // 2):
            peer.h2.ping(bytes(8))
            await assert_works(peer)
    async with raw_peer(server(keepalive_time_s=1e9)) as peer:
        await peer.request(HANG, frame(b""))
        for _ in range(BURST // 2):
            peer.h2.ping(bytes(8))
            await peer.flush()
            await trio.sleep(301)
        await assert_works(peer)


@fills("control_backlog_bytes")
async def test_acknowledgements_nobody_reads(autojump_clock: trio.testing.MockClock) -> None:
    """A peer that makes us answer and never reads is cut off before the answers fill memory."""
    limits = ServerLimits(abuse_burst=10_000_000, max_ping_strikes=0)
    session = ServerSession(limits, 0.0)
    peer = new_connection()
    session.receive(peer.data_to_send(), 0.0)
    pings = frame_bytes(6, 0, 0, bytes(8)) * 1_000
    for _ in range(limits.control_backlog_bytes // len(pings) + 1):
        session.receive(pings, 0.0)
    assert session.failed is not None


SMALL = {
    "max_receive_message_bytes": 100_000,
    "stream_window_bytes": 65_535,
    "connection_window_bytes": 1_000_000,
}


async def park(peer: RawPeer) -> int:
    """A call with 59,000 bytes of a message of 90,000."""
    stream_id = await peer.request(headers(path=b"/test.Echo/Concat"), end=False)
    peer.h2.send_data(stream_id, b"\0" + (90_000).to_bytes(4, "big") + bytes(11_000))
    for _ in range(3):
        peer.h2.send_data(stream_id, bytes(16_000))
    await peer.flush()
    await trio.testing.wait_all_tasks_blocked()
    return stream_id


@fills("connection_buffer_bytes")
async def test_too_much_unread_data(autojump_clock: trio.testing.MockClock) -> None:
    """Almost complete messages on many streams are bounded together, not only one by one."""
    async with raw_peer(server(**SMALL, connection_buffer_bytes=200_000)) as peer:
        streams = [await park(peer) for _ in range(4)]
        await peer.wait_for(http2.ResponseReceived, streams[-1])
        assert peer.fields_of(streams[-1])[b"grpc-status"] == b"8"
        assert peer.fields_of(streams[0]) == {}


@fills("server_buffer_bytes", "connection_share_bytes")
async def test_too_much_unread_data_of_a_crowd(autojump_clock: trio.testing.MockClock) -> None:
    """Connections that each keep their bound are bounded together: whoever has its share already gets no more, while
    a client that holds little is served. What a connection held is free when it ends."""
    chosen = server(
        **SMALL, connection_buffer_bytes=200_000, server_buffer_bytes=250_000, connection_share_bytes=70_000
    )
    async with raw_peer(chosen) as bystander:
        async with raw_peer(chosen) as one, raw_peer(chosen) as another, raw_peer(chosen) as last:
            for peer in (one, one, one, another):
                await park(peer)
            await assert_works(bystander)
            await park(last)
            refused = await park(last)
            await last.wait_for(http2.ResponseReceived, refused)
            assert last.fields_of(refused)[b"grpc-status"] == b"8"
            await assert_works(bystander)
        await trio.testing.wait_all_tasks_blocked()
        assert chosen.burden.bytes == 0


async def test_answers_nobody_reads(autojump_clock: trio.testing.MockClock) -> None:
    """Whole answers that wait for a reader are bounded: a call whose answer finds no room is RESOURCE_EXHAUSTED."""
    async with raw_peer(server(**SMALL, connection_buffer_bytes=200_000)) as peer:
        peer.h2.update_settings({http2.SettingCodes.INITIAL_WINDOW_SIZE: 0})
        await peer.flush()
        calls = [await peer.request(HEADERS, frame(bytes(16_000))) for _ in range(13)]
        await peer.wait_for(http2.StreamEnded, calls[-1])
        assert peer.fields_of(calls[-1])[b"grpc-status"] == b"8"
        assert b"grpc-status" not in peer.fields_of(calls[0])


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        bytes(100),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 100,
    ],
)
async def test_garbage(garbage: bytes, autojump_clock: trio.testing.MockClock) -> None:
    """What is not HTTP/2 is closed, and other connections do not notice."""
    chosen = server()
    async with raw_peer(chosen) as bystander:
        ours, theirs = trio.testing.memory_stream_pair()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(chosen.serve_stream, theirs)
            await ours.send_all(garbage)
            while await ours.receive_some(65_536):
                pass
        await assert_works(bystander)


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 255), st.integers(0, 9), st.binary(max_size=60))))
@settings(max_examples=300)
def test_session_survives_anything(frames: list[tuple[int, int, int, bytes]]) -> None:
    """Frames that hold anything at all never make the session raise, and it always knows what to send."""
    session = ServerSession(ServerLimits(), 0.0)
    session.receive(new_connection().data_to_send(), 0.0)
    peer = new_connection()
    peer.data_to_send()
    peer.send_headers(1, list(HEADERS))
    session.receive(peer.data_to_send(), 0.0)
    for kind, flags, stream_id, payload in frames:
        if session.failed is None:
            session.receive(frame_bytes(kind, flags, stream_id, payload), 0.0)
            session.take()
