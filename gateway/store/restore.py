"""A backup becomes a store again, in quarantine: it may be older than what the banks know (law 6).

What can go wrong is that the restored store believes itself. A payment it holds as QUEUED may have been sent and
booked after the backup was taken; sent again, it is paid twice. So nothing that could be sent comes out of here:
whatever is not at an end and not at a bank is SUSPECTED, that is IN_DOUBT, and only the ways out of doubt lead on.
That is done here, once, before the store has its name, and not by the daemon at each start: the store a daemon opens
is safe by its own state, whatever that daemon thinks of quarantine.

The act itself is the first fact of the restored store: RESTORED, by whom, resting on the manifest of the backup. The
log since then is what the quarantine consists of (facts.quarantined_since).

The data file is made in a folder inside the data directory (which may be a volume's root, where nothing can be renamed
over it) and moved into place last. A restore that was killed leaves that folder; no daemon opens a directory with it,
and the same command given again begins anew.
"""

import errno
import io
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Final

from gateway.core import happenings
from gateway.core.facts import StoreHappening, StoreKind
from gateway.core.happenings import Happening
from gateway.core.ports import Step, WallClock
from gateway.core.reasons import Reason
from gateway.core.states import State
from gateway.store.environment import (
    DATA_FILE,
    LOCK_FILE,
    PARTIAL_FOLDER,
    DataDirectoryUnusable,
    lock_directory,
    sync_directory,
)
from gateway.store.manifest import BackupUnusable, Manifest, read_manifest
from gateway.store.recover import recover
from gateway.store.store import LmdbStore
from gateway.store.verify import verify

SUSPECT_PAGE: Final = 500
CHUNK_BYTES: Final = 1 << 20
ROOM_BYTES_MIN: Final = 64 << 20  # beside twice the data, as much as a store takes at the least
HOLD_UNSCREENED: Final = "restored_unscreened"
"""The hold of a payment that was RECEIVED in the backup: what was to be checked before sending was not."""
EMPTY_BUT_FOR: Final = frozenset({LOCK_FILE, "lost+found"})
"""What a new data directory may hold: our lock, and what a file system makes in a volume's root."""

SUSPECTS: Final = (State.IN_DOUBT, State.HELD, State.QUEUED)
"""In this order: a payment is suspected once. SENDING is made IN_DOUBT before, RECEIVED is HELD before."""


@dataclass(frozen=True, slots=True)
class Restored:
    manifest: Manifest
    suspected: int
    """Payments that may have been sent since the backup, now IN_DOUBT."""


Told = Callable[[str, int], None]
"""(step: "copy" in bytes, "verify", or "suspect" in payments of one state; how much of it is done)."""


async def restore(backup: Path, data_dir: Path, *, clock: WallClock, actor: str, told: Told) -> Restored:
    """Makes `data_dir` (new or empty) the store that `backup` holds, in quarantine.

    Raises BackupUnusable, DataDirectoryUnusable, DataDirectoryInUse; OSError where a disk fails or is full. Whatever is
    raised, nothing usable is left in `data_dir`.
    """
    manifest = read_manifest(backup)
    with _made_whole(data_dir) as folder:
        _check_room(data_dir, manifest)
        _copy(backup / DATA_FILE, folder / DATA_FILE, manifest, told)
        told("verify", 0)
        _check(folder, manifest)
        suspected = await _quarantined(folder, manifest, clock, actor, told)
    return Restored(manifest, suspected)


def _check_room(data_dir: Path, manifest: Manifest) -> None:
    """The suspicions are written too, and a store that finds its disk full waits for room. Raises OSError."""
    disk = os.statvfs(data_dir)
    wanted = 2 * manifest.data_bytes + ROOM_BYTES_MIN
    if disk.f_bavail * disk.f_frsize < wanted:
        raise OSError(errno.ENOSPC, f"{os.strerror(errno.ENOSPC)}: {wanted >> 20} MiB are needed", str(data_dir))


@contextmanager
def _made_whole(data_dir: Path) -> Iterator[Path]:
    """A folder whose data file moves into `data_dir` at the end of the `with`; on an error nothing of it is left."""
    lock = lock_directory(data_dir)
    folder = data_dir / PARTIAL_FOLDER
    try:
        there = {entry.name for entry in data_dir.iterdir()} - EMPTY_BUT_FOR - {PARTIAL_FOLDER}
        if there:
            raise DataDirectoryUnusable(
                f"{data_dir} is not empty ({', '.join(sorted(there)[:3])}): restore into a new directory and keep this "
                "one, it may know more than the backup"
            )
        shutil.rmtree(folder, ignore_errors=True)  # of a restore that was killed: we hold the directory's lock
        folder.mkdir(mode=0o700)
        try:
            yield folder
            os.rename(folder / DATA_FILE, data_dir / DATA_FILE)
            sync_directory(data_dir)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            sync_directory(data_dir)
    finally:
        os.close(lock)


def _copy(source: Path, target: Path, manifest: Manifest, told: Told) -> None:
    """Raises BackupUnusable where it is not the file that the manifest describes."""
    hashed, done = sha256(), 0
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with _opened(source) as stream, os.fdopen(descriptor, "wb") as out:
        while chunk := stream.read(CHUNK_BYTES):
            hashed.update(chunk)
            out.write(chunk)
            done += len(chunk)
            told("copy", done)
        out.flush()
        os.fsync(descriptor)
    if (done, hashed.hexdigest()) != (manifest.data_bytes, manifest.data_sha256):
        raise BackupUnusable(f"{source} is not the file that its manifest describes: take another backup")


@contextmanager
def _opened(source: Path) -> Iterator[io.BufferedReader]:
    try:
        stream = source.open("rb")
    except OSError as error:
        raise BackupUnusable(f"{source}: {error.strerror}") from error
    with stream:
        yield stream


def _check(folder: Path, manifest: Manifest) -> None:
    report = verify(folder)
    if not report.whole:
        first = report.findings[0]
        raise BackupUnusable(
            f"the backup does not verify: {report.finding_count} findings, the first: {first.mapping}: {first.what}"
        )
    if (report.sequence, report.head.hex()) != (manifest.sequence, manifest.head):
        raise BackupUnusable("the backup's log does not end where its manifest says")


async def _quarantined(folder: Path, manifest: Manifest, clock: WallClock, actor: str, told: Told) -> int:
    async with LmdbStore(folder, clock=clock) as store:
        return await quarantined(store, manifest.text().encode(), clock, actor, told)


async def quarantined(store: LmdbStore, manifest: bytes, clock: WallClock, actor: str, told: Told) -> int:
    """Logs the restore and suspects what could be sent. Returns how many payments that is. Raises BackupUnusable."""
    await store.log([StoreHappening(StoreKind.RESTORED, actor=actor, evidence=manifest)])
    await recover(store, clock, 0.0)
    unscreened = replace(happenings.held(Reason.RESTORED_FROM_BACKUP, HOLD_UNSCREENED), actor=actor)
    await _to_all(store, State.RECEIVED, unscreened, partial(told, "suspect"))
    suspicion = happenings.suspected(actor, clock.now_ns())
    suspected = 0
    for state in SUSPECTS:
        suspected += await _to_all(store, state, suspicion, partial(told, "suspect"))
    if store.corrupt:
        raise BackupUnusable(f"{len(store.corrupt)} records of the backup cannot be read")
    return suspected


async def _to_all(store: LmdbStore, state: State, happening: Happening, told: Callable[[int], None]) -> int:
    """Lets `happening` happen to every payment in a state, a page at a time. Returns how many that is."""
    done, after = 0, b""
    while page := await store.in_state(state, after=after, limit=SUSPECT_PAGE):
        stepped = await store.take([Step(payment.id, happening=happening) for payment in page])
        if not all(one.taken for one in stepped):
            raise BackupUnusable(f"a payment that is {state.value} could not be put aside")
        done, after = done + len(page), page[-1].id
        told(done)
    return done
