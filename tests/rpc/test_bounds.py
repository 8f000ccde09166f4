"""Claims about the bounds of the gRPC edge that only time, or a single byte more, shows."""

import grpc
import pytest
import trio
import trio.testing

from gateway.net import http2
from gateway.rpc.abuse import AbuseBudget, PingStrikes
from gateway.rpc.context import Context
from gateway.rpc.framing import frame
from gateway.rpc.limits import ServerLimits
from gateway.rpc.metadata import _TIMEOUT_DIGITS_MAX, MalformedMetadata, format_timeout, parse_timeout
from gateway.rpc.server import Server
from gateway.rpc.status import Status
from tests.fills import fills
from tests.rpc.abused import HANG, assert_calmed, assert_works, server
from tests.rpc.echo import Echo, channel_to, failure_of, path
from tests.rpc.raw_peer import HEADERS, frame_bytes, headers, new_connection, raw_peer

EDGE_S = 0.001


@fills("keepalive_time_s", "keepalive_timeout_s")
async def test_a_silent_peer_is_asked_and_given_time_to_answer(autojump_clock: trio.testing.MockClock) -> None:
    """The PING comes after the silence, and the end so much later: neither earlier nor at all late."""
    async with raw_peer(server(keepalive_time_s=10.0, keepalive_timeout_s=3.0)) as peer:
        peer.acknowledge = False
        began_s = trio.current_time()
        await peer.wait_for(http2.PingReceived)
        assert 10.0 <= trio.current_time() - began_s < 10.0 + EDGE_S
    deaf_ours, theirs = trio.testing.memory_stream_pair()
    began_s = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server(keepalive_time_s=10.0, keepalive_timeout_s=3.0).serve_stream, theirs)
        await deaf_ours.send_all(new_connection().data_to_send())
    assert 13.0 <= trio.current_time() - began_s < 13.0 + 1.0 + EDGE_S


@fills("connection_age_jitter", "connection_age_grace_s")
async def test_calls_of_an_aged_connection_have_their_grace(autojump_clock: trio.testing.MockClock) -> None:
    """Without jitter the age is exact; a call that does not end is told UNAVAILABLE after the grace."""
    chosen = server(connection_age_s=60.0, connection_age_jitter=0.0, connection_age_grace_s=7.0, drain_settle_s=0.0)
    async with raw_peer(chosen) as peer:
        began_s = trio.current_time()
        stuck = await peer.request(HANG, frame(b""))
        await peer.wait_for(http2.ConnectionTerminated)
        assert 60.0 <= trio.current_time() - began_s < 60.0 + EDGE_S
        await peer.wait_for_eof()
        assert peer.fields_of(stuck)[b"grpc-status"] == b"14"
        assert 67.0 <= trio.current_time() - began_s < 67.0 + 1.0


@fills("drain_grace_s", "drain_settle_s")
async def test_a_draining_server_gives_calls_its_grace(autojump_clock: trio.testing.MockClock) -> None:
    """`serve` returns when the grace is over, though a call hangs and its client never acknowledges the drain."""
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    chosen, drain = server(drain_grace_s=5.0, drain_settle_s=1.0), trio.Event()
    ours, theirs = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(chosen.serve_stream, theirs)
        hung = new_connection()
        hung.send_headers(1, HANG)
        hung.send_data(1, frame(b""), end_stream=True)
        await ours.send_all(hung.data_to_send())
        await trio.testing.wait_all_tasks_blocked()
        began_s = trio.current_time()
        drain.set()
        del listeners
        await chosen.drain(chosen.limits.drain_grace_s)
        nursery.cancel_scope.cancel()
    assert 6.0 <= trio.current_time() - began_s < 6.0 + chosen.limits.close_timeout_s + EDGE_S


class Measured(trio.abc.Stream):
    """Remembers how much was asked for at once, and gives all it has."""

    def __init__(self, inner: trio.abc.Stream) -> None:
        self.asked: list[int | None] = []
        self._inner = inner

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._inner.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._inner.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        self.asked.append(max_bytes)
        return await self._inner.receive_some(max_bytes)

    async def aclose(self) -> None:
        await self._inner.aclose()


@fills("receive_chunk_bytes")
async def test_one_read_takes_no_more_than_its_chunk(autojump_clock: trio.testing.MockClock) -> None:
    """However much waits in the socket, each read asks for so much and no more; the message arrives whole."""
    ours, theirs = trio.testing.memory_stream_pair()
    measured = Measured(theirs)
    chosen = server(receive_chunk_bytes=1_000)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(chosen.serve_stream, measured)
        peer_connection = new_connection()
        peer_connection.send_headers(1, list(HEADERS))
        peer_connection.send_data(1, frame(bytes(9_000)), end_stream=True)
        await ours.send_all(peer_connection.data_to_send())
        answered = bytearray()
        while len(answered) < 9_000:
            answered += await ours.receive_some(65_536)
        nursery.cancel_scope.cancel()
    assert set(measured.asked) == {1_000}
    assert len(measured.asked) >= 9


@fills("max_ping_strikes", "min_ping_interval_s", "idle_ping_interval_s")
def test_pings_closer_than_their_interval_are_strikes() -> None:
    """At the interval a ping is none; just below it is one, with another interval where no call is open."""
    limits = ServerLimits(max_ping_strikes=2, min_ping_interval_s=10.0, idle_ping_interval_s=100.0)
    for idle, interval_s in ((False, limits.min_ping_interval_s), (True, limits.idle_ping_interval_s)):
        patient, hasty = PingStrikes(limits), PingStrikes(limits)
        assert all(patient.ping(number * interval_s, idle=idle) for number in range(20))
        answers = [hasty.ping(number * (interval_s - EDGE_S), idle=idle) for number in range(4)]
        assert answers == [True, True, True, False]


@fills("idle_ping_interval_s")
async def test_an_idle_client_that_pings_is_told_to_stop(autojump_clock: trio.testing.MockClock) -> None:
    """Pings that a busy connection may send are too many on an idle one."""
    chosen = server(keepalive_time_s=1e9, min_ping_interval_s=1.0, idle_ping_interval_s=50.0)
    async with raw_peer(chosen) as peer:
        for _ in range(4):
            peer.h2.ping(bytes(8))
            await peer.flush()
            await trio.sleep(49)
        await assert_calmed(peer, b"too_many_pings")


@fills("abuse_refill_per_s")
def test_the_allowance_comes_back_at_its_pace() -> None:
    """Spent whole, it pays for exactly one frame more each 1/refill seconds."""
    limits = ServerLimits(abuse_burst=3, abuse_refill_per_s=2.0)
    budget = AbuseBudget(limits.abuse_burst, limits.abuse_refill_per_s, 0.0, suspicious_below=0.5)
    assert [budget.spend(0.0) for _ in range(limits.abuse_burst)] == [True] * 3
    assert budget.spend(1.0 / limits.abuse_refill_per_s)
    assert not budget.spend(1.0 / limits.abuse_refill_per_s)


@fills("close_timeout_s")
async def test_a_peer_that_never_hangs_up_is_closed(autojump_clock: trio.testing.MockClock) -> None:
    """After a GOAWAY for an offence the server waits so long for the peer to see it, and not longer."""
    ours, theirs = trio.testing.memory_stream_pair()
    began_s = trio.current_time()
    chosen = server(close_timeout_s=2.0, keepalive_time_s=1e9)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(chosen.serve_stream, theirs)
        await ours.send_all(new_connection().data_to_send() + frame_bytes(0, 0, 0, b"x"))
    assert trio.current_time() - began_s <= 2 * chosen.limits.close_timeout_s + EDGE_S


@fills("max_send_message_bytes")
async def test_the_largest_answer_leaves_and_one_byte_more_does_not(autojump_clock: trio.testing.MockClock) -> None:
    """RESOURCE_EXHAUSTED, as grpcio says it."""
    chosen = _answering(ServerLimits(max_send_message_bytes=1_000))
    async with channel_to(chosen) as channel:
        assert len(await channel.unary_unary(path("Sized"))(b"1000")) == 1_000
    chosen = _answering(ServerLimits(max_send_message_bytes=1_000), size=1_001)
    assert (await failure_of(chosen, "Sized")).code is grpc.StatusCode.RESOURCE_EXHAUSTED


def _answering(limits: ServerLimits, size: int = 1_000) -> Server:
    async def sized(request: bytes, context: Context) -> bytes:
        return bytes(size)

    chosen = Server(limits=limits)
    chosen.add_registered_method_handlers("test.Echo", {"Sized": grpc.unary_unary_rpc_method_handler(sized)})
    return chosen


@fills("max_receive_message_bytes")
async def test_the_largest_request_is_taken_and_one_byte_more_is_not(autojump_clock: trio.testing.MockClock) -> None:
    """RESOURCE_EXHAUSTED, as grpcio says it; the connection stays."""
    async with raw_peer(server(max_receive_message_bytes=1_000)) as peer:
        taken = await peer.request(HEADERS, frame(bytes(1_000)))
        await peer.wait_for(http2.StreamEnded, taken)
        assert peer.fields_of(taken)[b"grpc-status"] == b"0"
        refused = await peer.request(HEADERS, frame(bytes(1_001)))
        await peer.wait_for(http2.StreamEnded, refused)
        assert peer.fields_of(refused)[b"grpc-status"] == b"8"
        await assert_works(peer)


@fills("header_list_bytes")
async def test_the_header_list_is_bounded(autojump_clock: trio.testing.MockClock) -> None:
    """Just below the bound (RFC 9113: name, value and 32 for each field) a call is served, above it the peer goes."""
    size = ServerLimits().header_list_bytes
    used = sum(len(name) + len(value) + 32 for name, value in HEADERS) + len(b"x-a") + 32
    async with raw_peer(server()) as peer:
        stream = await peer.request(headers(x_a=b"v" * (size - used)), frame(b"works"))
        await peer.wait_for(http2.StreamEnded, stream)
        assert peer.fields_of(stream)[b"grpc-status"] == b"0"
        await peer.request(headers(x_a=b"v" * (size - used + 1)), frame(b"works"))
        await peer.wait_for_eof()
        assert peer.goaway is not None


@fills("frame_bytes")
async def test_the_largest_frame_is_taken_and_one_byte_more_is_not(autojump_clock: trio.testing.MockClock) -> None:
    """FRAME_SIZE_ERROR, by the frame's head alone."""
    size = ServerLimits().frame_bytes
    async with raw_peer(server()) as peer:
        stream = await peer.request(body=frame(bytes(size - 5)))
        await peer.wait_for(http2.StreamEnded, stream)
        await peer.send_raw(frame_bytes(0, 0, 3, bytes(size + 1))[:9])
        await peer.wait_for_eof()
        assert peer.goaway is not None
        assert peer.goaway.error_code == http2.ErrorCodes.FRAME_SIZE_ERROR


@fills("stream_window_bytes", "connection_window_bytes")
async def test_nothing_beyond_the_window_is_taken(autojump_clock: trio.testing.MockClock) -> None:
    """A handler that reads nothing gets its whole window, and a byte more is an offence (RFC 9113 section 6.9.1)."""
    async with raw_peer(server(stream_window_bytes=65_535, connection_window_bytes=65_535)) as peer:
        stream = await peer.request(headers(path=b"/test.Echo/Deaf"), end=False)
        whole = frame(bytes(1_019)) * 63 + frame(bytes(1_018))  # whole messages that nobody takes: 65,535 bytes
        for start in range(0, len(whole), 16_384):
            await peer.send_raw(frame_bytes(0, 0, stream, whole[start : start + 16_384]))
        await trio.testing.wait_all_tasks_blocked()
        assert not peer.goaway
        await peer.send_raw(frame_bytes(0, 0, stream, b"x"))
        await peer.wait_for_eof()
        assert peer.goaway is not None
        assert peer.goaway.error_code == http2.ErrorCodes.FLOW_CONTROL_ERROR


async def test_a_call_turned_away_costs_no_handler(autojump_clock: trio.testing.MockClock) -> None:
    """The gate's status ends a call as soon as its headers are read; the connection and other methods go on."""
    full = grpc.StatusCode.RESOURCE_EXHAUSTED
    echo = Echo()
    chosen = Server(gate=lambda method: Status(full, "full") if method == path("Unary") else None)
    echo.add_to(chosen)
    async with raw_peer(chosen) as peer:
        stream = await peer.request(HEADERS, end=False)
        await peer.wait_for(http2.StreamEnded, stream)
        assert peer.fields_of(stream)[b"grpc-status"] == b"8"
        served = await peer.request(headers(path=b"/test.Echo/Repeat"), frame(b"x"))
        await peer.wait_for(http2.StreamEnded, served)
        assert peer.fields_of(served)[b"grpc-status"] == b"0"


@fills("_TIMEOUT_DIGITS_MAX")
def test_a_timeout_has_eight_digits() -> None:
    """As many are read, one more is malformed, and none that we write has more (gRPC over HTTP/2, TimeoutValue)."""
    assert parse_timeout(b"9" * _TIMEOUT_DIGITS_MAX + b"S") == 99_999_999
    with pytest.raises(MalformedMetadata):
        parse_timeout(b"9" * (_TIMEOUT_DIGITS_MAX + 1) + b"S")
    assert all(len(format_timeout(10.0**power)) <= _TIMEOUT_DIGITS_MAX + 1 for power in range(-9, 20))
