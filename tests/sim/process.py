"""One process of the daemon, as gateway/daemon.py puts it together, from its start to its crash or its drain.

A crash drops every task where it stands. Calls of clients and watchers run in their own tasks, like connections: they
end with the process.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar, cast

import trio

from gateway.core.facts import Fact
from gateway.core.ports import Collects, Store, WallClock
from gateway.dispatch.lane import Lane
from gateway.events.feed import Feed
from gateway.house import House
from gateway.status.collector import Collector
from gateway.status.inquiries import Inquiries
from gateway.store.recover import recover
from gateway.store.store import LmdbStore

DRAIN_S = 20.0

T = TypeVar("T")


class Gone(Exception):
    """The process died, or takes no calls: the caller knows nothing about its call."""


class RunningStore(Store, Protocol):
    async def run(self) -> None: ...
    def quarantined(self) -> list[Fact]:
        """As Store.quarantine, at once."""
        ...


Recover = Callable[[Store, WallClock, float], Awaitable[object]]


async def recover_as_daemon(store: Store, clock: WallClock, inquire_after_s: float) -> object:
    """The real recovery. It asks little more than the port of a store."""
    return await recover(cast(LmdbStore, store), clock, inquire_after_s)


@dataclass(slots=True)
class Process:
    """`run` returns when the process is no more; `feed` and calls are there once it is `up`."""

    house: House
    store: RunningStore
    recover: Recover
    started: Callable[[], None]
    """Told when recovery is through, before anything else runs."""
    up: trio.Event = field(default_factory=trio.Event)
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    feed: Feed = field(init=False)
    _closed: bool = False
    _calls: dict[trio.CancelScope, None] = field(default_factory=dict)
    _idle: trio.Event = field(default_factory=trio.Event)
    lanes: list[Lane] = field(default_factory=list)

    async def run(self) -> None:
        try:
            with self.scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self.store.run)
                    await self._start(nursery)
        finally:
            self._closed = True
            self._hang_up()

    async def _start(self, nursery: trio.Nursery) -> None:
        house = self.house
        first_s = max(bank.profile.inquiry.first_after_s for bank in house.banks.values())
        await self.recover(self.store, house.clock, first_s)
        self.started()
        self.feed = Feed(self.store)
        for bank in house.banks.values():
            lane = Lane(house, bank)
            self.lanes.append(lane)
            nursery.start_soon(Inquiries(house, bank).run)
            nursery.start_soon(lane.run)
            words = bank.adapter
            if isinstance(words, Collects):
                nursery.start_soon(Collector(house, bank, words).run)
        self.up.set()

    def crash(self) -> None:
        """Now, in the middle of whatever is being done."""
        self._closed = True
        self.scope.cancel()
        self._hang_up()

    async def drain(self) -> None:
        """As the daemon does on SIGTERM: no new calls, no new messages, then the end."""
        self._closed = True
        if self.up.is_set():
            self.feed.close()
        for lane in self.lanes:
            lane.stop()
        with trio.move_on_after(DRAIN_S):
            for lane in self.lanes:
                await lane.drained()
            if self._calls:
                await self._idle.wait()
        self.crash()

    async def call(self, act: Callable[[House], Awaitable[T]]) -> T:
        """One call of somebody outside. Raises Gone."""
        if self._closed or not self.up.is_set():
            raise Gone
        with trio.CancelScope() as scope:
            self._calls[scope] = None
            try:
                return await act(self.house)
            finally:
                del self._calls[scope]
                if not self._calls:
                    self._idle.set()
                    self._idle = trio.Event()
        raise Gone

    def _hang_up(self) -> None:
        for scope in self._calls:
            scope.cancel()
