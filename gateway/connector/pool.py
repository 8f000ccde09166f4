"""One bank's sessions: who carries the next request, when to connect, when to let go.

`assign` decides, and changes the state in the moment of deciding: a stream that was given away is given away, a
connection that will be opened is counted. What takes time happens afterwards, in tasks of this pool's own nursery. No
lock, no task and no queue is shared with another bank's pool: a stalled bank stalls only its own.
"""

import logging
import math
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Final

import trio

from gateway.connector.config import LinkConfig
from gateway.connector.dial import dial, wire_of
from gateway.connector.exchange import Exchange, flaw_of
from gateway.connector.link import Ending, verdict
from gateway.connector.session import Session
from gateway.core.errors import MaybeSent, NotSent
from gateway.core.ports import LinkSnapshot, WireAnswer, WireRequest, always
from gateway.net.tls_errors import slug

RECONNECT_PAUSE_S: Final = 1.0  # after a failed connection, while others still work or are being tried

log = logging.getLogger(__name__)


class Pool:
    """The `Link` to one bank (core.ports). `await nursery.start(pool.run)`, then `exchange` from any task."""

    def __init__(self, config: LinkConfig) -> None:
        self._config = config
        self._waiting: deque[Exchange] = deque()
        self._sessions: list[Session] = []
        self._dialling = 0
        self._streams_expected = config.streams_per_session_max  # of the next session; learnt from the last one
        self._reconnect_at = -math.inf
        self._nursery: trio.Nursery | None = None
        self._last_failure = ""
        self._certificate_expires_at: datetime | None = None

    # ------------------------------------------------------------ the Link

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Until cancelled. Then every exchange ends: those written in doubt, the others as not sent."""
        try:
            async with trio.open_nursery() as self._nursery:
                task_status.started()
                await trio.sleep_forever()
        finally:
            self._nursery = None
            self._fail_waiting(verdict(Ending.POOL_CLOSED_BEFORE_WRITING))

    async def exchange(
        self, request: WireRequest, *, timeout_s: float, wanted: Callable[[], bool] = always
    ) -> WireAnswer:
        """As core.ports.Link. When the caller is cancelled the bank is told so where its protocol can (RST_STREAM),
        and whether it has the request is as unknown as after a lost reply."""
        try:
            answer = await self._exchange(Exchange(request, wanted), timeout_s)
        except (NotSent, MaybeSent) as error:
            self._last_failure = error.reason.value
            raise
        self._last_failure = ""
        return answer

    def snapshot(self) -> LinkSnapshot:
        return LinkSnapshot(
            sessions=sum(session.ready for session in self._sessions),
            in_flight=sum(session.load for session in self._sessions) + len(self._waiting),
            certificate_expires_at=self._certificate_expires_at,
            last_failure=self._last_failure,
        )

    async def _exchange(self, exchange: Exchange, timeout_s: float) -> WireAnswer:
        if flaw := flaw_of(exchange.request):
            raise verdict(Ending.REQUEST_NOT_HTTP, flaw)
        if self._nursery is None:
            raise verdict(Ending.POOL_CLOSED_BEFORE_WRITING)
        if len(self._waiting) >= self._config.waiting_max:
            raise verdict(Ending.QUEUE_FULL)
        self._waiting.append(exchange)
        self._turn()
        try:
            with trio.move_on_after(timeout_s):
                await exchange.wait()
        finally:
            if not exchange.done:
                self._drop(exchange)
        exchange.fail(unwritten=Ending.NO_ROOM_IN_TIME, written=Ending.DEADLINE)  # unless it has an outcome
        if isinstance(exchange.outcome, WireAnswer):
            return exchange.outcome
        assert exchange.outcome is not None, "fail() above leaves none without"
        raise exchange.outcome

    # ------------------------------------------------------------ deciding

    def assign(self) -> int:
        """Give waiting exchanges to sessions with room, the least busy first. Returns the number of connections to
        open, which count as being opened from now on."""
        for session in self._sessions:
            if session.draining:
                self._waiting.extendleft(reversed(session.give_back()))
        while self._waiting:
            free = [session for session in self._sessions if session.room > 0]
            if not free:
                break
            min(free, key=lambda session: session.load).take(self._waiting.popleft())
        opening = self._wanted()
        self._dialling += opening
        return opening

    def _wanted(self) -> int:
        """Connections worth opening for those who still wait."""
        working = sum(session.ready and not session.draining for session in self._sessions)
        coming = self._dialling + sum(not session.ready and not session.draining for session in self._sessions)
        lacking = len(self._waiting) - coming * self._streams_expected
        if lacking <= 0 or self._nursery is None:
            return 0
        if trio.current_time() < self._reconnect_at:
            return 0  # _pause will ask again
        # Replaced sessions finish their streams beside the new ones; they too are bounded.
        free = min(
            self._config.sessions_max - working - coming,
            2 * self._config.sessions_max - len(self._sessions) - self._dialling,
        )
        return max(0, min(free, math.ceil(lacking / self._streams_expected)))

    def _turn(self) -> None:
        for _ in range(self.assign()):
            assert self._nursery is not None, "assign() opens nothing once the pool is closed"
            self._nursery.start_soon(self._serve)

    def _drop(self, exchange: Exchange) -> None:
        if exchange in self._waiting:
            self._waiting.remove(exchange)
        for session in self._sessions:
            session.drop(exchange)
        self._turn()

    # ------------------------------------------------------------ the life of a session

    async def _serve(self) -> None:
        """From dialling to the end of a session. Raises only Cancelled."""
        try:
            session = await self._open_session()
        except NotSent as error:
            self._on_unusable(error)
            return
        self._sessions.append(session)
        try:
            await session.run()
        finally:
            self._sessions.remove(session)
            for exchange in session.give_back():
                exchange.finish(verdict(Ending.SESSION_LOST_BEFORE_WRITING, session.detail))
            self._after(session)

    async def _open_session(self) -> Session:
        try:
            stream = await dial(self._config)
        except (NotSent, trio.Cancelled):
            raise
        except Exception as error:  # a fault of ours must not take other banks with it; nothing was written
            log.exception("dialling %s broke", self._config.host)
            raise verdict(Ending.CONNECT_FAILED, type(error).__name__) from error
        finally:
            self._dialling -= 1
        wire = wire_of(stream, self._config)
        return Session(stream, wire, self._config, on_ready=self._on_ready, on_change=self._turn)

    def _on_ready(self, session: Session) -> None:
        self._streams_expected = max(1, session.room)
        self._certificate_expires_at = session.certificates_expire_at
        self._turn()

    def _after(self, session: Session) -> None:
        """A session has ended. One that never carried a request is a connection that failed, however far it got."""
        if session.barren and self._nursery is not None:
            refused = session.certificate_refused
            ending = Ending.CERTIFICATE_REFUSED_EARLY if refused else Ending.GREETING_MISSING
            self._on_unusable(verdict(ending, session.detail))
        else:
            self._turn()

    def _on_unusable(self, error: NotSent | MaybeSent) -> None:
        """A connection could not be used. Who waits fails with it, unless another session may still help; then no
        new one is tried for a while, or a bank that accepts and hangs up would make us dial without end."""
        log.warning(
            "a connection to the bank could not be used",
            extra={
                "host": self._config.host,
                "port": self._config.port,
                "reason": error.reason.value,
                "cause": slug(error.detail),
            },
        )
        helpers = self._dialling + sum(not session.draining for session in self._sessions)
        if helpers == 0:
            self._reconnect_at = -math.inf
            self._fail_waiting(error)
        elif self._nursery is not None:
            self._reconnect_at = trio.current_time() + RECONNECT_PAUSE_S
            self._nursery.start_soon(self._pause)
        self._turn()

    async def _pause(self) -> None:
        await trio.sleep(RECONNECT_PAUSE_S)
        self._turn()

    def _fail_waiting(self, error: NotSent | MaybeSent) -> None:
        waiting, self._waiting = list(self._waiting), deque()
        for exchange in waiting:
            own = type(error)(error.reason, error.detail)
            own.__cause__ = error
            exchange.finish(own)
