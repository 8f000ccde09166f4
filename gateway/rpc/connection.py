"""One connection's tasks: a reader, a writer, a watch, and one task per call.

The reader hands one read to the session and starts or wakes the calls it concerns. The writer sleeps until something
is queued, lets every task that is ready now run first, and then sends all of it with one `send_all`.
"""

import logging
import math
import random
from collections.abc import Callable
from typing import Final, Protocol

import grpc
import trio
from google.protobuf import duration_pb2
from google.rpc import error_details_pb2

from .bell import Bell
from .burden import Burden
from .call import Call, Method
from .callers import CALL_S, PART_S, Caller, Callers
from .events import Broken, Event, Opened, PingAcked, Readable, Reset
from .invoke import Intercept, run_call
from .limits import ServerLimits
from .metadata import RequestHead
from .server_session import ServerSession
from .slices import Slicer
from .status import Status, rich_status, trailers
from .stream import Stream

log = logging.getLogger(__name__)

_TOO_MANY_CALLS = trailers(
    rich_status(
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "too many calls of this caller are open",
        error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=1)),
    )
)
_METHOD_NOT_FOUND = trailers(Status(grpc.StatusCode.UNIMPLEMENTED, "Method not found!"))
_STOPPING = Status(grpc.StatusCode.UNAVAILABLE, "the server is stopping")
_LINGER_BYTES = 256 * 1024
SLICE_FRAMES: Final = 4
"""Frames handled at once of a caller that gives way or waits at the gate: two calls, a quarter of a millisecond."""
AMONG_OTHERS_FRAMES: Final = 16
"""The same for a caller that takes little of the core."""
ALONE_FRAMES: Final = 128
"""The same where nobody else calls: the larger the slices, the more answers leave with one write."""
TURN_S: Final = 0.001
"""Slices of one connection handled before other tasks have their turn, where it need not give way after each."""
_KEEPALIVE = b"alive?\0\0"
_DRAIN = b"drain?\0\0"


Gate = Callable[[str], Status | None]
"""Method → how a call of it ends at once, or None."""


class Service(Protocol):
    """What a connection needs of its server."""

    limits: ServerLimits
    burden: Burden
    callers: Callers
    intercept: Intercept | None
    gate: Gate | None

    def find_method(self, head: RequestHead) -> Method | None: ...


class Connection:
    """Serves one connected stream until it ends.

    Args:
        stream: a trio Stream on which the peer speaks HTTP/2 with prior knowledge.
        peer: as `Context.peer` gives it.
        peer_certificate: DER, or None.
        caller: whose connection it is; has been counted.
    """

    def __init__(
        self,
        service: Service,
        stream: trio.abc.Stream,
        peer: str,
        peer_certificate: bytes | None,
        caller: Caller,
    ) -> None:
        self.peer = peer
        self.peer_certificate = peer_certificate
        self.session = ServerSession(service.limits, trio.current_time(), service.burden, caller)
        self._caller = caller
        self._callers = service.callers
        self._slicer = Slicer()
        self._service = service
        self._limits = service.limits
        self._stream = stream
        self._calls: dict[int, Call] = {}
        self._writer = Bell()
        self._heard = self._turn_began = trio.current_time()
        self._pong = trio.Event()
        self._idle = trio.Event()  # nothing is left to do or to say
        self._nursery: trio.Nursery | None = None
        self._draining = False
        self._leaving = False
        self._abandoning = False

    def wake_writer(self) -> None:
        """Something is queued at the session."""
        self._writer.ring()

    async def give_way(self) -> None:
        """Let others have their turn, between two slices of work for this peer."""
        now = trio.current_time()
        self._caller.use(now, PART_S)
        # The work follows: one slice for each pause, of whomever.
        if self.session.suspicious(now):
            async with self._callers.gate():
                pass
        elif self._callers.alone(self._caller, now):
            await trio.lowlevel.checkpoint()
        else:
            async with self._callers.turn_of(self._caller):
                pass

    async def run(self) -> None:
        """Serve until the peer leaves, breaks the rules or falls silent, or until `drain` is done."""
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                self.wake_writer()  # the session begins with our SETTINGS
                nursery.start_soon(self._write)
                nursery.start_soon(self._watch)
                await self._read()
                if self.session.failed is None:
                    await self._callers.turn_at_door(self._caller)
                await self._abandon_calls()
                if self.session.failed is not None:
                    log.info("connection from %s ended: %s", self.peer, self.session.failed)
                    await self._hang_up()
                nursery.cancel_scope.cancel()
        finally:
            self._idle.set()
            for stream_id in tuple(self._calls):  # those whose task was never begun
                self._forget(stream_id)
            self.session.unburden()
            with trio.move_on_after(self._limits.close_timeout_s, shield=True):
                await self._stream.aclose()

    # What arrives

    async def _read(self) -> None:
        data: bytes | bytearray = b""
        with trio.move_on_after(self._limits.preface_timeout_s):
            data = await self._receive()
        while data:
            self._turn_began = trio.current_time()
            start = 0
            while start < len(data):
                start = await self._take_in_turn(data, start)
                if self.session.failed is not None:
                    return
            data = await self._receive()

    async def _take_in_turn(self, data: bytes | bytearray, start: int) -> int:
        """One slice, in one of the ways that rpc.callers tells of; gives where it ends."""
        callers, caller, now = self._callers, self._caller, trio.current_time()
        if self.session.suspicious(now):
            end = self._slicer.end(data, start, SLICE_FRAMES)
            async with callers.gate():
                self._take(data[start:end])
            return end
        if callers.must_give_way(caller, now):
            end = self._slicer.end(data, start, SLICE_FRAMES)
            async with callers.turn_of(caller):
                self._take(data[start:end])
        else:
            alone = callers.alone(caller, now)
            end = self._slicer.end(data, start, ALONE_FRAMES if alone else AMONG_OTHERS_FRAMES)
            self._take(data[start:end])
        callers.heard(caller, now)
        if end < len(data) and trio.current_time() - self._turn_began > TURN_S:
            await trio.lowlevel.checkpoint()
            self._turn_began = trio.current_time()
        return end

    def _take(self, data: bytes | bytearray) -> None:
        """What is handled before others have their turn."""
        self._heard = now = trio.current_time()
        fresh: list[Call] = []
        for event in self.session.receive(data, now):
            self._handle(event, fresh)
        if self.session.wants_send:
            self._writer.ring()
        if self.session.failed is None:
            for call in fresh:
                self._start(call)
        self._caller.use(now, trio.current_time() - now + len(fresh) * CALL_S)

    async def _receive(self) -> bytes | bytearray:
        """The next bytes; empty when the peer is gone, in whatever way it went."""
        try:
            return await self._stream.receive_some(self._limits.receive_chunk_bytes)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return b""

    def _handle(self, event: Event, fresh: list[Call]) -> None:
        match event:
            case Opened(stream):
                self._open(stream, fresh)
            case Readable(stream):
                call = self._calls.get(stream.id)
                if call is not None:
                    call.arrived.ring()
            case Broken(stream, status):
                self._break(stream, status)
            case Reset(stream):
                self._reset(stream)
            case PingAcked():
                self._pong.set()

    def _open(self, stream: Stream, fresh: list[Call]) -> None:
        head = stream.head
        method = self._service.find_method(head)
        if method is None:
            self.session.finish(stream, _METHOD_NOT_FOUND)
            return
        gate = self._service.gate
        turned_away = gate(method.path) if gate is not None else None
        if turned_away is not None:
            self.session.finish(stream, trailers(turned_away))
            return
        if self._caller.calls >= self._limits.max_calls_per_caller:
            self.session.blame()
            self.session.finish(stream, _TOO_MANY_CALLS)
            return
        self._caller.calls += 1
        timeout_s = math.inf if head.timeout_s is None else head.timeout_s
        call = Call(self, stream, method, self._heard + timeout_s)
        self._calls[stream.id] = call
        fresh.append(call)

    def _start(self, call: Call) -> None:
        """A call that was reset or broken by the same read never costs a task."""
        if self._calls.get(call.stream.id) is call:
            call.started = True
            assert self._nursery is not None
            self._nursery.start_soon(self._run_call, call)

    async def _run_call(self, call: Call) -> None:
        try:
            await run_call(call, self._service.intercept)
        finally:
            self._forget(call.stream.id)
            if call.gone:
                self.session.lingering -= 1
            self._check_idle()

    def _break(self, stream: Stream, status: Status) -> None:
        call = self._calls.get(stream.id)
        if call is not None and call.started:
            call.fate = status
            call.scope.cancel()
        else:
            self._forget(stream.id)
            self.session.finish(stream, trailers(status))

    def _reset(self, stream: Stream) -> None:
        """The session counts the call as lingering; that ends at once unless its handler is running."""
        call = self._calls.get(stream.id)
        if call is not None and call.started:
            call.gone = True
            call.scope.cancel()
        else:
            self._forget(stream.id)
            self.session.lingering -= 1

    def _forget(self, stream_id: int) -> None:
        if self._calls.pop(stream_id, None) is not None:
            self._caller.calls -= 1

    async def _abandon_calls(self) -> None:
        """The peer is gone: cancel what still works for it. In parts where it just left: a hundred handlers that wind
        down in one turn of the loop held everybody up for 20 ms. Where it had to be ended, nothing more may be said."""
        self._abandoning = True
        for number, call in enumerate(tuple(self._calls.values())):
            if not call.gone:
                call.gone = True
                self.session.lingering += 1
                call.scope.cancel()
            if self.session.failed is None and number % SLICE_FRAMES == SLICE_FRAMES - 1:
                await self.give_way()

    # What leaves

    async def _write(self) -> None:
        session, stream = self.session, self._stream
        try:
            while True:
                await self._writer.wait()
                # Every task that is ready now may still add to this write.
                await trio.lowlevel.checkpoint()
                while data := session.take():
                    self._wake_flushed()
                    await stream.send_all(data)
                self._wake_flushed()
                self._check_idle()
                if session.failed is not None:
                    self._idle.set()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            if not self._abandoning:
                self._close()

    def _wake_flushed(self) -> None:
        flushed, self.session.flushed = self.session.flushed, []
        for stream in flushed:
            call = self._calls.get(stream.id)
            if call is not None:
                call.room.ring()

    async def _hang_up(self) -> None:
        """Let the GOAWAY leave, and the peer read it: closing a socket over unread bytes would destroy it."""
        with trio.move_on_after(self._limits.close_timeout_s):
            await self._idle.wait()
            if not isinstance(self._stream, trio.abc.HalfCloseableStream):
                return
            try:
                await self._stream.send_eof()
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return
            unread = _LINGER_BYTES
            while unread > 0 and (data := await self._receive()):
                unread -= len(data)

    def _close(self) -> None:
        assert self._nursery is not None
        self._nursery.cancel_scope.cancel()

    # How long

    async def _watch(self) -> None:
        """Keepalive and age."""
        limits = self._limits
        jitter = random.uniform(-limits.connection_age_jitter, limits.connection_age_jitter)
        retire_at = trio.current_time() + limits.connection_age_s * (1.0 + jitter)
        while True:
            await trio.sleep_until(min(self._heard + limits.keepalive_time_s, retire_at))
            now = trio.current_time()
            if now >= retire_at:
                retire_at = math.inf
                assert self._nursery is not None
                self._nursery.start_soon(self.drain, limits.connection_age_grace_s)
            elif now >= self._heard + limits.keepalive_time_s and not await self._answers_ping():
                log.info("connection from %s ended: silent for %g s", self.peer, now - self._heard)
                self._close()

    async def _answers_ping(self) -> bool:
        heard = self._heard
        self.session.ping(_KEEPALIVE)
        self.wake_writer()
        await trio.sleep(self._limits.keepalive_timeout_s)
        return self._heard > heard

    async def drain(self, grace_s: float) -> None:
        """Leave gracefully: no new calls, `grace_s` seconds for those that run, then UNAVAILABLE and close.

        RFC 9113 section 6.8: the first GOAWAY refuses nothing; the second one, a round trip later, names the last
        stream that is served.
        """
        if self._draining or self._nursery is None:
            await self._idle.wait()
            return
        self._draining = True
        self.session.announce_drain()
        self.session.ping(_DRAIN)
        self.wake_writer()
        self._pong = trio.Event()
        with trio.move_on_after(self._limits.drain_settle_s):
            await self._pong.wait()
        self.session.begin_drain()
        self._leaving = True
        self.wake_writer()
        with trio.move_on_after(grace_s):
            await self._idle.wait()
        with trio.move_on_after(self._limits.close_timeout_s):
            self._stop_calls()
            await self._idle.wait()
        self._close()

    def _stop_calls(self) -> None:
        for call in self._calls.values():
            if not call.gone and call.fate is None:
                call.fate = _STOPPING
                call.scope.cancel()

    def _check_idle(self) -> None:
        if self._leaving and not (self._calls or self.session.streams or self.session.wants_send):
            self._idle.set()
