"""What handlers and their clients experience: four kinds of call, and every way one can end."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest
import trio
import trio.testing

from gateway.net import http2
from gateway.rpc.call import TAKEN_MAX
from gateway.rpc.client import CallFailed
from gateway.rpc.context import Context
from gateway.rpc.framing import INFLATE_SLICE_BYTES, frame, frame_gzip
from gateway.rpc.server import Batch, Requests, Server
from tests.fills import fills
from tests.rpc.echo import SMALL, Echo, channel_to, path, server_of, server_with
from tests.rpc.raw_peer import headers, raw_peer


async def test_four_kinds_of_call(autojump_clock: trio.testing.MockClock) -> None:
    """Unary, client-streaming, server-streaming and bidirectional calls carry their messages in order."""
    async with channel_to(server_of(Echo())) as channel:
        assert await channel.unary_unary(path("Unary"))(b"one") == b"one"
        async with channel.stream_unary(path("Concat"))() as call:
            await call.send_batch([b"a", b"b"])
            await call.send(b"c")
            await call.end()
            assert await call.batch() == [b"abc"]
        async with channel.unary_stream(path("Repeat"))(b"x") as call:
            assert [response async for response in call] == [b"x"] * 3
        async with channel.stream_stream(path("Bidi"))() as call:
            await call.send(b"1")
            assert await anext(call) == b"1"
            await call.send(b"2")
            await call.end()
            assert [response async for response in call] == [b"2"]


async def test_batches_stay_batches(autojump_clock: trio.testing.MockClock) -> None:
    """A thousand messages sent together reach the handler, and come back, in a handful of DATA frames."""
    messages = [b"%04d" % number for number in range(1_000)]
    body = b"".join(map(frame, messages))
    async with raw_peer(server_of(Echo())) as peer:
        stream_id = await peer.request(headers(path=b"/test.Echo/Batches"), body)
        await peer.wait_for(http2.StreamEnded, stream_id)
        assert peer.data_of(stream_id) == body
        assert peer.count(http2.DataReceived)[stream_id] <= 3


async def test_yields_of_one_turn_share_frames(autojump_clock: trio.testing.MockClock) -> None:
    """Messages yielded one by one without waiting leave in few DATA frames all the same."""
    body = b"".join(frame(b"x") for _ in range(1_000))
    async with raw_peer(server_of(Echo())) as peer:
        stream_id = await peer.request(headers(path=b"/test.Echo/Bidi"), body)
        await peer.wait_for(http2.StreamEnded, stream_id)
        assert peer.data_of(stream_id) == body
        assert peer.count(http2.DataReceived)[stream_id] <= 3


async def test_generic_handlers_are_asked(autojump_clock: trio.testing.MockClock) -> None:
    """A method known only to a generic handler is served."""
    server = Server()
    handler = grpc.unary_unary_rpc_method_handler(Echo().unary)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Echo", {"Unary": handler}),))
    async with channel_to(server) as channel:
        assert await channel.unary_unary(path("Unary"))(b"x") == b"x"


async def test_metadata_both_ways(autojump_clock: trio.testing.MockClock) -> None:
    """Metadata reaches the handler, and the handler's initial and trailing metadata reach the client."""

    async def behaviour(request: bytes, context: Context) -> AsyncIterator[bytes]:
        assert dict(context.invocation_metadata()) == {"key": "value", "key-bin": b"\0\xff"}
        assert context.method == "/test.Echo/Method"
        await context.send_initial_metadata((("first-bin", b"\1"),))
        context.set_trailing_metadata((("last", "z"),))
        yield b"x"

    async with channel_to(server_with(behaviour, "unary_stream")) as channel:
        sent = (("key", "value"), ("key-bin", b"\0\xff"))
        async with channel.unary_stream(path("Method"))(b"", metadata=sent) as call:
            assert await call.initial_metadata() == (("first-bin", b"\1"),)
            assert [response async for response in call] == [b"x"]
            assert call.status is not None
            assert call.status.trailing_metadata == (("last", "z"),)


async def test_deadline_cancels_the_handler(autojump_clock: trio.testing.MockClock) -> None:
    """At the deadline the handler is cancelled and the client told DEADLINE_EXCEEDED by the server."""
    echo = Echo()
    async with raw_peer(server_of(echo)) as peer:
        stream_id = await peer.request(headers(path=b"/test.Echo/Hang", grpc_timeout=b"5S"), frame(b""))
        await peer.wait_for(http2.StreamEnded, stream_id)
        assert peer.fields_of(stream_id)[b"grpc-status"] == b"4"
    assert echo.cancelled.is_set()
    assert trio.current_time() == pytest.approx(5.0, abs=0.1)


async def test_deadline_in_the_past_runs_nothing(autojump_clock: trio.testing.MockClock) -> None:
    """A call that is late on arrival is answered without its handler having begun."""
    echo = Echo()
    async with raw_peer(server_of(echo)) as peer:
        stream_id = await peer.request(headers(path=b"/test.Echo/Hang", grpc_timeout=b"0n"), frame(b""))
        await peer.wait_for(http2.StreamEnded, stream_id)
        assert peer.fields_of(stream_id)[b"grpc-status"] == b"4"
    assert not echo.started.is_set()


async def test_deadline_while_the_request_is_missing(autojump_clock: trio.testing.MockClock) -> None:
    """A client that never sends its request is told DEADLINE_EXCEEDED all the same."""
    async with raw_peer(server_of(Echo())) as peer:
        stream_id = await peer.request(headers(grpc_timeout=b"1S"), end=False)
        await peer.wait_for(http2.StreamEnded, stream_id)
        assert peer.fields_of(stream_id)[b"grpc-status"] == b"4"


async def test_context_knows_the_deadline(autojump_clock: trio.testing.MockClock) -> None:
    """time_remaining counts down on trio's clock; without a deadline it is None."""

    async def behaviour(request: bytes, context: Context) -> bytes:
        before = context.time_remaining()
        await trio.sleep(1)
        after = context.time_remaining()
        return b"none" if before is None or after is None else b"%.1f" % (before - after)

    async with channel_to(server_with(behaviour)) as channel:
        assert await channel.unary_unary(path("Method"))(b"") == b"none"
        assert await channel.unary_unary(path("Method"))(b"", timeout=5.0) == b"1.0"


async def test_reset_cancels_the_handler(autojump_clock: trio.testing.MockClock) -> None:
    """A client that leaves cancels its handler, and other calls of the connection go on."""
    echo = Echo()
    async with channel_to(server_of(echo)) as channel:
        async with channel.unary_stream(path("Hang"))(b""):
            await echo.started.wait()
        await echo.cancelled.wait()
        assert await channel.unary_unary(path("Unary"))(b"x") == b"x"


async def test_lost_connection_cancels_all_handlers(autojump_clock: trio.testing.MockClock) -> None:
    """When the connection goes, its handlers go."""
    echo = Echo()
    async with raw_peer(server_of(echo)) as peer:
        await peer.request(headers(path=b"/test.Echo/Hang"), frame(b""))
        await echo.started.wait()
        await peer.stream.aclose()
        await echo.cancelled.wait()


@fills("stream_send_buffer_bytes")
async def test_slow_reader_suspends_its_own_handler_only(autojump_clock: trio.testing.MockClock) -> None:
    """A client that grants no window stops the handler that pours into it, and no other call."""
    echo = Echo()
    server = server_of(echo)
    async with raw_peer(server) as peer:
        peer.acknowledge = False
        await peer.request(headers(path=b"/test.Echo/Pour"), frame(b""))
        await trio.testing.wait_all_tasks_blocked()
        poured = len(echo.seen)
        limits = server.limits
        assert poured * 10_000 <= 65_535 + limits.stream_send_buffer_bytes + 20_000
        # The connection's window is used up as well; trailers need none.
        other = await peer.request(headers(path=b"/test.Echo/Nothing"), frame(b""))
        await peer.wait_for(http2.StreamEnded, other)
        assert len(echo.seen) == poured


async def test_cancel_while_blocked_on_the_window(autojump_clock: trio.testing.MockClock) -> None:
    """A handler asleep on a closed window wakes to be cancelled when its client leaves."""
    echo = Echo()
    async with raw_peer(server_of(echo)) as peer:
        peer.acknowledge = False
        stream_id = await peer.request(headers(path=b"/test.Echo/Pour"), frame(b""))
        await trio.testing.wait_all_tasks_blocked()
        peer.h2.reset_stream(stream_id, http2.ErrorCodes.CANCEL)
        await peer.flush()
        await echo.cancelled.wait()


async def test_deadline_while_blocked_on_the_window(autojump_clock: trio.testing.MockClock) -> None:
    """At the deadline of a call cut in mid-message the stream is reset: half a message must not look whole."""
    echo = Echo()
    async with raw_peer(server_of(echo)) as peer:
        peer.acknowledge = False
        fields = headers(path=b"/test.Echo/Pour", grpc_timeout=b"2S")
        stream_id = await peer.request(fields, frame(b""))
        event = await peer.wait_for(http2.StreamReset, stream_id)
        assert isinstance(event, http2.StreamReset)
        assert event.error_code == http2.ErrorCodes.CANCEL
    assert echo.cancelled.is_set()


async def test_deadline_of_an_answer_nobody_takes(autojump_clock: trio.testing.MockClock) -> None:
    """A unary answer larger than the window, which the client does not open, is dropped at the call's deadline."""

    async def large(request: bytes, context: Context) -> bytes:
        return bytes(90_000)

    async with raw_peer(server_with(large)) as peer:
        peer.acknowledge = False
        fields = headers(path=b"/test.Echo/Method", grpc_timeout=b"2S")
        stream_id = await peer.request(fields, frame(b""))
        event = await peer.wait_for(http2.StreamReset, stream_id)
        assert isinstance(event, http2.StreamReset)
        assert event.error_code == http2.ErrorCodes.CANCEL
        assert trio.current_time() == pytest.approx(2.0, abs=0.1)


async def test_slow_handler_stops_its_own_window_only(autojump_clock: trio.testing.MockClock) -> None:
    """A handler that reads nothing stops WINDOW_UPDATEs of its stream; another stream goes on at full speed."""
    async with raw_peer(server_of(Echo(), SMALL)) as peer:
        slow = await peer.request(headers(path=b"/test.Echo/Deaf"), end=False)
        for _ in range(4):
            peer.h2.send_data(slow, frame(bytes(16_000)))
        await peer.flush()
        await trio.testing.wait_all_tasks_blocked()
        busy = await peer.request(headers(path=b"/test.Echo/Concat"), end=False)
        for _ in range(20):
            while peer.h2.local_flow_control_window(busy) < 16_005:
                await peer.wait_for_window(busy)
            peer.h2.send_data(busy, frame(bytes(16_000)))
            await peer.flush()
        assert 0 not in (peer.h2.local_flow_control_window(busy), peer.count(http2.WindowUpdated)[busy])
        assert peer.count(http2.WindowUpdated)[slow] == 0


async def test_message_larger_than_the_window(autojump_clock: trio.testing.MockClock) -> None:
    """A message larger than the stream's window arrives whole, both ways."""
    async with channel_to(server_of(Echo(), SMALL)) as channel:
        message = bytes(99_000)
        assert await channel.unary_unary(path("Unary"))(message) == message


async def test_handler_that_ends_early(autojump_clock: trio.testing.MockClock) -> None:
    """A handler may answer without reading: the client gets the answer, then RST_STREAM(NO_ERROR)."""
    async with raw_peer(server_of(Echo())) as peer:
        stream_id = await peer.request(headers(path=b"/test.Echo/Early"), frame(b"unread"), end=False)
        event = await peer.wait_for(http2.StreamReset, stream_id)
        assert isinstance(event, http2.StreamReset)
        assert event.error_code == http2.ErrorCodes.NO_ERROR
        assert peer.data_of(stream_id) == frame(b"early")
        assert peer.fields_of(stream_id)[b"grpc-status"] == b"0"


async def test_interceptor_wraps_and_may_abort(autojump_clock: trio.testing.MockClock) -> None:
    """The interceptor surrounds every call, sees how it ended, and can end it before the handler runs."""
    story: list[object] = []

    @asynccontextmanager
    async def intercept(context: Context) -> AsyncIterator[None]:
        story.append(context.method)
        if ("key", "bad") in context.invocation_metadata():
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "who?")
        yield
        story.append("left")

    server = Server(intercept=intercept)
    Echo().add_to(server)
    async with channel_to(server) as channel:
        assert await channel.unary_unary(path("Unary"))(b"x") == b"x"
        with pytest.raises(CallFailed) as caught:
            await channel.unary_unary(path("Unary"))(b"x", metadata=(("key", "bad"),))
    assert caught.value.code is grpc.StatusCode.UNAUTHENTICATED
    assert story == [path("Unary"), "left", path("Unary")]


async def test_compressed_responses(autojump_clock: trio.testing.MockClock) -> None:
    """set_compression takes effect for clients that accept gzip and is ignored for others."""

    async def behaviour(request: bytes, context: Context) -> bytes:
        context.set_compression(grpc.Compression.Gzip)
        return bytes(10_000)

    async with raw_peer(server_with(behaviour)) as peer:
        for accept, compressed in ((b"identity,gzip", True), (b"identity", False), (None, False)):
            fields = headers(path=b"/test.Echo/Method", grpc_accept_encoding=accept)
            stream_id = await peer.request(fields, frame(b""))
            await peer.wait_for(http2.StreamEnded, stream_id)
            assert (len(peer.data_of(stream_id)) < 1_000) is compressed
            assert (peer.fields_of(stream_id).get(b"grpc-encoding") == b"gzip") is compressed


@fills("TAKEN_MAX")
async def test_a_flood_of_empty_messages_is_handed_out_in_parts(autojump_clock: trio.testing.MockClock) -> None:
    """However many tiny messages have arrived, a handler gets TAKEN_MAX of them at a time, and all in the end."""
    sizes: list[int] = []

    async def count(requests: Requests[bytes], context: Context) -> AsyncIterator[Batch[bytes]]:
        await trio.testing.wait_all_tasks_blocked()
        while batch := await requests.batch():
            sizes.append(len(batch))
        yield Batch([])

    async with raw_peer(server_with(count, "stream_stream")) as peer:
        stream_id = await peer.request(headers(path=b"/test.Echo/Method"), frame(b"") * 3_000)
        await peer.wait_for(http2.StreamEnded, stream_id)
    assert sum(sizes) == 3_000
    assert max(sizes) == TAKEN_MAX


async def test_inflating_lets_others_work(autojump_clock: trio.testing.MockClock) -> None:
    """A large compressed message is inflated in slices: a small call on another connection, which came after it, is
    answered first."""
    order: list[int] = []

    async def note(request: bytes, context: Context) -> bytes:
        order.append(len(request))
        return b""

    size = 40 * INFLATE_SLICE_BYTES
    server = server_with(note)
    async with raw_peer(server) as large, raw_peer(server) as small:
        head = headers(path=b"/test.Echo/Method", grpc_encoding=b"gzip")
        squeezed = await large.request(head, frame_gzip(bytes(size)))
        plain = await small.request(headers(path=b"/test.Echo/Method"), frame(b"x"))
        await small.wait_for(http2.StreamEnded, plain)
        await large.wait_for(http2.StreamEnded, squeezed)
    assert order == [1, size]
