"""The disk matrix: every k-th write and flush of a fixed workload fails with EIO or ENOSPC, one per run.

`python -m tests.campaign.disk [--every K | --minutes M] [--seed N]` runs it whole, and goes on where it was ended;
tests/campaign/test_disk.py runs a diagonal of it. What must hold afterwards (design.md, section 7): everything
acknowledged is there, no call of several payments is there in part, the store is whole, what was SENDING is not taken
for unsent. And of the process: after a failed flush or write nothing is acknowledged or refused as unwritten, and it
ends with a code ≠ 0 within a second; only a disk that is full, noticed before LMDB's commit proper, sheds and goes on.

The kernel's page cache outlives the process, so a run shows what we do on an error, not what a device has lost.
"""

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import trio

from gateway.core.states import State
from gateway.limits import STORE_FAILED_EXIT_S_MAX
from gateway.store.recover import recover
from gateway.store.store import LmdbStore
from gateway.store.verify import verify
from tests.campaign import disk_workload as workload
from tests.campaign.report import BUILD, provenance, written
from tests.campaign.strace import Ended, Event, Fault, missing, run
from tests.fakes.clock import FakeClock

ERRORS: Final = ("EIO", "ENOSPC")
TENANT: Final = "acme"  # tests.fakes.admissions
RUN_SHARE: Final = 1.3  # of one run with its fault and its verification, over the undisturbed one


def prepared(data: Path) -> None:
    """A store that was opened once, so that all writes of the run are the writer thread's."""

    async def open_once() -> None:
        async with LmdbStore(data, clock=FakeClock(), map_bytes_initial=workload.MAP_BYTES):
            pass

    trio.run(open_once)


def played(data: Path, fault: Fault | None) -> Ended:
    """The workload on a new store in `data`, with one call failing."""
    prepared(data)
    return run("tests.campaign.disk_workload", [str(data)], data, fault)


def recorded(folder: Path) -> list[Event]:
    """The writes and flushes of an undisturbed run, in order: the columns of the matrix."""
    ended = played(folder / "recorded", None)
    assert ended.returncode == 0, ended.errors
    return [event for event in ended.events if event.call and not event.tells]


def faults(calls: Sequence[Event], every: int, seed: int) -> Iterator[Fault]:
    """Every `every`-th of each kind of call × ERRORS; the seed chooses with which it begins."""
    counts = Counter(event.call for event in calls)
    for call, count in sorted(counts.items()):
        first = random.Random(f"{seed}/{call}").randrange(every) + 1
        for when in range(min(first, count), count + 1, every):
            for error in ERRORS:
                yield Fault(call, error, when)


def diagonal(calls: Sequence[Event]) -> Iterator[Fault]:
    """A few that differ in kind: early and late flushes, page writes (single and vectored) and commits proper."""
    for call, commits in (("fdatasync", False), ("pwrite64", True), ("pwrite64", False), ("writev", False)):
        of_call = [event for event in calls if event.call == call]
        places = [place for place, event in enumerate(of_call, 1) if event.commits is commits]
        # Admissions are every third commit, from the first on; the others are steps, which may not be shed.
        for place in places[:1] + places[len(places) // 2 : len(places) // 2 + 1]:
            for error in ERRORS:
                yield Fault(call, error, place)


def complaints(fault: Fault, ended: Ended, data: Path) -> Iterator[str]:
    """What broke a promise: nothing, or the sentences that say so."""
    yield from _of_the_process(fault, ended)
    yield from trio.run(_of_the_store, ended, data)


def must_latch(fault: Fault, ended: Ended) -> bool:
    """A full disk that is noticed before LMDB's commit proper leaves the store as it was; nothing else does."""
    assert ended.fault_at is not None
    return fault.error != "ENOSPC" or ended.events[ended.fault_at].commits


def _of_the_process(fault: Fault, ended: Ended) -> Iterator[str]:
    if ended.fault_at is None:
        yield "the fault was never met"
        return
    after = [event.tells for event in ended.events[ended.fault_at :] if event.tells]
    if not must_latch(fault, ended):
        if ended.returncode != 0 or after[-1:] != ["end"]:
            yield f"a full disk ended the store with {ended.returncode}: {ended.errors[-500:]}"
        return
    if ended.returncode != workload.FAILED:
        yield f"went on after {fault}: exit code {ended.returncode}"
    if after:
        yield f"told its callers {after} after {fault}: nobody can know whether that is true"
    if ended.seconds_after_fault > STORE_FAILED_EXIT_S_MAX:
        yield f"took {ended.seconds_after_fault:.1f} s to end"


async def _of_the_store(ended: Ended, data: Path) -> list[str]:
    """Reads the store anew, as the next start would."""
    report = verify(data)
    found = [f"{finding.mapping}: {finding.what}" for finding in report.findings]
    async with LmdbStore(data, clock=FakeClock(), map_bytes_initial=workload.MAP_BYTES) as store:
        for payment_id, version in _acknowledged(ended.lines).items():
            payment = (await store.get_many([payment_id]))[0]
            if payment is None or payment.version < version:
                found.append(f"{payment_id.hex()} was acknowledged in version {version} and is lost: {payment}")
        for batch in range(workload.BATCHES):
            keys = [f"{batch}-{n}" for n in range(workload.BATCH_PAYMENTS)]
            there = sum([await store.by_key(TENANT, key) is not None for key in keys])
            if there not in (0, len(keys)):
                found.append(f"batch {batch} is there in part: {there} of {len(keys)}")
        await recover(store, FakeClock(), 90.0)
        if await store.in_state(State.SENDING, limit=1):
            found.append("a payment is still SENDING after recovery")
    return found


def _acknowledged(lines: Sequence[str]) -> dict[bytes, int]:
    acked: dict[bytes, int] = {}
    for line in lines:
        if line.startswith("ack "):
            _, payment_id, version = line.split()
            acked[bytes.fromhex(payment_id)] = int(version)
    return acked


@dataclass
class Progress:
    """What was tried so far: a JSON file, from which the same command on the same commit goes on."""

    every: int
    seed: int
    tried: dict[str, list[str]] = field(default_factory=dict)
    """Fault → what was wrong."""
    latched: int = 0
    seconds: float = 0.0
    by_call: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, file: Path, every: int, seed: int) -> "Progress":
        kept = json.loads(file.read_text()) if file.exists() else {}
        same = kept.get("commit") == provenance()["commit"] and not str(kept.get("commit")).endswith("+changes")
        if not same or (kept["every"], kept["seed"]) != (every, seed):
            return cls(every, seed)
        return cls(**{name: kept[name] for name in cls.__dataclass_fields__})

    def document(self) -> dict[str, object]:
        broken = [f"{fault}: {each}" for fault, found in self.tried.items() for each in found]
        told = {
            "every": self.every,
            "seed": self.seed,
            "runs": len(self.tried),
            "by_call": self.by_call,
            "latched": self.latched,
            "shed": len(self.tried) - self.latched,
            "complaints": broken,
            "seconds": self.seconds,
        }
        return told | provenance()

    def try_one(self, fault: Fault, data: Path) -> list[str]:
        began = time.monotonic()
        ended = played(data, fault)
        found = list(complaints(fault, ended, data))
        self.tried[str(fault)] = found
        self.latched += ended.returncode == workload.FAILED
        kind = f"{fault.call} {fault.error}"
        self.by_call[kind] = self.by_call.get(kind, 0) + 1
        self.seconds += time.monotonic() - began
        return found


def thinned(calls: Sequence[Event], run_s: float, minutes: float, seed: int) -> int:
    """The smallest k for which every k-th call, one run each, fits into so many minutes."""
    return next(k for k in range(1, len(calls) + 1) if len(list(faults(calls, k, seed))) * run_s <= 60.0 * minutes)


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.campaign.disk", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--every", type=int, default=1, help="every K-th call of each kind (default: each)")
    parser.add_argument("--minutes", type=float, help="instead of --every: as many as fit, evenly spread")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    if chosen.every < 1 or (chosen.minutes is not None and chosen.minutes < 1):
        parser.error("--every, --minutes: at least 1")
    if missing():
        print(f"skipped: {missing()}")
        return 0
    folder, file = Path(tempfile.mkdtemp(prefix="causeway-disk-")), BUILD / "disk-progress.json"
    began = time.monotonic()
    calls = recorded(folder)
    run_s = RUN_SHARE * (time.monotonic() - began)
    every = chosen.every if chosen.minutes is None else _kept_every(file, chosen.seed)
    every = every or thinned(calls, run_s, chosen.minutes, chosen.seed)
    progress = Progress.of(file, every, chosen.seed)
    todo = [fault for fault in faults(calls, every, chosen.seed) if str(fault) not in progress.tried]
    print(f"every {every}-th call of each kind: {len(todo)} runs to do, {len(progress.tried)} done before", flush=True)
    for number, fault in enumerate(todo, 1):
        data = folder / str(fault)
        found = progress.try_one(fault, data)
        left_s = progress.seconds / len(progress.tried) * (len(todo) - number)
        print(f"{number}/{len(todo)}  {fault}  about {left_s:.0f} s left", *found, sep="\n    ", flush=True)
        written(file, vars(progress) | provenance())
        if not found:
            shutil.rmtree(data)
    document = progress.document()
    written(BUILD / "disk.json", document)
    print(json.dumps(document, indent=1))
    if not document["complaints"]:
        shutil.rmtree(folder)
    return 1 if document["complaints"] else 0


def _kept_every(file: Path, seed: int) -> int:
    """The k of a run on this commit that was ended early; 0 where there is none."""
    kept = json.loads(file.read_text()) if file.exists() else {}
    commit = provenance()["commit"]
    same = (kept.get("commit"), kept.get("seed")) == (commit, seed) and not commit.endswith("+changes")
    return int(kept["every"]) if same else 0


if __name__ == "__main__":
    sys.exit(main())
