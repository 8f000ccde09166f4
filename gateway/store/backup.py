"""A copy of a store, made beside the running daemon: consistent, verified, and there whole or not at all.

LMDB copies what one read transaction sees, so the copy is consistent however much is written meanwhile. What can go
wrong, and why this shape:

* That transaction pins every page which was current when it began: while it lives, the daemon's commits cannot use
  freed pages again, and the data file grows. It is the one reader that may live longer than READ_TXN_S_MAX, and what
  is bounded instead is the harm: the copy comes through a pipe that we read, and when the file has grown by more than
  its share, or its disk gets short, we close our end. LMDB then ends the copy and the transaction with it, also where
  the destination has stalled. Pages pinned for a while are used again afterwards; nothing is lost but file size.
* A copy inside the daemon would make its event loop pay and its crash ours. A process of its own needs no more than
  the lock file's reader table; should it be killed, the daemon clears its entry within a minute (HOUSEKEEPING_S).
* Half a backup that looks like one. Everything is made in a folder of another name beside the destination, flushed,
  verified as `causeway verify` does, and renamed last.
* A backup that was killed leaves that folder. Who fills one holds its lock, so the next backup to the same destination
  can tell what was left from what is being made, and takes it away; a full disk names those of other destinations.
"""

import errno
import fcntl
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import lmdb

from gateway.core.facts import GENESIS, chained
from gateway.core.ports import WallClock
from gateway.store import layout
from gateway.store.environment import DATA_FILE, RESIZES_MAX, Maps, opened_for_reading, sync_directory
from gateway.store.manifest import MANIFEST_FILE, Manifest, moment
from gateway.store.reads import View
from gateway.store.verify import Report, verify

CHUNK_BYTES: Final = 1 << 20
GROWTH_BYTES_MIN: Final = 256 << 20
"""The data file may always grow by so much during a copy; a store larger than this at most doubles."""
FREE_BYTES_MIN: Final = 256 << 20
"""What must stay free on the store's own disk while it grows: the daemon's next commits come first."""
WATCH_EVERY_S: Final = 0.2  # the daemon writes some 50 MiB in it at full load
PARTIAL: Final = ".partial-"
LEFT_NAMED_MAX: Final = 3  # folders that a message names


class BackupFailed(Exception):
    """No backup was made, and nothing was left behind. The text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is. `step` is "copy" or "verify"; `total_bytes` is an upper bound."""

    step: str
    done_bytes: int
    total_bytes: int
    grown_bytes: int
    """How much the daemon's data file has grown since the copy began."""


Told = Callable[[Progress], None]


def backup(
    source: Path,
    destination: Path,
    *,
    clock: WallClock,
    version: str,
    told: Told,
    growth_bytes_max: int | None = None,
) -> Manifest:
    """Copies the store in `source` to the new folder `destination` (mode 0700, files 0600) and verifies the copy.

    `growth_bytes_max` is by how much the data file may grow meanwhile (None: GROWTH_BYTES_MIN, or as much as it has).

    The daemon may be running, in another process. Raises BackupFailed, DataDirectoryUnusable.
    """
    _check_destination(source, destination)
    with _made_whole(destination) as folder, opened_for_reading(source) as maps:
        taken_at_ns = clock.now_ns()
        copied = _Copy(maps, source, folder / DATA_FILE, told, growth_bytes_max)
        copied.run()
        told(Progress("verify", copied.done_bytes, copied.done_bytes, copied.grown_bytes))
        report = _verified(folder)
        manifest = Manifest(
            store_id=store_id(folder),
            sequence=report.sequence,
            head=report.head.hex(),
            payments=report.payments,
            taken_at=moment(taken_at_ns),
            causeway_version=version,
            data_bytes=copied.done_bytes,
            data_sha256=copied.sha256,
        )
        write_whole(folder / MANIFEST_FILE, manifest.text().encode())
    return manifest


def store_id(folder: Path) -> str:
    """The hash of a store's first fact, in hexadecimal; "" where it has none."""
    with opened_for_reading(folder) as maps, maps.env.begin() as txn:
        key = layout.number(1)
        view = View(maps, txn, lambda _: None)
        stored = view.get(layout.SEQ2FACT, key)
        return "" if stored is None else chained(GENESIS, view.unsealed_fact(key, stored)[2]).hex()


def write_whole(file: Path, content: bytes) -> None:
    """A new file of mode 0600, flushed to the device."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(descriptor)


def _check_destination(source: Path, destination: Path) -> None:
    if destination.exists() or destination.is_symlink():
        raise BackupFailed(f"{destination} exists already: name a new folder for each backup")
    if not destination.parent.is_dir():
        raise BackupFailed(f"{destination.parent} is no folder: make it first")
    if destination.resolve().is_relative_to(source.resolve()):
        raise BackupFailed(f"{destination} lies in the data directory: a backup belongs on another disk")


@contextmanager
def _made_whole(destination: Path) -> Iterator[Path]:
    """A folder to fill that becomes `destination` at the end of the `with`, or vanishes. Raises BackupFailed."""
    folder = lock = None
    try:
        for left in _left_behind(destination.parent, destination.name):
            shutil.rmtree(left)
        folder = Path(tempfile.mkdtemp(prefix=f".{destination.name}{PARTIAL}", dir=destination.parent))
        lock = _locked(folder)
        yield folder
        for strange in ("lock.mdb", "causeway.lock"):
            (folder / strange).unlink(missing_ok=True)
        sync_directory(folder)
        os.rename(folder, destination)  # fails where somebody has filled the place meanwhile
        sync_directory(destination.parent)
    except BaseException as error:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)  # what remains has a name that says what it is
        if isinstance(error, OSError):
            raise BackupFailed(f"{destination}: {error.strerror}: {_advice(error, destination.parent)}") from error
        raise
    finally:
        if lock is not None:
            os.close(lock)


def _advice(error: OSError, place: Path) -> str:
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return "nothing was left behind"
    left = sorted(str(each) for each in _left_behind(place))[:LEFT_NAMED_MAX]
    also = f" ({', '.join(left)}: left by a backup that was killed, delete it)" if left else ""
    return f"make room there{also}, or name another place"


def _left_behind(place: Path, name: str = "") -> list[Path]:
    """Folders that a killed backup to `name` (all names, if empty) has left in `place`: those nobody fills."""
    begin = f".{name}{PARTIAL}" if name else "."
    found = [each for each in place.iterdir() if each.name.startswith(begin) and PARTIAL in each.name]
    return [each for each in found if each.is_dir() and not each.is_symlink() and _is_free(each)]


def _is_free(folder: Path) -> bool:
    lock = _locked(folder)
    if lock is None:
        return False
    os.close(lock)
    return True


def _locked(folder: Path) -> int | None:
    """The descriptor that holds the folder's lock until it is closed; None where another process has it, or where the
    file system knows no locks: then nothing is known to be left behind, and nothing taken away."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _verified(folder: Path) -> Report:
    report = verify(folder)
    if not report.whole:
        first = report.findings[0]
        raise BackupFailed(
            f"the copy does not verify ({report.finding_count} findings, the first: {first.mapping} {first.key}: "
            f"{first.what}). Run `causeway verify` on the data directory: if that finds the same, the store is damaged"
        )
    return report


class _Copy:
    """LMDB's copy, which writes into a pipe, and the two who look after it: one keeps what comes out of the pipe, the
    other ends the copy when it costs the daemon too much, also while the first hangs on a dead disk."""

    def __init__(self, maps: Maps, source: Path, file: Path, told: Told, growth_bytes_max: int | None) -> None:
        self.done_bytes = 0
        self._maps = maps
        self._source = source
        self._file = file
        self._told = told
        self._hash = sha256()
        self._error: Exception | None = None
        self._ended = threading.Event()
        self._began_with_bytes = self._used_bytes()
        allowed = max(GROWTH_BYTES_MIN, self._began_with_bytes)
        self._growth_bytes_max = allowed if growth_bytes_max is None else growth_bytes_max

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    @property
    def grown_bytes(self) -> int:
        return self._used_bytes() - self._began_with_bytes

    def run(self) -> None:
        """Raises BackupFailed, OSError."""
        reading, writing = os.pipe()
        threads = [
            threading.Thread(target=self._copy_into, args=(writing,), name="causeway-copy", daemon=True),
            threading.Thread(target=self._watch, args=(reading,), name="causeway-copy-watch", daemon=True),
        ]
        for thread in threads:
            thread.start()
        try:
            self._keep_all(reading)
        finally:
            self._ended.set()
            _let_go(reading)  # ends a copy that is still under way
            for thread in threads:
                thread.join()
            os.close(reading)
        if self._error is not None:
            raise self._error

    def _copy_into(self, writing: int) -> None:
        env: Any = self._maps.env
        try:
            for _ in range(RESIZES_MAX):
                try:
                    env.copyfd(writing, compact=True)
                    return
                except lmdb.MapResizedError:
                    env.set_mapsize(0)  # the daemon's map has grown: take its size; nothing was written yet
            self._fail("the daemon's map grew again and again: try once more")
        except lmdb.Error as error:
            self._fail(f"LMDB could not copy: {error}")
        finally:
            os.close(writing)

    def _watch(self, reading: int) -> None:
        while not self._ended.wait(WATCH_EVERY_S):
            grown = self.grown_bytes
            disk = os.statvfs(self._source)
            if grown > self._growth_bytes_max:
                self._fail(
                    f"the data file grew by {grown >> 20} MiB while {self.done_bytes >> 20} MiB were copied: the "
                    "destination is too slow for this load. Copy to a faster disk, or at a quieter time"
                )
            elif grown > 0 and disk.f_bavail * disk.f_frsize < FREE_BYTES_MIN:
                self._fail(f"the disk of {self._source} is nearly full: make room before a backup lets it grow")
            if self._error is not None:
                _let_go(reading)
                return

    def _fail(self, why: str) -> None:
        """The first reason counts; what follows from it (a broken pipe) does not."""
        self._error = self._error or BackupFailed(why)

    def _keep_all(self, reading: int) -> None:
        descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb", buffering=0) as out:
            while chunk := os.read(reading, CHUNK_BYTES):
                self._hash.update(chunk)
                left = memoryview(chunk)
                while left:
                    left = left[out.write(left) or 0 :]
                self.done_bytes += len(chunk)
                self._told(Progress("copy", self.done_bytes, self._began_with_bytes, self.grown_bytes))
            os.fsync(descriptor)

    def _used_bytes(self) -> int:
        env = self._maps.env
        return int((env.info()["last_pgno"] + 1) * env.stat()["psize"])


def _let_go(reading: int) -> None:
    """Closes the pipe but not its number, which others may be about to read from: they find an end there."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, reading)
    os.close(nothing)
