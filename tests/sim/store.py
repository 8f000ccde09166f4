"""Stores that can crash: one in memory whose commits are points in time, and the real one under the fake clock.

The disk outlives the process. A write that was handed over lives on when its caller hangs up, and dies with the
process unless its commit is done: then it is there, though nobody was told.
"""

import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import trio

from gateway.core.errors import Overloaded
from gateway.core.facts import STORE_ID, Fact, StoreHappening, quarantined_since
from gateway.core.payment import Payment
from gateway.core.ports import Admission, Admitted, CommitListener, Step, Stepped
from gateway.store.envelope import CorruptRecord
from gateway.store.store import LmdbStore
from tests.fakes.clock import FakeClock
from tests.fakes.memory_store import MemoryStore

FLUSH_S_MAX = 0.02
"""Longest simulated commit: two device flushes."""
MAP_BYTES = 8 << 20

T = TypeVar("T")
Witness = CommitListener


@dataclass(slots=True)
class Hazards:
    """What may strike a store, by the seed's dice. All zero: nothing does."""

    dice: random.Random
    faults: Counter[str]
    crash_before_commit: float = 0.0
    crash_after_commit: float = 0.0
    full: float = 0.0
    """Share of admissions that are shed."""


@dataclass(slots=True)
class _Write:
    act: Callable[[], Any]
    done: trio.Event = field(default_factory=trio.Event)
    result: Any = None


class SimStore(MemoryStore):
    """One process's hold on the disk. `witness` sees each commit the moment it is durable, told or not."""

    corrupt: tuple[CorruptRecord, ...] = ()

    def __init__(
        self, clock: FakeClock, disk: MemoryStore, hazards: Hazards, witness: Witness, die: Callable[[], None]
    ) -> None:
        super().__init__(clock)
        for name, kept in vars(disk).items():
            if name not in ("failed", "_listeners"):
                setattr(self, name, kept)  # the disk's own, changed in place
        self._hazards = hazards
        self._witness = witness
        self._die = die
        self._waiting: list[_Write] = []
        self._wake = trio.Event()

    async def check_head(self) -> None:
        """The chain is the real store's; here the log is a list."""

    async def admit(self, admissions: Sequence[Admission]) -> list[Admitted]:
        if self._hazards.dice.random() < self._hazards.full:
            self._hazards.faults["store_full"] += 1
            raise Overloaded("the writer's queue", 0.1)
        return await self._commit(lambda: [self._admit(one) for one in admissions])

    async def take(self, steps: Sequence[Step]) -> list[Stepped]:
        return await self._commit(lambda: [self._take(one) for one in steps])

    async def set_cursor(self, bank: str, cursor: str, kept: Sequence[bytes] = ()) -> None:
        await self._commit(lambda: self._cursors.update({bank: cursor}))

    async def log(self, happenings: Sequence[StoreHappening]) -> None:
        await self._commit(lambda: self._log_store(happenings))

    def quarantined(self) -> list[Fact]:
        return quarantined_since(self._facts_of[STORE_ID][::-1])

    async def _commit(self, act: Callable[[], T]) -> T:
        write = self._handed_over(act)
        await write.done.wait()
        result: T = write.result
        return result

    def _handed_over(self, act: Callable[[], Any]) -> "_Write":
        write = _Write(act)
        self._waiting.append(write)
        self._wake.set()
        return write

    async def run(self) -> None:
        """The writer: all that waits shares the next commit."""
        while True:
            if not self._waiting:
                self._wake = trio.Event()
                await self._wake.wait()
            await trio.sleep(self._hazards.dice.random() * FLUSH_S_MAX)
            batch, self._waiting = self._waiting, []
            await self._survive("crash_before_commit", self._hazards.crash_before_commit)
            told = len(self._facts)
            for write in batch:
                write.result = write.act()
            new = self._facts[told:]
            self._witness(new)
            await self._survive("crash_after_commit", self._hazards.crash_after_commit)
            for listener in self._listeners if new else ():
                listener(new)
            for write in batch:
                write.done.set()

    async def _survive(self, hazard: str, chance: float) -> None:
        if chance and self._hazards.dice.random() < chance:
            self._hazards.faults[hazard] += 1
            self._die()
            await trio.sleep_forever()


class SimLmdb(LmdbStore):
    """The real store. Its commits are real ones in a thread, so the order of things is not the seed's alone; they take
    no time of the fake clock, which would otherwise leap on while the thread works."""

    def __init__(self, folder: Path, clock: FakeClock, witness: Witness) -> None:
        super().__init__(folder, clock=clock, map_bytes_initial=MAP_BYTES)
        self._see = witness
        self._hazards: Hazards | None = None
        self._die: Callable[[], None] = _nobody_dies

    async def __aenter__(self) -> "SimLmdb":
        await super().__aenter__()
        self.on_commit(self._see)
        return self

    async def run(self) -> None:
        """The writer's thread runs by itself."""

    def of_new_process(self, hazards: Hazards, die: Callable[[], None]) -> None:
        """The listeners of the process that is gone hear nothing more."""
        del self._writer.listeners[1:]
        self._hazards, self._die = hazards, die

    async def flushed(self) -> None:
        """What was handed over before a crash is there, or never was: it must not come after the next start."""
        await promptly(partial(super().set_cursor, "nobody", ""))

    def quarantined(self) -> list[Fact]:
        with self._view() as view:
            return view.quarantine()

    def copied(self, folder: Path) -> None:
        """All that is durable now, as one transaction sees it."""
        env: Any = self._maps.env
        with self._map_lock:
            env.copy(str(folder), compact=True)

    def durable(self, payment_id: bytes) -> Payment | None:
        """What the disk says now."""
        with self._view() as view:
            return view.payment(payment_id)

    async def admit(self, admissions: Sequence[Admission]) -> list[Admitted]:
        return await self._at_the_boundary(partial(super().admit, admissions))

    async def take(self, steps: Sequence[Step]) -> list[Stepped]:
        return await self._at_the_boundary(partial(super().take, steps))

    async def log(self, happenings: Sequence[StoreHappening]) -> None:
        await self._at_the_boundary(partial(super().log, happenings))

    async def set_cursor(self, bank: str, cursor: str, kept: Sequence[bytes] = ()) -> None:
        await self._at_the_boundary(partial(super().set_cursor, bank, cursor, kept))

    async def _at_the_boundary(self, write: Callable[[], Awaitable[T]]) -> T:
        """A crash just before this write is handed to its commit, or after it: durable, and nobody was told."""
        hazards = self._hazards
        await self._survive(hazards, "crash_before_commit", hazards.crash_before_commit if hazards else 0.0)
        result = await promptly(write)
        await self._survive(hazards, "crash_after_commit", hazards.crash_after_commit if hazards else 0.0)
        return result

    async def _survive(self, hazards: Hazards | None, hazard: str, chance: float) -> None:
        if hazards is None or not chance or hazards is not self._hazards or hazards.dice.random() >= chance:
            return
        hazards.faults[hazard] += 1
        self._die()
        await trio.sleep_forever()


def _nobody_dies() -> None:
    pass


async def promptly(write: Callable[[], Awaitable[T]]) -> T:
    """Awaits what a real thread does, while the fake clock stands still."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_keep_awake)
        result = await write()
        nursery.cancel_scope.cancel()
    return result


async def _keep_awake() -> None:
    while True:
        await trio.lowlevel.checkpoint()
