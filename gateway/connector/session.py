"""One connection to a bank at work: a reader, a writer, and two clocks.

The reader turns bytes into endings of exchanges. The writer takes everything that is ready and sends it at once:
many requests of one loop turn share one `send_all`. A request becomes bytes only in the writer, in the same breath
in which they are handed over, so whatever still waits in `_queue` has provably not been written.

When writing fails, reading goes on for a moment: the answer, or the alert that proves a refusal, may be there.
"""

import logging
import math
import random
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Final

import trio

from gateway import failpoints
from gateway.connector.config import LinkConfig
from gateway.connector.exchange import Exchange
from gateway.connector.link import Ending, verdict
from gateway.connector.wire import Answered, Wire, WireEvent
from gateway.failpoints import Point
from gateway.net.tls import expires_at
from gateway.net.tls_stream import TlsError, TlsStream

WRITE_FAILED_GRACE_S: Final = 1.0
GOODBYE_S_MAX: Final = 1.0
CONTROL_BYTES_MAX: Final = 256 * 1024  # acknowledgements a bank may make us owe while it reads nothing
IDLE_STEP_S_MIN: Final = 0.1  # how often idleness is looked at, at most

log = logging.getLogger(__name__)


class Session:
    """Made with a dialled stream, lives in `run`. `on_ready` is called once, when requests may be given; `on_change`
    whenever there may be room, or less of it."""

    def __init__(
        self,
        stream: TlsStream,
        wire: Wire,
        config: LinkConfig,
        *,
        on_ready: Callable[["Session"], None],
        on_change: Callable[[], None],
    ) -> None:
        self._stream = stream
        self._wire = wire
        self._config = config
        self._on_ready = on_ready
        self._changed = on_change
        self._queue: deque[Exchange] = deque()  # taken, not yet written; the pool never gives more than `room`
        self._open: dict[int, Exchange] = {}
        self._begun = 0
        self._retired = False
        self._wake = trio.Event()
        self._ready = trio.Event()
        self._scope = trio.CancelScope()
        self._heard = 0
        self._heard_at = trio.current_time()
        self._why = Ending.POOL_CLOSED
        self.detail = ""
        """Why it ended, for operators."""

    @property
    def ready(self) -> bool:
        """Whether it ever could take requests."""
        return self._ready.is_set()

    @property
    def barren(self) -> bool:
        """Whether no request has ever been written on it."""
        return self._begun == 0

    @property
    def draining(self) -> bool:
        return self._retired or self._wire.draining or self._wire.finished

    @property
    def room(self) -> int:
        """Exchanges that may be given now."""
        if self.draining or not self.ready:
            return 0
        left = self._config.exchanges_per_session_max - self._begun
        return min(self._wire.room, left) - len(self._queue)

    @property
    def load(self) -> int:
        return len(self._queue) + len(self._open)

    @property
    def certificates_expire_at(self) -> datetime | None:
        """Not-after of the earlier to expire of ours and the bank's."""
        both = (self._stream.own_certificate, self._stream.peer_certificate)
        return min((expires_at(each) for each in both if each is not None), default=None)

    @property
    def certificate_refused(self) -> bool:
        return self._stream.client_certificate_refused

    # ------------------------------------------------------------ what the pool asks for

    def take(self, exchange: Exchange) -> None:
        self._queue.append(exchange)
        self._wake.set()

    def give_back(self) -> list[Exchange]:
        """The exchanges that were taken and will not be written here."""
        unwritten, self._queue = list(self._queue), deque()
        return unwritten

    def drop(self, exchange: Exchange) -> None:
        """Nobody waits for it any more: forget it, and tell the bank where its protocol can."""
        if exchange in self._queue:
            self._queue.remove(exchange)
        for key in [key for key, each in self._open.items() if each is exchange]:
            del self._open[key]
            self._wire.abandon(key)
        if self._wire.finished:
            self._scope.cancel()
        self._wake.set()

    def retire(self) -> None:
        """Take nothing new, finish what is open, then end."""
        self._retired = True
        self._wake.set()
        self._changed()

    # ------------------------------------------------------------ life

    async def run(self) -> None:
        """Until the connection ends. Afterwards every exchange that was written has its outcome; `give_back` has the
        others. Raises only Cancelled."""
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    for task in (self._read, self._write, self._watch, self._age):
                        nursery.start_soon(task)
        except Exception:  # a fault of ours must not take other sessions, or other banks, with it
            log.exception("a session with %s broke", self._config.host)
            self._why = Ending.SESSION_BROKE
        finally:
            self._retired = True
            if self._open or self._why is not Ending.POOL_CLOSED:
                # What is still in the kernel must not reach a bank that comes back after it said "not found".
                self._stream.abort()
            for exchange in self._open.values():
                exchange.finish(verdict(self._why, self.detail))
            self._open.clear()
            with trio.CancelScope(shield=True, deadline=trio.current_time() + GOODBYE_S_MAX):
                await self._say_goodbye()

    async def _read(self) -> None:
        self._note_readiness()
        while not self._wire.finished:
            try:
                data = await self._stream.receive_some()
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                self.detail = str(error) if isinstance(error, TlsError) else "cut off"
                self._on_cut()
                break
            self._heard += 1
            self._heard_at = trio.current_time()
            self._deliver(self._wire.receive(data) if data else self._wire.end(clean=True))
            self._note_readiness()
            if self._wire.control_bytes > CONTROL_BYTES_MAX:
                self._end(Ending.PROTOCOL_BROKEN, "it asks for more acknowledgements than it reads")
        self._scope.cancel()

    async def _write(self) -> None:
        self._wire.greet()
        while True:
            carrying = self._begin_queued()
            data = self._wire.bytes_to_send()
            if data:
                if failpoints.armed and carrying:
                    failpoints.reached(Point.SEND_FRAMED)
                try:
                    await self._stream.send_all(data)
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    self._on_write_failed()
                    return
                if failpoints.armed and carrying:
                    failpoints.reached(Point.SEND_WRITTEN)
            elif self.draining and not self.load:
                self._scope.cancel()
                return
            else:
                await self._wake.wait()
                self._wake = trio.Event()

    async def _watch(self) -> None:
        """Ends a session whose bank gives no sign of life, or an idle one that cannot be trusted any more."""
        with trio.move_on_after(self._config.handshake_timeout_s):
            await self._ready.wait()
        if not self.ready:
            self._end(Ending.CONNECTION_LOST, "no SETTINGS in time")
            return
        while not self._retired or self.load:
            if math.isfinite(self._wire.idle_s_max):
                await self._watch_idleness()
            else:
                await self._watch_silence()

    async def _watch_idleness(self) -> None:
        rest = max(self._wire.idle_s_max, IDLE_STEP_S_MIN)
        await trio.sleep_until(max(self._heard_at, trio.current_time() if self.load else 0.0) + rest)
        if not self.load and trio.current_time() >= self._heard_at + self._wire.idle_s_max:
            self.retire()

    async def _watch_silence(self) -> None:
        silence_s = self._config.ping_after_s * random.uniform(1.0, 1.5)
        await trio.sleep_until(self._heard_at + silence_s)
        if trio.current_time() < self._heard_at + silence_s:
            return
        heard = self._heard
        self._wire.ping()
        self._wake.set()
        await trio.sleep(self._config.ping_timeout_s)
        if heard == self._heard:
            self._end(Ending.PING_UNANSWERED)

    async def _age(self) -> None:
        await trio.sleep(self._config.session_age_s_max * random.uniform(0.8, 1.0))
        self.retire()

    # ------------------------------------------------------------ what happens

    def _begin_queued(self) -> bool:
        """Turn what waits into bytes. No checkpoint between here and the hand-over to the transport. Returns whether
        any of it has a body: payments have, questions about them have not."""
        carrying = False
        while self._queue and self._wire.room > 0:
            exchange = self._queue.popleft()
            if not exchange.wanted():  # a payment has moved on while its message waited
                exchange.finish(verdict(Ending.NOT_WANTED))
                continue
            try:
                key = self._wire.begin(exchange.request)
            except Exception:  # refused by h2 or h11, after flaw_of let it pass; no byte of it was made
                log.exception("a request to %s could not be written as HTTP", self._config.host)
                exchange.finish(verdict(Ending.REQUEST_NOT_HTTP))
                self.retire()  # the header compression may be out of step: nothing more may be begun here
                return carrying
            exchange.written = True
            carrying = carrying or bool(exchange.request.body)
            self._begun += 1
            self._open[key] = exchange
        if self._begun >= self._config.exchanges_per_session_max:
            self._retired = True
        return carrying

    def _deliver(self, events: list[WireEvent]) -> None:
        for event in events:
            exchange = self._open.pop(event.key, None)
            if exchange is not None:
                answered = isinstance(event, Answered)
                exchange.finish(event.answer if answered else verdict(event.ending, event.detail))  # type: ignore[union-attr]
        self._wake.set()  # acknowledgements, or a wider window
        self._changed()

    def _on_cut(self) -> None:
        """The connection ended without goodbye. TLS 1.3 may hold the proof that nothing was processed."""
        if self.certificate_refused:
            for exchange in self._open.values():
                exchange.finish(verdict(Ending.CERTIFICATE_REFUSED_LATE, self.detail))
            self._open.clear()
        self._deliver(self._wire.end(clean=False))

    def _on_write_failed(self) -> None:
        self._why = Ending.WRITE_FAILED
        self._scope.deadline = trio.current_time() + WRITE_FAILED_GRACE_S
        self.retire()

    def _end(self, why: Ending, detail: str = "") -> None:
        self._why = why
        self.detail = detail
        self._scope.cancel()

    def _note_readiness(self) -> None:
        if self._wire.ready and not self.ready:
            self._ready.set()
            self._on_ready(self)

    async def _say_goodbye(self) -> None:
        if not self._wire.finished:
            self._wire.say_goodbye()
        try:
            data = self._wire.bytes_to_send()
            if data:
                await self._stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # it has gone already; closing is all that is left
        finally:
            await self._stream.aclose()
