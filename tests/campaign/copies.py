"""kill -9 amid `causeway backup` and `causeway restore`: whatever the place, half of it never passes for whole.

`python -m tests.campaign.copies [--per-call K]` kills both commands at K places of each kind of call that changes a
disk; tests/campaign/test_copies.py at a few. What must hold after each: the source is as it was; where there is a
backup of that name it is whole; where a daemon may open the new data directory it is whole and in quarantine, elsewhere
it is refused with what to do; and the same command given again does its work and leaves nothing else behind.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import trio

from gateway.store.backup import backup
from gateway.store.environment import DATA_FILE, DataDirectoryUnusable
from gateway.store.manifest import MANIFEST_FILE
from gateway.store.restore import restore
from gateway.store.store import LmdbStore
from gateway.store.verify import Report, verify
from tests.campaign.killed import Place, killed_at, places
from tests.campaign.report import BUILD, provenance, written
from tests.campaign.strace import missing
from tests.fakes.admissions import queued
from tests.fakes.clock import FakeClock

PAYMENTS: Final = 200
COMMANDS: Final = ("backup", "restore")


@dataclass(frozen=True, slots=True)
class Desk:
    """A store, a backup of it, and where the two commands put what they make."""

    root: Path

    @property
    def source(self) -> Path:
        return self.root / "data"

    @property
    def kept(self) -> Path:
        return self.root / "kept"

    def target(self, command: str) -> Path:
        return self.root / "made" / command

    def words(self, command: str) -> list[str]:
        return [command, str(self.source if command == "backup" else self.kept), str(self.target(command))]

    def mentions(self, command: str) -> Path:
        """What the command's calls name when it begins to change the disk."""
        target = self.target(command)
        return target.parent / f".{target.name}" if command == "backup" else target

    def cleared(self) -> None:
        shutil.rmtree(self.root / "made", ignore_errors=True)
        (self.root / "made").mkdir()


def laid(root: Path, payments: int = PAYMENTS) -> Desk:
    """A store of so many QUEUED payments, and its backup."""
    desk = Desk(root)

    async def filled() -> None:
        async with LmdbStore(desk.source, clock=FakeClock(), map_bytes_initial=1 << 20) as store:
            await store.admit([queued(f"order-{n}") for n in range(payments)])

    trio.run(filled)
    copied(desk.source, desk.kept)
    return desk


def copied(source: Path, to: Path) -> None:
    backup(source, to, clock=FakeClock(), version="0.1.0", told=lambda _: None)


def restored(source: Path, to: Path) -> int:
    """How many payments are suspected."""

    async def run() -> int:
        return (await restore(source, to, clock=FakeClock(), actor="os:ada", told=lambda *_: None)).suspected

    return trio.run(run)


def complaints(desk: Desk, command: str, place: Place) -> Iterator[str]:
    """Kills the command there. What broke a promise: nothing, or the sentences that say so."""
    desk.cleared()
    before = verify(desk.source)
    done = killed_at(place, desk.words(command), desk.root / "log")
    if done.returncode == 0:
        yield f"was not killed: {done.stderr[-300:]}"
    yield from _of_the_backup(desk) if command == "backup" else _of_the_restore(desk)
    if verify(desk.source) != before:
        yield "the store that was copied has changed"


def _of_the_backup(desk: Desk) -> Iterator[str]:
    target, whole = desk.target("backup"), verify(desk.source)
    if target.exists():
        yield from _differing("the backup that is there", verify(target), whole)
        if not (target / MANIFEST_FILE).exists():
            yield "there is a backup without its manifest"
        return
    copied(desk.source, target)
    yield from _differing("the backup made afterwards", verify(target), whole)
    if left := sorted(each.name for each in target.parent.iterdir() if each != target):
        yield f"left beside the backup: {left}"


def _of_the_restore(desk: Desk) -> Iterator[str]:
    target = desk.target("restore")
    if not (target / DATA_FILE).exists():
        if target.exists() and any(each.is_dir() for each in target.iterdir()):
            yield from trio.run(_refused, target)
        if restored(desk.kept, target) != PAYMENTS:
            yield "the restore given again did not suspect every payment"
    yield from trio.run(_quarantined, target)


async def _refused(target: Path) -> list[str]:
    try:
        async with LmdbStore(target, clock=FakeClock()):
            return ["a daemon would begin anew in an unfinished restore"]
    except DataDirectoryUnusable as error:
        return [] if "restore" in str(error) else [f"refused without saying what to do: {error}"]


async def _quarantined(target: Path) -> list[str]:
    if not verify(target).whole:
        return ["the restored store is not whole"]
    async with LmdbStore(target, clock=FakeClock()) as store:
        return [] if await store.quarantine() else ["the restored store is not in quarantine"]


def _differing(what: str, found: Report, wanted: Report) -> Iterator[str]:
    if (found.whole, found.head, found.payments) != (True, wanted.head, wanted.payments):
        yield f"{what} is not the store: {found.payments} payments, {found.finding_count} findings"


def chosen_places(desk: Desk, command: str, per_call: int) -> Sequence[Place]:
    """From an undisturbed run of the command."""
    desk.cleared()
    log = desk.root / "log"
    done = killed_at(None, desk.words(command), log)
    assert done.returncode == 0, done.stderr
    return list(places(log, desk.mentions(command), per_call))


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.campaign.copies", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--per-call", type=int, default=6, help="places of each kind of call (default: 6)")
    chosen = parser.parse_args()
    if missing():
        print(f"skipped: {missing()}")
        return 0
    desk, began = laid(Path(tempfile.mkdtemp(prefix="causeway-copies-"))), time.monotonic()
    todo = [(command, place) for command in COMMANDS for place in chosen_places(desk, command, chosen.per_call)]
    broken: list[str] = []
    for number, (command, place) in enumerate(todo, 1):
        found = [f"{command} {place}: {each}" for each in complaints(desk, command, place)]
        left_s = (time.monotonic() - began) / number * (len(todo) - number)
        print(f"{number}/{len(todo)}  {command} {place}  about {left_s:.0f} s left", *found, sep="\n    ", flush=True)
        broken += found
    document = {
        "command": f"python -m tests.campaign.copies --per-call {chosen.per_call}",
        "kills": {command: sum(one == command for one, _ in todo) for command in COMMANDS},
        "complaints": broken,
        "seconds": time.monotonic() - began,
        **provenance(),
    }
    written(BUILD / "copies.json", document)
    print(json.dumps(document, indent=1))
    if not broken:
        shutil.rmtree(desk.root)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
