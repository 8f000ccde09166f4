"""Connections: keepalive, age, drain, and what abuse costs the abuser."""

import dataclasses
import struct

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.net import http2
from gateway.rpc.framing import frame
from gateway.rpc.limits import ServerLimits
from gateway.rpc.server import Server
from gateway.rpc.server_session import ServerSession
from tests.rpc.echo import Echo
from tests.rpc.raw_peer import HEADERS, RawPeer, frame_bytes, headers, new_connection, raw_peer

HANG = headers(path=b"/test.Echo/Hang")
BURST = 20


def server(**limits: float) -> Server:
    """An echo server whose abuse budget is small and does not come back, with these other limits."""
    chosen = dataclasses.replace(
        ServerLimits(abuse_burst=BURST, abuse_refill_per_s=0.0),
        **limits,  # type: ignore[arg-type]
    )
    made = Server(limits=chosen)
    Echo().add_to(made)
    return made


async def assert_calmed(peer: RawPeer, reason: bytes | None = None) -> None:
    """The server says ENHANCE_YOUR_CALM and closes."""
    await peer.wait_for_eof()
    assert peer.goaway is not None
    assert peer.goaway.error_code == http2.ErrorCodes.ENHANCE_YOUR_CALM
    if reason is not None:
        assert peer.goaway.additional_data == reason


async def assert_works(peer: RawPeer) -> None:
    """A call on this connection is answered."""
    stream_id = await peer.request(HEADERS, frame(b"works"))
    await peer.wait_for(http2.StreamEnded, stream_id)
    assert peer.data_of(stream_id) == frame(b"works")


# Refusals


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"method": b"GET"}, b"405"),
        ({"content_type": b"text/plain"}, b"415"),
        ({"content_type": None}, b"415"),
        ({"content_type": b"application/grpc-web"}, b"415"),
    ],
)
async def test_what_is_not_grpc(
    changes: dict[str, bytes | None], status: bytes, autojump_clock: trio.testing.MockClock
) -> None:
    """A request that is not gRPC gets an HTTP status, and the connection serves on."""
    async with raw_peer(server()) as peer:
        stream_id = await peer.request(headers(**changes), frame(b""))
        await peer.wait_for(http2.StreamEnded, stream_id)
        assert peer.fields_of(stream_id)[b":status"] == status
        await assert_works(peer)


@pytest.mark.parametrize(
    "changes",
    [
        {"content_type": b"application/grpc+proto"},
        {"content_type": b"application/grpc;charset=utf-8"},
        {"te": None},
    ],
)
async def test_what_is_grpc_too(changes: dict[str, bytes | None], autojump_clock: trio.testing.MockClock) -> None:
    """Other spellings of the content-type, and a missing te, are served."""
    async with raw_peer(server()) as peer:
        stream_id = await peer.request(headers(**changes), frame(b"x"))
        await peer.wait_for(http2.StreamEnded, stream_id)
        assert peer.fields_of(stream_id)[b"grpc-status"] == b"0"


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"grpc_encoding": b"snappy"}, b"12"),
        ({"grpc_timeout": b"soon"}, b"13"),
        ({"key_bin": b"*"}, b"13"),
    ],
)
async def test_grpc_headers_that_cannot_be_served(
    changes: dict[str, bytes | None], status: bytes, autojump_clock: trio.testing.MockClock
) -> None:
    """Unknown encodings and unreadable metadata end the call in one block that names what is accepted."""
    async with raw_peer(server()) as peer:
        stream_id = await peer.request(headers(**changes), frame(b""))
        await peer.wait_for(http2.StreamEnded, stream_id)
        fields = peer.fields_of(stream_id)
        assert fields[b"grpc-status"] == status
        assert fields[b"grpc-accept-encoding"] == b"identity,gzip"
        assert peer.count(http2.TrailersReceived)[stream_id] == 0
        await assert_works(peer)


async def test_malformed_request_is_a_stream_error(autojump_clock: trio.testing.MockClock) -> None:
    """A malformed request is reset with PROTOCOL_ERROR; the connection serves on."""
    async with raw_peer(server()) as peer:
        stream_id = await peer.request([*HEADERS, (b"connection", b"close")], frame(b""))
        event = await peer.wait_for(http2.StreamReset, stream_id)
        assert isinstance(event, http2.StreamReset)
        assert event.error_code == http2.ErrorCodes.PROTOCOL_ERROR
        await assert_works(peer)


async def test_surplus_streams_are_refused(autojump_clock: trio.testing.MockClock) -> None:
    """One stream more than allowed is refused, to be tried again; the others are not touched."""
    async with raw_peer(server(max_concurrent_streams=3)) as peer:
        peer.h2.remote_settings[http2.SettingCodes.MAX_CONCURRENT_STREAMS] = 100  # it does not heed the limit
        peer.h2.remote_settings.acknowledge()
        first, *_ = [await peer.request(HANG, frame(b"")) for _ in range(3)]
        surplus = await peer.request(HANG, frame(b""))
        event = await peer.wait_for(http2.StreamReset, surplus)
        assert isinstance(event, http2.StreamReset)
        assert event.error_code == http2.ErrorCodes.REFUSED_STREAM
        peer.h2.reset_stream(first, http2.ErrorCodes.CANCEL)
        await assert_works(peer)


# Abuse


async def test_rapid_reset(autojump_clock: trio.testing.MockClock) -> None:
    """Opening and resetting streams without end ends the connection, and costs no handler task."""
    echo = Echo()
    chosen = Server(limits=ServerLimits(abuse_burst=BURST, abuse_refill_per_s=0.0))
    echo.add_to(chosen)
    async with raw_peer(chosen) as peer:
        for _ in range(2 * BURST):
            stream_id = peer.h2.get_next_available_stream_id()
            peer.h2.send_headers(stream_id, HANG)
            peer.h2.reset_stream(stream_id, http2.ErrorCodes.CANCEL)
        await peer.flush()
        await assert_calmed(peer)
    assert not echo.started.is_set()


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


async def test_too_much_unread_data(autojump_clock: trio.testing.MockClock) -> None:
    """Almost complete messages on many streams are bounded together, not only one by one."""
    limits = {"max_receive_message_bytes": 100_000, "stream_window_bytes": 65_535}
    async with raw_peer(server(**limits, connection_window_bytes=1_000_000, connection_buffer_bytes=200_000)) as peer:
        streams = [await peer.request(headers(path=b"/test.Echo/Concat"), end=False) for _ in range(4)]
        for stream_id in streams:
            peer.h2.send_data(stream_id, b"\0" + (90_000).to_bytes(4, "big") + bytes(11_000))
            for _ in range(3):
                peer.h2.send_data(stream_id, bytes(16_000))
        await peer.flush()
        await peer.wait_for(http2.ResponseReceived, streams[-1])
        assert peer.fields_of(streams[-1])[b"grpc-status"] == b"8"
        assert peer.fields_of(streams[0]) == {}


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


# Time


async def test_silent_before_the_preface(autojump_clock: trio.testing.MockClock) -> None:
    """A connection that never says anything is closed after the preface timeout."""
    _ours, theirs = trio.testing.memory_stream_pair()
    with trio.fail_after(11):
        await server().serve_stream(theirs)


async def test_keepalive_closes_a_dead_connection(autojump_clock: trio.testing.MockClock) -> None:
    """Silence is answered with a PING, and silence after that with closing; handlers are cancelled."""
    echo = Echo()
    chosen = Server()
    echo.add_to(chosen)
    async with raw_peer(chosen) as peer:
        await peer.request(HANG, frame(b""))
        with trio.fail_after(141):
            await echo.cancelled.wait()
        await peer.wait_for_eof()
        assert peer.count(http2.PingReceived)


async def test_keepalive_spares_a_live_connection(autojump_clock: trio.testing.MockClock) -> None:
    """A peer that acknowledges pings may be idle for hours."""
    async with raw_peer(server(abuse_burst=10_000)) as peer:
        with trio.move_on_after(7_200):
            await peer.wait_for_eof()
        assert not peer.eof
        await assert_works(peer)


async def test_age(autojump_clock: trio.testing.MockClock) -> None:
    """An aged connection is drained: running calls end, then it closes."""
    async with raw_peer(server(connection_age_s=60.0)) as peer:
        await assert_works(peer)
        with trio.fail_after(67):
            await peer.wait_for_eof()
        assert trio.current_time() >= 54
        assert peer.goaway is not None
        assert peer.goaway.error_code == http2.ErrorCodes.NO_ERROR


async def test_drain_lets_calls_finish(autojump_clock: trio.testing.MockClock) -> None:
    """Draining says GOAWAY twice, serves what began before the second, refuses what comes after, then closes."""
    chosen = server()
    async with raw_peer(chosen) as peer, trio.open_nursery() as nursery:
        running = await peer.request(headers(path=b"/test.Echo/Concat"), frame(b"a"), end=False)
        nursery.start_soon(chosen.drain, 30.0)
        first = await peer.wait_for(http2.ConnectionTerminated)
        assert isinstance(first, http2.ConnectionTerminated)
        assert first.last_stream_id == 2**31 - 1
        peer.events.remove(first)
        second = await peer.wait_for(http2.ConnectionTerminated)
        assert isinstance(second, http2.ConnectionTerminated)
        assert second.last_stream_id == running
        late = await peer.request(HEADERS, frame(b"late"))
        refused = await peer.wait_for(http2.StreamReset, late)
        assert isinstance(refused, http2.StreamReset)
        assert refused.error_code == http2.ErrorCodes.REFUSED_STREAM
        peer.h2.send_data(running, frame(b"b"), end_stream=True)
        await peer.flush()
        await peer.wait_for_eof()
        assert peer.data_of(running) == frame(b"ab")
        assert trio.current_time() < 5


async def test_drain_ends_after_its_grace(autojump_clock: trio.testing.MockClock) -> None:
    """A call that does not end within the grace is cancelled and told UNAVAILABLE."""
    chosen = server()
    async with raw_peer(chosen) as peer, trio.open_nursery() as nursery:
        stuck = await peer.request(HANG, frame(b""))
        nursery.start_soon(chosen.drain, 5.0)
        await peer.wait_for_eof()
        assert peer.fields_of(stuck)[b"grpc-status"] == b"14"
        assert 5 <= trio.current_time() < 8


async def test_drain_of_an_idle_connection(autojump_clock: trio.testing.MockClock) -> None:
    """A connection without calls closes at once when drained."""
    chosen = server()
    async with raw_peer(chosen) as peer, trio.open_nursery() as nursery:
        nursery.start_soon(chosen.drain, 30.0)
        await peer.wait_for_eof()
        assert trio.current_time() < 2


async def test_goaway_of_the_client_does_not_end_its_calls(autojump_clock: trio.testing.MockClock) -> None:
    """A client may say GOAWAY and still read the answers it waits for."""
    async with raw_peer(server()) as peer:
        stream_id = await peer.request(headers(path=b"/test.Echo/Concat"), frame(b"a"), end=False)
        peer.h2.close_connection()
        await peer.flush()
        await trio.testing.wait_all_tasks_blocked()
        peer.h2.send_data(stream_id, frame(b"b"), end_stream=True)
        await peer.flush()
        await peer.wait_for(http2.StreamEnded, stream_id)
        assert peer.data_of(stream_id) == frame(b"ab")
