"""Claims about unary calls that are handled together: what a client sees of its call is its own."""

import gc
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import grpc
import trio
import trio.testing

from gateway.net import http2
from gateway.rpc.connection import ALONE_FRAMES
from gateway.rpc.context import Context
from gateway.rpc.framing import PREFIX_BYTES, frame, frame_gzip
from gateway.rpc.server import Encoded, Server, ServerLimits
from gateway.rpc.status import RpcError
from gateway.rpc.together import Group
from tests.rpc.echo import path
from tests.rpc.raw_peer import RawPeer, headers, raw_peer

METHOD = path("Method")
_CODES = {code.value[0]: code for code in grpc.StatusCode}


def spelled(request: bytes) -> str:
    return request.decode("ascii")


def upper(text: str) -> Any:
    """The answer to one request, or how it fails."""
    match text:
        case "refuse":
            return RpcError(grpc.StatusCode.NOT_FOUND, "refused")
        case "stumble":
            return ValueError("of this call alone")
        case "large":
            return "x" * 2_000
        case _:
            return Encoded(text.upper().encode())


@dataclass
class Chorus:
    """A handler for several calls and one for each; `gate` keeps the former waiting."""

    limits: ServerLimits = field(default_factory=ServerLimits)
    gate: trio.Event | None = None
    groups: list[list[str]] = field(default_factory=list)
    alone: list[str] = field(default_factory=list)
    cancelled: int = 0
    contexts: list[Context] = field(default_factory=list)
    breaks: bool = False

    async def one(self, request: str, context: Context) -> Any:
        self.alone.append(request)
        return upper(request)

    async def several(self, requests: list[str], contexts: list[Context]) -> list[Any]:
        self.groups.append(requests)
        self.contexts = contexts
        await trio.lowlevel.checkpoint()
        if self.breaks:
            raise ValueError("of all of them")
        try:
            if self.gate is not None:
                await self.gate.wait()
        except trio.Cancelled:
            self.cancelled += 1
            raise
        return [upper(request) for request in requests]

    def server(self) -> Server:
        server = Server(limits=self.limits)
        handler = grpc.unary_unary_rpc_method_handler(
            self.one, request_deserializer=spelled, response_serializer=str.encode
        )
        server.add_registered_method_handlers("test.Echo", {"Method": handler})
        server.handle_together(METHOD, self.several)
        return server


async def ends(chorus: Chorus, *requests: bytes, timeouts: tuple[bytes | None, ...] = ()) -> dict[bytes, object]:
    """What became of calls that were written at once: answers, and status codes other than OK."""
    async with raw_peer(chorus.server()) as peer:
        ids = await write(peer, map(frame, requests), timeouts)
        return {request: await ended(peer, stream_id) for request, stream_id in zip(requests, ids, strict=True)}


async def write(
    peer: RawPeer, bodies: Iterable[bytes], timeouts: tuple[bytes | None, ...] = (), **fields: bytes
) -> list[int]:
    """Whole calls in one write."""
    ids = []
    for place, body in enumerate(bodies):
        stream_id = peer.h2.get_next_available_stream_id()
        timeout = timeouts[place] if timeouts else None
        peer.h2.send_headers(stream_id, headers(path=METHOD.encode(), grpc_timeout=timeout, **fields))
        peer.h2.send_data(stream_id, body, end_stream=True)
        ids.append(stream_id)
    await peer.flush()
    return ids


async def ended(peer: RawPeer, stream_id: int) -> object:
    await peer.wait_for(http2.StreamEnded, stream_id)
    said = int(peer.fields_of(stream_id)[b"grpc-status"])
    return peer.data_of(stream_id)[PREFIX_BYTES:] if said == 0 else _CODES[said]


async def test_calls_of_one_read_share_a_handler(autojump_clock: trio.testing.MockClock) -> None:
    """Each gets its own answer; a call that comes alone is handled alone."""
    chorus = Chorus()
    assert await ends(chorus, b"a", b"b", b"c") == {b"a": b"A", b"b": b"B", b"c": b"C"}
    assert [sorted(group) for group in chorus.groups] == [["a", "b", "c"]]
    assert await ends(chorus, b"d") == {b"d": b"D"}
    assert (len(chorus.groups), chorus.alone) == (1, ["d"])


async def test_one_that_fails_fails_alone(autojump_clock: trio.testing.MockClock) -> None:
    """Refused, stumbled over, unreadable or too large to be answered: the others hear nothing of it."""
    chorus = Chorus(ServerLimits(max_send_message_bytes=1_000))
    found = await ends(chorus, b"a", b"refuse", b"stumble", b"\xff", b"large", b"b")
    assert found == {
        b"a": b"A",
        b"refuse": grpc.StatusCode.NOT_FOUND,
        b"stumble": grpc.StatusCode.UNKNOWN,
        b"\xff": grpc.StatusCode.INTERNAL,
        b"large": grpc.StatusCode.RESOURCE_EXHAUSTED,
        b"b": b"B",
    }
    assert len(chorus.groups) == 1


async def test_calls_of_which_none_can_be_read_need_no_handler(autojump_clock: trio.testing.MockClock) -> None:
    """They end as they would alone."""
    chorus = Chorus()
    assert set((await ends(chorus, b"\xff", b"\xfe")).values()) == {grpc.StatusCode.INTERNAL}
    assert chorus.groups == []


async def test_a_handler_that_breaks_ends_all_its_calls(autojump_clock: trio.testing.MockClock) -> None:
    """UNKNOWN, as from a handler of one call, and nothing of the cause."""
    assert set((await ends(Chorus(breaks=True), b"a", b"b")).values()) == {grpc.StatusCode.UNKNOWN}


async def test_each_has_its_own_deadline(autojump_clock: trio.testing.MockClock) -> None:
    """Whose time is over is told so at that time; who waits longer is answered later."""
    chorus = Chorus(gate=trio.Event())
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_open_later, chorus, 5.0)
        found = await ends(chorus, b"a", b"b", b"c", timeouts=(b"1S", b"2S", None))
    assert found == {b"a": grpc.StatusCode.DEADLINE_EXCEEDED, b"b": grpc.StatusCode.DEADLINE_EXCEEDED, b"c": b"C"}
    assert trio.current_time() - began == 5.0
    assert chorus.cancelled == 0


async def test_with_nobody_left_the_handler_is_cancelled(autojump_clock: trio.testing.MockClock) -> None:
    """All deadlines are over: what it does is of no use to anybody."""
    chorus = Chorus(gate=trio.Event())
    found = await ends(chorus, b"a", b"b", timeouts=(b"1S", b"2S"))
    assert set(found.values()) == {grpc.StatusCode.DEADLINE_EXCEEDED}
    assert chorus.cancelled == 1
    assert all(context.cancelled() for context in chorus.contexts)


async def _open_later(chorus: Chorus, seconds: float) -> None:
    await trio.sleep(seconds)
    assert chorus.gate is not None
    chorus.gate.set()


async def test_a_client_that_leaves_one_call_still_gets_the_other(autojump_clock: trio.testing.MockClock) -> None:
    """RST_STREAM on one of two: the handler goes on, and only the other is answered. On both: it is cancelled."""
    for resets, cancelled in ((1, 0), (2, 1)):
        chorus = Chorus(gate=trio.Event())
        async with raw_peer(chorus.server()) as peer:
            ids = await write(peer, (frame(b"a"), frame(b"b")))
            await trio.testing.wait_all_tasks_blocked()
            for stream_id in ids[:resets]:
                peer.h2.reset_stream(stream_id, http2.ErrorCodes.CANCEL)
            await peer.flush()
            await trio.testing.wait_all_tasks_blocked()
            assert chorus.cancelled == cancelled
            assert chorus.gate is not None
            chorus.gate.set()
            if not cancelled:
                await peer.wait_for(http2.StreamEnded, ids[1])
                assert peer.data_of(ids[1]) == frame(b"B")
                assert not peer.data_of(ids[0])


async def test_a_reset_in_the_same_read_costs_the_others_nothing(autojump_clock: trio.testing.MockClock) -> None:
    """Two slices of one read, the second with RST_STREAM for a call of the first, whose task has not begun: all others
    are answered, the connection goes on, and the caller's calls are counted down to none."""
    chorus, calls = Chorus(), ALONE_FRAMES // 2 + 8
    server = chorus.server()
    async with raw_peer(server) as peer:
        for place in range(calls):
            stream_id = peer.h2.get_next_available_stream_id()
            peer.h2.send_headers(stream_id, headers(path=METHOD.encode()))
            peer.h2.send_data(stream_id, frame(b"call %d" % place), end_stream=True)
        peer.h2.reset_stream(1, http2.ErrorCodes.CANCEL)
        await peer.flush()
        for place in range(1, calls):
            assert await ended(peer, 2 * place + 1) == b"CALL %d" % place
        assert not peer.data_of(1)
        assert "call 0" not in {request for group in chorus.groups for request in group}
        await trio.testing.wait_all_tasks_blocked()
        (caller,) = server.callers._known.values()
        assert caller.calls == 0


async def test_compressed_requests_go_alone(autojump_clock: trio.testing.MockClock) -> None:
    """Inflating takes turns with others, which a shared handler would not."""
    chorus = Chorus()
    async with raw_peer(chorus.server()) as peer:
        text = b"b" * 100
        ids = await write(peer, (frame_gzip(text), frame_gzip(text)), grpc_encoding=b"gzip")
        for stream_id in ids:
            await peer.wait_for(http2.StreamEnded, stream_id)
            assert peer.data_of(stream_id) == frame(text.upper())
    assert (chorus.groups, len(chorus.alone)) == ([], 2)


async def test_a_server_that_stops_tells_them(autojump_clock: trio.testing.MockClock) -> None:
    """After the grace both end as UNAVAILABLE, and the handler is cancelled."""
    chorus = Chorus(gate=trio.Event())
    server = chorus.server()
    async with raw_peer(server) as peer:
        ids = await write(peer, (frame(b"a"), frame(b"b")))
        await trio.testing.wait_all_tasks_blocked()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.drain, 2.0)
            found = [await ended(peer, stream_id) for stream_id in ids]
    assert found == [grpc.StatusCode.UNAVAILABLE] * 2
    assert chorus.cancelled == 1


async def test_a_peer_that_vanishes_takes_its_calls_along(autojump_clock: trio.testing.MockClock) -> None:
    """The handler is cancelled, and the caller's calls are counted down to none."""
    chorus = Chorus(gate=trio.Event())
    server = chorus.server()
    async with raw_peer(server) as peer:
        await write(peer, (frame(b"a"), frame(b"b")))
        await trio.testing.wait_all_tasks_blocked()
        (caller,) = server.callers._known.values()
        assert caller.calls == 2
        await peer.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert (caller.calls, chorus.cancelled) == (0, 1)


async def test_a_group_that_is_over_leaves_no_circle(autojump_clock: trio.testing.MockClock) -> None:
    """Groups come by the thousand: none waits for the garbage collector, however its calls ended."""

    def living() -> int:
        return sum(isinstance(one, Group) for one in gc.get_objects())

    gc.collect()
    gc.disable()
    try:
        before = living()
        async with raw_peer(Chorus().server()) as peer:
            ids = await write(peer, (frame(b"a"), frame(b"refuse")))
            await peer.wait_for(http2.StreamEnded, ids[1])
            await trio.testing.wait_all_tasks_blocked()
            assert living() == before
    finally:
        gc.enable()
