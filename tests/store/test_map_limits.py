"""Claims about how large the map of a store becomes, and how many may read it at once."""

import errno
import fcntl
import os
import sys
from pathlib import Path
from typing import Any

import lmdb
import pytest
import trio

from gateway.config.settings import StoreSettings
from gateway.core.errors import Overloaded
from gateway.store.backup import LEFT_NAMED_MAX, PARTIAL, BackupFailed, _Copy, _made_whole
from gateway.store.environment import (
    CROWDED,
    READERS_FILE,
    READERS_FILE_BYTES,
    READERS_MAX,
    RESIZES_MAX,
    DataDirectoryUnusable,
    Environment,
    Maps,
    begin_reading,
    open_environment,
)
from gateway.store.store import MAP_BYTES_MAX, LmdbStore
from gateway.store.verify import verify
from gateway.store.writer import GROWTHS_MAX
from tests.fakes.admissions import queued
from tests.fakes.clock import FakeClock
from tests.fakes.environment import FailingEnvironment
from tests.fakes.programs import running
from tests.fills import fills
from tests.store.test_crash import ROOT


class BoundlessEnvironment(FailingEnvironment):
    """An environment that claims whatever size it is told to have; what is really there is small. `full` is how often a
    commit still finds no room."""

    def __init__(self, real: Environment, map_bytes: int) -> None:
        super().__init__(real)
        self.sizes = [map_bytes]
        self.full = 0
        self.before_commit = self._find_room

    def _find_room(self) -> None:
        if self.full > 0:
            self.full -= 1
            raise lmdb.MapFullError("map full")

    def set_mapsize(self, map_size: int) -> None:
        self.sizes.append(map_size)

    def info(self) -> Any:
        return {**super().__getattr__("info")(), "map_size": self.sizes[-1]}


class Opener:
    """Pass as `open_with`."""

    env: BoundlessEnvironment

    def __call__(self, path: Path, map_bytes: int) -> Environment:
        self.env = BoundlessEnvironment(open_environment(path, 1 << 20), map_bytes)
        return self.env


@fills("MAP_BYTES_MAX")
async def test_the_map_grows_to_its_bound_and_no_further(tmp_path: Path) -> None:
    """Where nobody says otherwise it grows to MAP_BYTES_MAX exactly; full at that size, the store sheds and lives on.
    The configuration's default is the same, and a map that begins larger is refused."""
    assert StoreSettings.model_fields["map_bytes_max"].default == MAP_BYTES_MAX
    with pytest.raises(ValueError, match="map_bytes_max"):
        LmdbStore(tmp_path, clock=FakeClock(), map_bytes_initial=MAP_BYTES_MAX + 1)
    opener = Opener()
    before = MAP_BYTES_MAX * 3 // 4
    async with LmdbStore(tmp_path, clock=FakeClock(), map_bytes_initial=before, open_with=opener) as store:
        opener.env.full = 1
        await store.admit([queued("fits in the larger map")])
        assert opener.env.sizes == [before, MAP_BYTES_MAX]
        opener.env.full = 1
        with pytest.raises(Overloaded):
            await store.admit([queued("finds no room")])
        assert opener.env.sizes == [before, MAP_BYTES_MAX]
        assert store.usage().map_bytes == MAP_BYTES_MAX
        assert not store.failed.is_set()
        await store.admit([queued("finds room again")])
    assert verify(tmp_path).payments == 2


@fills("GROWTHS_MAX")
async def test_one_commit_does_not_grow_the_map_for_ever(tmp_path: Path) -> None:
    """Where no size is ever enough, GROWTHS_MAX doublings are tried, and the admission is told to come again. No real
    map gets there: it would have more bytes than 64 bits can count."""
    opener = Opener()
    async with LmdbStore(
        tmp_path, clock=FakeClock(), map_bytes_initial=1 << 20, map_bytes_max=1 << 200, open_with=opener
    ) as store:
        opener.env.full = 10 * GROWTHS_MAX
        with pytest.raises(Overloaded):
            await store.admit([queued("finds no room")])
        assert len(opener.env.sizes) == 1 + GROWTHS_MAX
        assert opener.env.sizes[-1] > 1 << 64
        assert opener.env.full == 9 * GROWTHS_MAX
        opener.env.full = 0
        await store.admit([queued("finds room again")])
    assert verify(tmp_path).payments == 1


@fills("READERS_MAX")
def test_so_many_may_read_at_once(tmp_path: Path) -> None:
    """READERS_MAX readers are given their place, one more is not until one has gone; the file of their places is as
    large as it was made."""
    with open_environment(tmp_path, 1 << 20) as env:  # type: ignore[attr-defined]
        held = [begin_reading(env) for _ in range(READERS_MAX)]
        with pytest.raises(DataDirectoryUnusable, match=CROWDED):
            begin_reading(env)
        held.pop().abort()
        held.append(begin_reading(env))
        for txn in held:
            txn.abort()
    assert (tmp_path / READERS_FILE).stat().st_size == READERS_FILE_BYTES


@fills("READERS_MAX")
async def test_the_daemon_keeps_its_place_among_readers(tmp_path: Path) -> None:
    """Another process takes all the places there are, and is told so, as is who comes next; the daemon, which reads one
    at a time and has read before, reads and writes on."""
    modules = f"PYTHONPATH={ROOT}{os.pathsep}{ROOT / 'protos'}"
    crowding = ("env", modules, sys.executable, "-m", "tests.store.crowding", str(tmp_path))
    verifying = ("env", modules, sys.executable, "-m", "gateway", "verify", str(tmp_path))
    async with LmdbStore(tmp_path, clock=FakeClock()) as store:
        await store.admit([queued("before")])
        assert await store.by_key("acme", "before") is not None
        # But for the daemon's place, and the one in which the other process has opened the store.
        async with running(crowding, f"{READERS_MAX - 2} {CROWDED}".encode()):
            refused = await trio.run_process(verifying, capture_stderr=True, capture_stdout=True, check=False)
            assert CROWDED.encode() in refused.stderr
            await store.admit([queued("meanwhile")])
            assert await store.by_key("acme", "meanwhile") is not None


class GrowingEnvironment:
    """A store whose daemon makes the map larger between each two looks at it, `left` times more."""

    def __init__(self, left: int) -> None:
        self.left = left

    def _look(self) -> str:
        if self.left > 0:
            raise lmdb.MapResizedError("map resized")
        return "a look"

    def begin(self) -> str:
        return self._look()

    def copyfd(self, descriptor: int, *, compact: bool) -> None:
        os.write(descriptor, self._look().encode())

    def set_mapsize(self, map_size: int) -> None:
        assert map_size == 0  # whatever size it has
        self.left -= 1

    def info(self) -> Any:
        return {"last_pgno": 0}

    def stat(self) -> Any:
        return {"psize": 4096}


@fills("RESIZES_MAX")
def test_a_reader_follows_a_map_that_grows(tmp_path: Path) -> None:
    """Of RESIZES_MAX looks the last may be the first that finds the map as it left it; after them both a reader and a
    backup give up, with words for people."""
    growing: Any = GrowingEnvironment(RESIZES_MAX - 1)
    assert begin_reading(growing) == "a look"
    growing.left = RESIZES_MAX
    with pytest.raises(DataDirectoryUnusable, match="again and again"):
        begin_reading(growing)
    growing.left = RESIZES_MAX - 1
    _Copy(Maps(growing, {}), tmp_path, tmp_path / "copy", lambda _: None, None).run()
    assert (tmp_path / "copy").read_bytes() == b"a look"
    growing.left = RESIZES_MAX
    with pytest.raises(BackupFailed, match="again and again"):
        _Copy(Maps(growing, {}), tmp_path, tmp_path / "none", lambda _: None, None).run()


@fills("LEFT_NAMED_MAX")
def test_a_full_disk_names_a_few_of_the_folders_left_on_it(tmp_path: Path) -> None:
    """However many backups were killed, LEFT_NAMED_MAX of their folders are named; one that is being filled never."""
    left = [tmp_path / f".other-{number}{PARTIAL}x" for number in range(LEFT_NAMED_MAX + 2)]
    for folder in left:
        folder.mkdir()
    busy = os.open(left[0], os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(busy, fcntl.LOCK_EX)
    with pytest.raises(BackupFailed) as failed, _made_whole(tmp_path / "copy"):
        raise OSError(errno.ENOSPC, "No space left on device")
    os.close(busy)
    named = [folder for folder in left if str(folder) in str(failed.value)]
    assert named == left[1 : 1 + LEFT_NAMED_MAX]
