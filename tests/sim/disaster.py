"""A disk that is lost, and what there is to restore from: backups taken at some moment, beside the running daemon.

Over the store in memory a backup is a copy of what is durable; over LMDB it is LMDB's own copy with the manifest that
`causeway backup` writes, and `gateway.store.restore.restore` makes the new store of it. (`backup` itself opens the
store in another process, which a simulation has not.)
"""

import copy
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, cast

import trio

from gateway import limits
from gateway.core.facts import Fact
from gateway.core.ports import CommitListener, WallClock
from gateway.store.backup import store_id, write_whole
from gateway.store.environment import DATA_FILE
from gateway.store.manifest import MANIFEST_FILE, Manifest, moment
from gateway.store.restore import Told, restore
from gateway.store.store import LmdbStore
from gateway.store.verify import verify
from tests.fakes.clock import FakeClock
from tests.fakes.memory_store import MemoryStore
from tests.fakes.ordered import Ordered
from tests.sim.store import Hazards, SimLmdb, SimStore, promptly

OPERATOR: Final = "os:ann"
OF_THE_PROCESS: Final = frozenset({"failed", "_clock", "_listeners"})
"""What of a store in memory is not on its disk."""

Quarantined = Callable[[LmdbStore, bytes, WallClock, str, Told], Awaitable[object]]
"""What a restore does to what it has copied: gateway.store.restore.quarantined, or a defect of it."""


class MemoryDisk:
    """The disk of runs over the store in memory."""

    def __init__(self, disk: MemoryStore, clock: FakeClock, quarantined: Quarantined) -> None:
        self._quarantined = quarantined
        self._disk = disk
        self._clock = clock
        self._kept: dict[str, Any] | None = None

    @property
    def backup_taken(self) -> bool:
        return self._kept is not None

    async def back_up(self) -> None:
        self._kept = {name: _copy(kept) for name, kept in vars(self._disk).items() if name not in OF_THE_PROCESS}

    async def lose(self) -> tuple[int, Sequence[Fact]]:
        """Only what was backed up is left, in quarantine. Returns the backup's last sequence, and the facts since."""
        for name, kept in (self._kept or {}).items():
            setattr(self._disk, name, _copy(kept))
        sequence = len(self._disk._facts)
        behaves = Hazards(random.Random(sequence), Counter())
        store = SimStore(self._clock, self._disk, behaves, _nothing, lambda: None)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(store.run)
            await self._quarantined(cast(LmdbStore, store), b"the manifest", self._clock, OPERATOR, _told)
            nursery.cancel_scope.cancel()
        return sequence, self._disk._facts[sequence:]


def _copy(kept: Any) -> Any:
    """Of containers only, to any depth: what lies in them never changes."""
    if isinstance(kept, list):
        return list(kept)
    if isinstance(kept, Ordered):
        ordered = copy.copy(kept)
        ordered._keys = list(kept)
        return ordered
    if not isinstance(kept, dict):
        return kept
    copied = copy.copy(kept)  # keeps the kind of dictionary
    copied.update({key: _copy(value) for key, value in kept.items()} if not isinstance(kept, Counter) else {})
    return copied


class LmdbDisk:
    """The folders of runs over LMDB; one after the other holds the store."""

    def __init__(self, folder: Path, clock: FakeClock, witness: CommitListener) -> None:
        self._folder = folder
        self._clock = clock
        self._witness = witness
        self._lives = 0
        self._backups = 0
        self._open = AsyncExitStack()
        self.store: SimLmdb

    async def __aenter__(self) -> "LmdbDisk":
        await self._opened()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    async def _opened(self) -> None:
        place = self._folder / f"store-{self._lives}"
        self.store = await self._open.enter_async_context(SimLmdb(place, self._clock, self._witness))

    @property
    def backup_taken(self) -> bool:
        return self._backups > 0

    async def back_up(self) -> None:
        self._backups += 1
        folder = self._folder / f"backup-{self._backups}"
        folder.mkdir()
        self.store.copied(folder)
        (folder / "lock.mdb").unlink(missing_ok=True)
        data = (folder / DATA_FILE).read_bytes()
        report = verify(folder)
        assert report.whole, report.findings[:1]
        manifest = Manifest(
            store_id=store_id(folder),
            sequence=report.sequence,
            head=report.head.hex(),
            payments=report.payments,
            taken_at=moment(self._clock.now_ns()),
            causeway_version="0",
            data_bytes=len(data),
            data_sha256=sha256(data).hexdigest(),
        )
        write_whole(folder / MANIFEST_FILE, manifest.text().encode())

    async def lose(self) -> tuple[int, Sequence[Fact]]:
        """As of the other disk."""
        await self._open.aclose()
        self._open = AsyncExitStack()
        self._lives += 1
        place = self._folder / f"store-{self._lives}"
        place.mkdir()
        backup = self._folder / f"backup-{self._backups}"
        restored = await promptly(partial(restore, backup, place, clock=self._clock, actor=OPERATOR, told=_told))
        await self._opened()
        sequence, facts = restored.manifest.sequence, list[Fact]()
        while page := await self.store.facts(sequence + len(facts), limits.PAGE_SCAN_MAX):
            facts += page
        return sequence, facts


def _nothing(facts: Sequence[Fact]) -> None:
    """Nobody hears."""


def _told(step: str, done: int) -> None:
    """Nobody looks."""
