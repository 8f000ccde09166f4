"""The data directory and the LMDB environment in it: locked, opened with the flags durability needs, read back."""

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol

import lmdb

from gateway.core.facts import GENESIS
from gateway.store import envelope, layout, log

LOCK_FILE: Final = "causeway.lock"
DATA_FILE: Final = "data.mdb"
READERS_FILE: Final = "lock.mdb"
READERS_FILE_BYTES: Final = 8192  # as LMDB makes it for READERS_MAX
PARTIAL_FOLDER: Final = "restore.partial"
"""In a data directory: a restore under way, or one that was killed."""
ENGINE: Final = 0
"""LMDB 0.9 (data format 1). py-lmdb 3 ships two incompatible engines and would let an environment variable choose."""

READERS_MAX: Final = 126
"""LMDB's own default. A daemon's reads are one at a time, and the transaction that LMDB keeps ready for the next one
keeps its place: the rest is for verify and backups."""
CROWDED: Final = f"the store has {READERS_MAX} readers already: end one of them, and try again"

_DURABLE: Final = {
    "readonly": False,
    "sync": True,
    "metasync": True,
    "writemap": False,
    "map_async": False,
    "meminit": True,
    "lock": True,
}


class DataDirectoryInUse(Exception):
    """Another process, or another store of this one, has the data directory."""


class DataDirectoryUnusable(Exception):
    """The data directory cannot be opened safely. The text says why and what to do."""


class Transaction(Protocol):
    """What we need of an LMDB transaction; `lmdb.Transaction` is one."""

    def get(self, key: bytes, default: None = None, db: Any = None) -> bytes | None: ...
    def put(
        self,
        key: bytes,
        value: bytes,
        dupdata: bool = True,
        overwrite: bool = True,
        append: bool = False,
        db: Any = None,
    ) -> bool: ...
    def delete(self, key: bytes, value: bytes = b"", db: Any = None) -> bool: ...
    def cursor(self, db: Any = None) -> Any: ...
    def stat(self, db: Any = None) -> Any: ...
    def commit(self) -> None: ...
    def abort(self) -> None: ...


class Environment(Protocol):
    """What we need of an LMDB environment; `lmdb.Environment` is one, and so is a test's that fails on purpose."""

    def begin(self, db: Any = None, parent: Any = None, write: bool = False) -> Any: ...
    def open_db(self, key: bytes, txn: Any = None, *, create: bool = True) -> Any: ...
    def set_mapsize(self, map_size: int) -> None: ...
    def info(self) -> Any: ...
    def stat(self) -> Any: ...
    def flags(self) -> Any: ...
    def lib_version(self) -> tuple[int, int, int]: ...
    def reader_check(self) -> int: ...
    def close(self) -> None: ...


OpenEnvironment = Callable[[Path, int], Environment]
"""(data directory, bytes of the map) → the environment."""


class Maps:
    """The opened environment with a handle for each mapping of layout."""

    def __init__(self, env: Environment, handles: dict[str, Any]) -> None:
        self.env = env
        self.db = handles


def lock_directory(path: Path) -> int:
    """Makes the data directory (mode 0700) if it is missing and takes it for this process.

    Returns the descriptor that holds the lock; closing it, or the end of the process, lets it go. Raises
    DataDirectoryInUse, DataDirectoryUnusable.
    """
    try:
        if not path.exists():
            path.mkdir(mode=0o700, parents=True)
            sync_directory(path.parent)
        descriptor = os.open(path / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DataDirectoryUnusable(f"{path}: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(descriptor)
        raise DataDirectoryInUse(
            f"{path} is in use by another Causeway (process {holder}): stop it first, or choose another directory"
        ) from error
    # On a disk that is full this fails, and may: the lock is the flock, the number only tells people who has it.
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def check_restored(path: Path) -> None:
    """Raises DataDirectoryUnusable where a restore did not come to its end: an empty store in its place would begin
    anew, and pay what the lost one has paid."""
    if (path / PARTIAL_FOLDER).exists() and not (path / DATA_FILE).exists():
        raise DataDirectoryUnusable(
            f"{path} holds a restore that did not end: give the `causeway restore` again, into the same directory"
        )


def sync_directory(path: Path) -> None:
    """Makes the names of new files durable: a file's own fsync does not."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def free_bytes(path: Path) -> int:
    """What this process may still take of the disk that holds `path`."""
    disk = os.statvfs(path)
    return disk.f_bavail * disk.f_frsize


def open_environment(path: Path, map_bytes: int) -> Environment:
    """Opens or creates the environment for writing. Raises DataDirectoryUnusable, also where what LMDB reports back
    is not what durability needs."""
    allocate_readers(path)
    try:
        env = lmdb.open(
            os.fspath(path),
            map_size=map_bytes,
            max_dbs=len(layout.MAPPINGS),
            max_readers=READERS_MAX,
            max_spare_txns=1,
            mode=0o600,
            sync=True,
            metasync=True,
            writemap=False,
            map_async=False,
            meminit=True,
            lock=True,
            lib_version=ENGINE,
        )
    except lmdb.Error as error:
        raise DataDirectoryUnusable(f"{path / DATA_FILE}: {error}") from error
    try:
        check_flags(env)
    except DataDirectoryUnusable:
        env.close()
        raise
    return env


def allocate_readers(path: Path) -> None:
    """Makes the file of LMDB's reader table, with room on the disk for all of it. Raises DataDirectoryUnusable.

    LMDB makes it as a hole and writes it through a map: on a full disk that is no error but SIGBUS, the end of the
    process, at whatever read happens to need the next page of it.
    """
    try:
        descriptor = os.open(path / READERS_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno == errno.EROFS:
            return  # nothing can be made there, and nothing written: LMDB reads without a table
        raise DataDirectoryUnusable(f"{path / READERS_FILE}: {error.strerror}") from error
    try:
        # One that is there may be in use, and is not touched; it is a hole only where an earlier version made it.
        if os.fstat(descriptor).st_size < READERS_FILE_BYTES:
            os.posix_fallocate(descriptor, 0, READERS_FILE_BYTES)
    except OSError as error:
        os.ftruncate(descriptor, 0)
        raise DataDirectoryUnusable(f"{path}: {error.strerror}: make room on its disk") from error
    finally:
        os.close(descriptor)


def check_flags(env: Environment) -> None:
    """Raises DataDirectoryUnusable unless the environment is open with the flags and the engine we asked for."""
    flags = dict(env.flags())
    wrong = [name for name, wanted in _DURABLE.items() if flags.get(name) is not wanted]
    if env.lib_version()[0] != ENGINE:
        wrong.append(f"engine {env.lib_version()}")
    if wrong:
        raise DataDirectoryUnusable(f"LMDB is open with unsafe settings: {', '.join(wrong)}")


def open_maps(path: Path, env: Environment) -> Maps:
    """The mappings of a data directory, made if it is new. Raises DataDirectoryUnusable where another format of
    Causeway has written it or the device fails, CorruptRecord where its format cannot be read."""
    is_new = dict(env.info())["last_txnid"] == 0
    try:
        with env.begin(write=True) as txn:
            handles = {name: env.open_db(name.encode(), txn=txn) for name in layout.MAPPINGS}
            meta = handles[layout.META]
            if is_new:
                txn.put(layout.META_FORMAT, envelope.seal_format(layout.META_FORMAT, layout.FORMAT), db=meta)
                txn.put(layout.META_HEAD, log.seal_head(layout.META_HEAD, 0, GENESIS), db=meta)
            check_format(path, txn.get(layout.META_FORMAT, db=meta))
        if is_new:
            sync_directory(path)
    except (lmdb.Error, OSError) as error:
        raise DataDirectoryUnusable(f"{path / DATA_FILE} cannot be written: {error}") from error
    return Maps(env, handles)


def check_format(path: Path, stored: bytes | None) -> None:
    """Raises DataDirectoryUnusable unless the directory's format is ours."""
    if stored is None:
        raise DataDirectoryUnusable(f"{path} holds an LMDB environment that is not Causeway's")
    number = envelope.unseal_format(layout.META, layout.META_FORMAT, stored)
    if number > layout.FORMAT:
        raise DataDirectoryUnusable(
            f"{path} was written by a newer Causeway (format {number}, this one reads {layout.FORMAT}): "
            "start that version again, or restore a backup made before the upgrade"
        )
    if number < layout.FORMAT:
        raise DataDirectoryUnusable(
            f"{path} was written by a Causeway from before the first release (format {number}, this one reads "
            f"{layout.FORMAT}), which no version converts: finish its payments with the commit that wrote it, then "
            "start with an empty directory, and hand in no key again that the old one has; never just delete it"
        )


RESIZES_MAX: Final = 10  # looks at a map that a daemon makes larger between each two: a map doubles, and soon fits


def begin_reading(env: Environment) -> Any:
    """A read transaction beside a daemon whose map may have grown since. Raises DataDirectoryUnusable where too many
    read already."""
    return _with_its_size(env, env.begin)


def _open_beside_a_daemon(env: Environment, name: str) -> Any:
    return _with_its_size(env, partial(env.open_db, name.encode(), create=False))


def _with_its_size(env: Environment, look: Callable[[], Any]) -> Any:
    """Looks, and takes the size of the daemon's map first where that has grown."""
    try:
        for _ in range(RESIZES_MAX):
            try:
                return look()
            except lmdb.MapResizedError:
                env.set_mapsize(0)
    except lmdb.ReadersFullError as error:
        raise DataDirectoryUnusable(CROWDED) from error
    raise DataDirectoryUnusable("the daemon's map grew again and again: try once more")


@contextmanager
def opened_for_reading(path: Path) -> Iterator[Maps]:
    """The mappings for a process that only reads, also while a daemon writes. Raises DataDirectoryUnusable."""
    if not (path / DATA_FILE).is_file():
        raise DataDirectoryUnusable(f"{path} holds no {DATA_FILE}: is it the data directory?")
    allocate_readers(path)
    try:
        env = lmdb.open(
            os.fspath(path),
            map_size=0,  # whatever size the map has
            max_dbs=len(layout.MAPPINGS),
            readonly=True,
            create=False,
            lib_version=ENGINE,
        )
    except lmdb.ReadersFullError as error:
        raise DataDirectoryUnusable(CROWDED) from error
    except lmdb.Error as error:
        raise DataDirectoryUnusable(f"{path / DATA_FILE}: {error}") from error
    with env:
        try:
            handles = {name: _open_beside_a_daemon(env, name) for name in layout.MAPPINGS}
        except lmdb.NotFoundError as error:
            raise DataDirectoryUnusable(f"{path} holds an LMDB environment that is not Causeway's") from error
        with begin_reading(env) as txn:
            check_format(path, txn.get(layout.META_FORMAT, db=handles[layout.META]))
        yield Maps(env, handles)


def is_full(error: lmdb.Error) -> bool:
    """Whether the map or the disk has no room. LMDB calls a write that a full disk cut short a disk error."""
    return isinstance(error, lmdb.MapFullError | lmdb.DiskError) or getattr(error, "code", 0) == errno.ENOSPC
