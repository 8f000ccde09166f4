"""Connections that end all the time under load, and the tally of what became of each exchange.

A peer that behaves ends a connection by GOAWAY, completes the streams up to its last id and touches none above. Then
every exchange must end answered or provably not sent: a doubt is a false one. What was not sent is sent again at once
with the same reference, so that the peer's own record, its oracle, shows any double.
"""

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import trio

from gateway.connector.config import LinkConfig
from gateway.connector.pool import Pool
from gateway.core.errors import MaybeSent, NotSent
from gateway.core.ports import WireAnswer, WireRequest
from gateway.net.tls import client_context
from tests.fakes.papers import BANK, Papers

PAYERS: Final = 24
SESSIONS: Final = 2
STREAMS_PER_SESSION: Final = 16
TRIES_MAX: Final = 500  # of one request: a peer may refuse a lucky loser again and again, but not for ever
EXCHANGE_S_MAX: Final = 30.0


@dataclass(slots=True)
class Tally:
    """Of one peer. `wrong` are answers to another request; `double` and `strange` come from the peer's own record."""

    peer: str
    rotations: int = 0
    """Connections beyond the first ones: each stands for one that ended."""
    exchanges: int = 0
    answered: int = 0
    not_sent: Counter[str] = field(default_factory=Counter)
    doubts: Counter[str] = field(default_factory=Counter)
    wrong: int = 0
    double: int = 0
    """Requests that the peer processed more than once."""
    missing: int = 0
    """Answered requests that the peer's record does not know."""
    seconds: float = 0.0
    """Once it has ended."""

    @property
    def good(self) -> bool:
        return not (self.doubts or self.wrong or self.double or self.missing)

    def document(self) -> dict[str, Any]:
        counts = {name: getattr(self, name) for name in Tally.__dataclass_fields__}
        return counts | {"seconds": round(self.seconds, 1), "good": self.good}

    def line(self) -> str:
        return (
            f"{self.peer}: {self.rotations} rotations, {self.exchanges} exchanges, {self.answered} answered, "
            f"{self.not_sent.total()} not sent, {self.doubts.total()} doubts, {self.wrong} wrong, "
            f"{self.double} double, {self.missing} missing"
        )


@dataclass(frozen=True, slots=True)
class Rotor:
    """A running peer that lets no connection live for long."""

    port: int
    request: Callable[[int], WireRequest]
    """The request with this number."""
    owns: Callable[[int, WireAnswer], bool]
    """Whether this is the answer to the request with this number."""
    processed: Callable[[], Counter[int]]
    """How often the peer has processed each number, by its own record. Asked when all is quiet."""
    link: dict[str, Any] = field(default_factory=dict)
    """Fields of LinkConfig that differ."""


Peer = Callable[[Papers, int], AbstractAsyncContextManager[Rotor]]
"""(papers, seed) → a running peer."""


class Dialler:
    """Opens connections and counts them."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.dials = 0

    async def dial(self) -> trio.abc.Stream:
        self.dials += 1
        return await trio.open_tcp_stream("127.0.0.1", self._port)


class Run:
    """One peer under load, until so many connections have been replaced."""

    def __init__(self, name: str, rotor: Rotor, pool: Pool, dialler: Dialler, rotations: int) -> None:
        self._rotor = rotor
        self._pool = pool
        self._dialler = dialler
        self._wanted = rotations
        self._next = 0
        self._answered: set[int] = set()
        self.tally = Tally(name)

    async def load(self, told: Callable[[str], None] | None = None) -> None:
        began_s = trio.current_time()
        async with trio.open_nursery() as nursery:
            for _ in range(PAYERS):
                nursery.start_soon(self._pay_until_done, told)
        self.tally.seconds = trio.current_time() - began_s
        processed = self._rotor.processed()
        self.tally.double = sum(count > 1 for count in processed.values())
        self.tally.missing = sum(number not in processed for number in self._answered)

    async def _pay_until_done(self, told: Callable[[str], None] | None) -> None:
        tally = self.tally
        while tally.rotations < self._wanted and tally.good:
            self._next += 1
            await self._pay(self._next)
            before, tally.rotations = tally.rotations, max(0, self._dialler.dials - SESSIONS)
            if told and tally.rotations // 100 > before // 100:
                told(tally.line())

    async def _pay(self, number: int) -> None:
        """One request until it is answered or in doubt."""
        request = self._rotor.request(number)
        for _ in range(TRIES_MAX):
            self.tally.exchanges += 1
            try:
                answer = await self._pool.exchange(request, timeout_s=EXCHANGE_S_MAX)
            except NotSent as error:
                self.tally.not_sent[error.reason.value] += 1
                continue
            except MaybeSent as error:
                self.tally.doubts[error.reason.value] += 1
                return
            self.tally.answered += 1
            self._answered.add(number)
            self.tally.wrong += not self._rotor.owns(number, answer)
            return
        raise AssertionError(f"request {number} was refused {TRIES_MAX} times")


async def rotate(
    name: str, peer: Peer, papers: Papers, seed: int, rotations: int, told: Callable[[str], None] | None = None
) -> Tally:
    """Loads the peer until `rotations` connections have been replaced, or something is wrong."""
    async with peer(papers, seed) as rotor, trio.open_nursery() as nursery:
        dialler = Dialler(rotor.port)
        terms: dict[str, Any] = {
            "tls_context": partial(client_context, papers.client_files()),
            "sessions_max": SESSIONS,
            "streams_per_session_max": STREAMS_PER_SESSION,
            **rotor.link,
        }
        pool = Pool(LinkConfig(host=BANK, port=rotor.port, dial=dialler.dial, **terms))
        await nursery.start(pool.run)
        run = Run(name, rotor, pool, dialler, rotations)
        await run.load(told)
        nursery.cancel_scope.cancel()
    return run.tally
