"""Who may open a data directory, and how it is opened."""

import os
import stat
from pathlib import Path

import lmdb
import pytest

from gateway.store import envelope, layout
from gateway.store.environment import DataDirectoryInUse, DataDirectoryUnusable, check_flags, open_environment
from gateway.store.store import LmdbStore
from gateway.store.verify import verify
from tests.fakes.admissions import queued
from tests.fakes.clock import FakeClock
from tests.fakes.environment import FailingEnvironment, FailingOpener
from tests.store.damage import damaging


def a_store(path: Path, **options: object) -> LmdbStore:
    return LmdbStore(path, clock=FakeClock(), map_bytes_initial=1 << 20, **options)  # type: ignore[arg-type]


async def test_a_second_opener_is_refused_in_plain_words(tmp_path: Path) -> None:
    """Two daemons never share a data directory; the second is told who has it, the first goes on."""
    async with a_store(tmp_path / "data") as store:
        with pytest.raises(DataDirectoryInUse, match=f"in use by another Causeway \\(process {os.getpid()}\\)"):
            async with a_store(tmp_path / "data"):
                raise AssertionError("two stores")
        await store.admit([queued()])
    async with a_store(tmp_path / "data") as store:
        assert await store.last_sequence() == 2


async def test_only_the_owner_may_read_the_files(tmp_path: Path) -> None:
    """The directory is 0700 and every file in it 0600, whatever the umask."""
    before = os.umask(0)
    try:
        async with a_store(tmp_path / "new" / "data"):
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "new" / "data").iterdir()}
    finally:
        os.umask(before)
    assert modes == {"data.mdb": 0o600, "lock.mdb": 0o600, "causeway.lock": 0o600}
    assert stat.S_IMODE((tmp_path / "new" / "data").stat().st_mode) == 0o700


@pytest.mark.parametrize("flag", ["sync", "metasync", "writemap", "map_async", "meminit", "lock"])
async def test_unsafe_flags_are_refused(tmp_path: Path, flag: str) -> None:
    """Whatever LMDB was asked for: if it reports another flag, the store does not open."""
    (tmp_path / "data").mkdir()
    real = open_environment(tmp_path / "data", 1 << 20)
    env = FailingEnvironment(real)
    check_flags(env)
    env.shown_flags = {flag: not real.flags()[flag]}
    with pytest.raises(DataDirectoryUnusable, match=flag):
        check_flags(env)
    env.close()


async def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    """A daemon that was rolled back does not touch what the newer one wrote, and says what to do; the directory is
    free again afterwards."""
    async with a_store(tmp_path):
        pass
    newer = envelope.seal_format(layout.META_FORMAT, layout.FORMAT + 1)
    with damaging(tmp_path) as damage:
        damage.put(layout.META, layout.META_FORMAT, newer)
    for _ in range(2):
        with pytest.raises(
            DataDirectoryUnusable,
            match=rf"newer Causeway \(format {layout.FORMAT + 1}, this one reads {layout.FORMAT}\)",
        ):
            async with a_store(tmp_path):
                raise AssertionError("opened")
    with pytest.raises(DataDirectoryUnusable, match="newer"):
        verify(tmp_path)


async def test_an_older_format_is_refused(tmp_path: Path) -> None:
    """What an index of another shape would be taken for nobody knows: nothing is read or written, and the text says
    what to do, which is never to begin again with keys that were paid."""
    async with a_store(tmp_path) as store:
        await store.admit([queued()])
    older = envelope.seal_format(layout.META_FORMAT, 2)
    assert older.hex() == "01000000049949122000000002", "what format 2 wrote must stay readable as that"
    with damaging(tmp_path) as damage:
        damage.put(layout.META, layout.META_FORMAT, older)
    before = (tmp_path / "data.mdb").read_bytes()
    for _ in range(2):
        with pytest.raises(
            DataDirectoryUnusable, match=r"before the first release \(format 2, .* hand in no key again"
        ):
            async with a_store(tmp_path):
                raise AssertionError("opened")
    with pytest.raises(DataDirectoryUnusable, match="no version converts"):
        verify(tmp_path)
    assert (tmp_path / "data.mdb").read_bytes() == before


async def test_the_other_lmdb_engine_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of LMDB 1.0 are not opened, and a stray environment variable does not create any."""
    lmdb.open(str(tmp_path / "one"), lib_version=1).close()
    with pytest.raises(DataDirectoryUnusable):
        async with a_store(tmp_path / "one"):
            raise AssertionError("opened")
    monkeypatch.setenv("LMDB_DEFAULT_LIB_VERSION", "1")
    opener = FailingOpener()
    async with a_store(tmp_path / "two", open_with=opener):
        assert opener.env is not None
        assert opener.env.lib_version()[0] == 0


async def test_what_is_no_data_directory_is_refused(tmp_path: Path) -> None:
    """A path that cannot be made, an LMDB of something else, and an empty directory to verify: plain words."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataDirectoryUnusable):
        async with a_store(tmp_path / "file" / "data"):
            raise AssertionError("opened")
    with lmdb.open(str(tmp_path / "other"), lib_version=0) as env, env.begin(write=True) as txn:
        txn.put(b"x", b"y")
    with pytest.raises(DataDirectoryUnusable, match="not Causeway's"):
        async with a_store(tmp_path / "other"):
            raise AssertionError("opened")
    with pytest.raises(DataDirectoryUnusable, match="is it the data directory"):
        verify(tmp_path)
