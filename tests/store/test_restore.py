"""Backups and what becomes of them: whole or not there, and a restored store that takes nothing for unsent."""

import json
import os
import stat
import threading
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from gateway.core import happenings
from gateway.core.facts import StoreKind
from gateway.core.outcome import Word
from gateway.core.ports import Admission
from gateway.core.reasons import Reason
from gateway.core.states import State
from gateway.store import layout
from gateway.store.backup import BackupFailed, Progress, backup
from gateway.store.environment import PARTIAL_FOLDER, DataDirectoryInUse, DataDirectoryUnusable
from gateway.store.manifest import MANIFEST_FILE, BackupUnusable, Manifest
from gateway.store.restore import EMPTY_BUT_FOR, HOLD_UNSCREENED, restore
from gateway.store.store import LmdbStore
from gateway.store.verify import verify
from tests.contract.lives import in_doubt, took, word
from tests.fakes.admissions import a_payment, mark, queued
from tests.fakes.clock import FakeClock
from tests.store.damage import damaging


def a_store(path: Path) -> LmdbStore:
    return LmdbStore(path, clock=FakeClock(), map_bytes_initial=1 << 20)


async def lived_in(path: Path) -> None:
    """One payment in each state that a backup may find."""
    async with a_store(path) as store:
        await store.admit([Admission(a_payment("received")), queued("queued")])
        await store.admit([Admission(a_payment("held"), (happenings.held(Reason.CLIENT_ASKED, "approval"),))])
        for key in ("sending", "accepted", "settled"):
            [answer] = await store.admit([queued(key)])
            payment = await took(store, answer.payment, mark(answer.payment))
            if key != "sending":
                await store.take([word(payment, Word.TAKEN if key == "accepted" else Word.SETTLED, "ACSC")])
        await in_doubt(store, "in doubt")
        await store.set_cursor("northbank", "page-7")


def copied(source: Path, to: Path, told: Callable[[Progress], None] = lambda _: None, **bounds: int) -> Manifest:
    return backup(source, to, clock=FakeClock(), version="0.1.0", told=told, **bounds)


def manifest_of(backup: Path) -> Manifest:
    return Manifest(**json.loads((backup / MANIFEST_FILE).read_text()))


def a_volume(root: Path) -> Path:
    """The root of a new file system."""
    (root / "volume" / "lost+found").mkdir(parents=True)
    return root / "volume"


def unfinished(data: Path) -> None:
    """As a killed restore leaves it."""
    (data / PARTIAL_FOLDER).mkdir(parents=True)


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()} if folder.exists() else set()


def mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


async def restored(source: Path, to: Path) -> int:
    done = await restore(source, to, clock=FakeClock(), actor="os:ada", told=lambda step, done: None)
    return done.suspected


@pytest.fixture
async def kept(tmp_path: Path) -> Path:
    """A backup of a lived-in store."""
    await lived_in(tmp_path / "data")
    copied(tmp_path / "data", tmp_path / "kept")
    return tmp_path / "kept"


# ---------------------------------------------------------------- backup


async def test_a_backup_is_the_store_and_says_what_it_is(tmp_path: Path, kept: Path) -> None:
    """Data and manifest, for the owner only; the manifest names the store, its last fact and the file's hash."""
    assert names(kept) == {"data.mdb", MANIFEST_FILE}
    assert mode(kept) == 0o700
    assert {mode(kept / name) for name in names(kept)} == {0o600}
    manifest, report = manifest_of(kept), verify(tmp_path / "data")
    assert (manifest.sequence, manifest.head) == (report.sequence, report.head.hex())
    assert (manifest.payments, manifest.causeway_version) == (7, "0.1.0")
    again = copied(tmp_path / "data", tmp_path / "again")
    assert (again.store_id, again.head) == (manifest.store_id, manifest.head)


async def test_what_was_there_is_left_alone(tmp_path: Path, kept: Path) -> None:
    """No backup replaces another, nor is one made inside the data directory or in a folder that is not there."""
    before = manifest_of(kept)
    for place in (kept, tmp_path / "data" / "backup", tmp_path / "nowhere" / "backup"):
        with pytest.raises(BackupFailed):
            copied(tmp_path / "data", place)
    assert manifest_of(kept) == before
    assert names(tmp_path) == {"data", "kept"}


async def test_a_damaged_store_makes_no_backup(tmp_path: Path) -> None:
    """What does not verify gets no name, and nothing is left of it."""
    await lived_in(tmp_path / "data")
    with damaging(tmp_path / "data") as damage:
        damage.flip(layout.SEQ2FACT, layout.number(3))
    with pytest.raises(BackupFailed, match="does not verify"):
        copied(tmp_path / "data", tmp_path / "kept")
    assert names(tmp_path) == {"data"}


@pytest.mark.parametrize("step", ["copy", "verify"])
async def test_a_backup_that_breaks_off_leaves_nothing(tmp_path: Path, step: str) -> None:
    """A full disk, wherever it comes: told in words, nothing half is left, and LMDB's reader is gone."""
    await lived_in(tmp_path / "data")

    def full(done: Progress) -> None:
        if done.step == step:
            raise OSError(28, os.strerror(28))

    threads = threading.active_count()
    with pytest.raises(BackupFailed, match="make room"):
        copied(tmp_path / "data", tmp_path / "kept", full)
    assert names(tmp_path) == {"data"}
    assert threading.active_count() == threads


async def test_a_copy_that_costs_the_daemon_too_much_is_ended(tmp_path: Path) -> None:
    """While the copy's reader lives, the store's file grows. Above the bound the reader is gone at once, also while the
    destination hangs, and the backup is given up."""
    await lived_in(tmp_path / "data")
    async with a_store(tmp_path / "data") as store:
        await store.admit([queued(f"order-{n}") for n in range(500)])  # more than fits into a pipe

    def hang(done: Progress) -> None:
        for thread in threading.enumerate():
            if thread.name == "causeway-copy":
                thread.join(20)
                assert not thread.is_alive()

    with pytest.raises(BackupFailed, match="too slow"):
        copied(tmp_path / "data", tmp_path / "kept", hang, growth_bytes_max=-1)
    assert names(tmp_path) == {"data"}


# ---------------------------------------------------------------- restore


async def test_a_restored_store_takes_nothing_for_unsent(tmp_path: Path, kept: Path) -> None:
    """What was RECEIVED, HELD, QUEUED, SENDING or IN_DOUBT in the backup is in doubt, and nothing is due; what a bank
    has taken or settled stays. It verifies, and its log says who restored it, from what."""
    assert await restored(kept, tmp_path / "new") == 5
    async with a_store(tmp_path / "new") as store:
        states = {}
        for key in ("received", "queued", "held", "sending", "in doubt", "accepted", "settled"):
            payment = await store.by_key("acme", key)
            assert payment is not None
            states[key] = payment.state
            if payment.state is State.IN_DOUBT:
                assert await store.by_wire("northbank", payment.wire_reference) == payment
        assert states.pop("accepted") is State.ACCEPTED
        assert states.pop("settled") is State.SETTLED
        assert set(states.values()) == {State.IN_DOUBT}
        assert await store.due("northbank", 1 << 62, 10) == []
        unscreened = await store.by_key("acme", "received")
        assert unscreened is not None
        assert unscreened.holds == (HOLD_UNSCREENED,)
        assert await store.cursor("northbank") == "page-7"
        [fact] = await store.quarantine()
        manifest = manifest_of(kept)
        assert (fact.kind, fact.actor, fact.sequence) == (StoreKind.RESTORED, "os:ada", manifest.sequence + 1)
        evidence = await store.evidence(fact.evidence_sha256)
        assert evidence is not None
        assert Manifest(**json.loads(evidence.body)) == manifest
    report = verify(tmp_path / "new")
    assert report.findings == []
    assert PARTIAL_FOLDER not in names(tmp_path / "new")


async def test_a_restored_store_can_be_backed_up_and_restored(tmp_path: Path, kept: Path) -> None:
    """A backup of a store in quarantine is one too, of the same store; suspecting twice changes no meaning."""
    await restored(kept, tmp_path / "new")
    first = copied(tmp_path / "new", tmp_path / "second")
    assert await restored(tmp_path / "second", tmp_path / "newer") == 5
    async with a_store(tmp_path / "newer") as store:
        assert (await store.quarantine())[0].sequence == first.sequence + 1
    assert verify(tmp_path / "newer").findings == []
    assert first.store_id == manifest_of(kept).store_id


async def test_a_directory_that_is_not_empty_is_refused(tmp_path: Path, kept: Path) -> None:
    """The old directory may know more than the backup: it is never written over. A volume's root is empty enough."""
    before = verify(tmp_path / "data")
    with pytest.raises(DataDirectoryUnusable, match="not empty"):
        await restored(kept, tmp_path / "data")
    assert verify(tmp_path / "data") == before
    async with a_store(tmp_path / "open"):
        with pytest.raises(DataDirectoryInUse):
            await restored(kept, tmp_path / "open")
    volume = a_volume(tmp_path)
    assert await restored(kept, volume) == 5


def _altered(kept: Path, **changes: object) -> None:
    file = kept / MANIFEST_FILE
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def _described_anew(kept: Path) -> None:
    """The manifest says of the altered file what it would have said of the true one."""
    (kept / "lock.mdb").unlink()
    raw = (kept / "data.mdb").read_bytes()
    _altered(kept, data_sha256=sha256(raw).hexdigest(), data_bytes=len(raw))


def _flipped(kept: Path) -> None:
    raw = bytearray((kept / "data.mdb").read_bytes())
    raw[len(raw) // 2] ^= 1
    (kept / "data.mdb").write_bytes(raw)


SPOILT: dict[str, Callable[[Path], object]] = {
    "no manifest": lambda kept: (kept / MANIFEST_FILE).unlink(),
    "a manifest that is no JSON": lambda kept: (kept / MANIFEST_FILE).write_text("{"),
    "a manifest of another format": lambda kept: _altered(kept, format=2),
    "a manifest without end": lambda kept: (kept / MANIFEST_FILE).write_text(" " * (1 << 20)),
    "a text for a number": lambda kept: _altered(kept, sequence="7"),
    "another head": lambda kept: _altered(kept, head="00" * 32),
    "another sequence": lambda kept: _altered(kept, sequence=3),
    "no data": lambda kept: (kept / "data.mdb").unlink(),
    "a data file cut short": lambda kept: os.truncate(kept / "data.mdb", 4096),
    "a bit of the data": _flipped,
}


@pytest.mark.parametrize("spoilt", SPOILT)
async def test_a_spoilt_backup_is_refused_and_leaves_nothing(tmp_path: Path, kept: Path, spoilt: str) -> None:
    """Whatever is wrong with it is told, and no store comes of it."""
    SPOILT[spoilt](kept)
    with pytest.raises(BackupUnusable):
        await restored(kept, tmp_path / "new")
    assert names(tmp_path / "new") <= EMPTY_BUT_FOR


async def test_a_store_altered_in_the_backup_is_refused(tmp_path: Path, kept: Path) -> None:
    """Somebody who rewrote a record, the file's hash and its length is found by the chain."""
    with damaging(kept) as damage:
        damage.delete(layout.SEQ2FACT, layout.number(3))
    _described_anew(kept)
    with pytest.raises(BackupUnusable, match="does not verify"):
        await restored(kept, tmp_path / "new")


async def test_a_killed_restore_is_no_new_store(tmp_path: Path) -> None:
    """A daemon that found an unfinished restore would begin anew in its place, and pay what was paid: it refuses."""
    unfinished(tmp_path / "data")
    with pytest.raises(DataDirectoryUnusable, match="did not end"):
        async with a_store(tmp_path / "data"):
            raise AssertionError("opened")


async def test_an_empty_store_can_be_kept_too(tmp_path: Path) -> None:
    """A store without a fact has no identity yet; it is backed up and restored all the same."""
    async with a_store(tmp_path / "data"):
        pass
    assert copied(tmp_path / "data", tmp_path / "kept").store_id == ""
    assert await restored(tmp_path / "kept", tmp_path / "new") == 0
