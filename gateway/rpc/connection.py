"""One connection's tasks: a reader, a writer, a watch, and one task per call.

The reader hands one read to the session and starts or wakes the calls it concerns. The writer sleeps until something
is queued, lets every task that is ready now run first, and then sends all of it with one `send_all`.
"""

import logging
import math
import random
from typing import Final

import trio

from .bell import Bell
from .call import Call
from .callers import CALL_S, PART_S, Caller
from .calls import Calls, Service
from .events import Broken, Event, Opened, PingAcked, Readable, Reset
from .server_session import ServerSession
from .slices import Slicer

log = logging.getLogger(__name__)

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
        self._calls = Calls(self, service, caller, self._check_idle)
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
            self._calls.let_go()
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
        if self._service.crowded():
            end = self._slicer.end(data, start, AMONG_OTHERS_FRAMES)
            async with callers.crowd(self._service.crowded):
                self._take(data[start:end])
        elif callers.must_give_way(caller, now):
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
            assert self._nursery is not None
            self._calls.start(fresh, self._nursery)
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
                call = self._calls.open(stream, self._heard)
                if call is not None:
                    fresh.append(call)
            case Readable(stream):
                call = self._calls.of(stream)
                if call is not None:
                    call.arrived.ring()
            case Broken(stream, status):
                self._calls.broken(stream, status)
            case Reset(stream):
                self._calls.reset(stream)
            case PingAcked():
                self._pong.set()

    async def _abandon_calls(self) -> None:
        """The peer is gone: cancel what still works for it. In parts where it just left: a hundred handlers that wind
        down in one turn of the loop held everybody up for 20 ms. Where it had to be ended, nothing more may be said."""
        self._abandoning = True
        for number, call in enumerate(self._calls.all()):
            self._calls.abandon(call)
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
            call = self._calls.of(stream)
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
            self._calls.stop()
            await self._idle.wait()
        self._close()

    def _check_idle(self) -> None:
        if self._leaving and not (self._calls or self.session.streams or self.session.wants_send):
            self._idle.set()
