"""The daemon's edge over a real store, for the overload campaign: `python -m tests.campaign.overload_server FOLDER CORE
WRITES_PER_S` prints its address and pid, and serves until its input ends.

WRITES_PER_S above 0 makes the disk that slow: each commit takes as long as its writes are worth.
"""

import json
import os
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import trio

from gateway.clock import SystemClock
from gateway.daemon import SWITCH_S, settle_memory
from gateway.store import layout
from gateway.store.environment import Environment, open_environment
from gateway.store.store import LmdbStore
from gateway.telemetry.trail import NullTrail
from tests.campaign.stage import staged
from tests.fakes.environment import FailingEnvironment
from tests.fakes.house import house

STALL_S_MAX: Final = 2.0  # of one commit of the slow disk


class SlowDisk(FailingEnvironment):
    """Commits so that in the long run no more than `per_s` payments are written a second; 0: as fast as it is."""

    per_s = 0.0

    def __init__(self, real: Environment) -> None:
        super().__init__(real)
        self._records: Any = None
        self._free_s = 0.0
        self._before: int | None = None  # payments in the store when the last commit began

    def open_db(self, key: bytes, txn: Any = None, *, create: bool = True) -> Any:
        handle = super().open_db(key, txn, create=create)
        if key == layout.PAYMENT2RECORD.encode():
            self._records = handle
        return handle

    def begin(self, db: Any = None, parent: Any = None, write: bool = False) -> Any:
        txn = super().begin(write=write)
        if not write:
            return txn
        self.before_commit = lambda: self._delay(txn) if self.per_s else None
        return txn

    def _delay(self, txn: Any) -> None:
        """On the writer's thread; waits for what this commit's new payments cost."""
        entries = txn.stat(self._records)["entries"]
        cost_s, self._before = (entries - (entries if self._before is None else self._before)) / self.per_s, entries
        self._free_s = max(self._free_s, time.monotonic()) + cost_s
        threading.Event().wait(min(max(0.0, self._free_s - time.monotonic()), STALL_S_MAX))


async def main(folder: Path, per_s: float) -> None:
    disks: list[SlowDisk] = []

    def opened(path: Path, map_bytes: int) -> Environment:
        disks.append(SlowDisk(open_environment(path, map_bytes)))
        return disks[0]

    async with LmdbStore(folder / "data", clock=SystemClock(), open_with=opened) as store:
        gate = replace(house(store=store), trail=NullTrail(), clock=SystemClock(), entropy=os.urandom)
        async with staged(folder, gate, connections_max=1_000) as (edge, _):
            disks[0].per_s = per_s
            settle_memory()
            ready: dict[str, Any] = {"address": edge.addresses["plaintext"], "pid": os.getpid()}
            print(json.dumps(ready), flush=True)
            await trio.to_thread.run_sync(sys.stdin.read, abandon_on_cancel=True)
            disks[0].per_s = 0.0


if __name__ == "__main__":
    sys.setswitchinterval(SWITCH_S)
    os.sched_setaffinity(0, {int(sys.argv[2])})
    trio.run(main, Path(sys.argv[1]), float(sys.argv[3]))
