"""The daemon's edge over a real store, for the overload campaign: `python -m tests.campaign.overload_server FOLDER CORE
WRITES_PER_S` prints its address and pid, and serves until its input ends.

WRITES_PER_S above 0 makes the disk that slow: each commit takes as long as the writes of the one before it are worth.
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
from gateway.store.store import LmdbStore
from gateway.telemetry.trail import NullTrail
from tests.campaign.stage import staged
from tests.fakes.environment import FailingOpener
from tests.fakes.house import house

STALL_S_MAX: Final = 2.0  # of one commit of the slow disk


class SlowDisk:
    """Holds commits back so that in the long run no more than `per_s` writes are made a second."""

    def __init__(self, store: LmdbStore, per_s: float) -> None:
        self._store, self._per_s = store, per_s
        self._free_s, self._written = 0.0, 0

    def __call__(self) -> None:
        """On the writer's thread, before each commit."""
        written = self._store.usage().writes
        cost_s = (written - self._written) / self._per_s
        self._written = written
        now = time.monotonic()
        self._free_s = max(self._free_s, now) + cost_s
        threading.Event().wait(min(self._free_s - now, STALL_S_MAX))


async def main(folder: Path, per_s: float) -> None:
    opener = FailingOpener()
    async with LmdbStore(folder / "data", clock=SystemClock(), open_with=opener) as store:
        gate = replace(house(store=store), trail=NullTrail(), clock=SystemClock(), entropy=os.urandom)
        async with staged(folder, gate, connections_max=1_000) as (edge, _):
            assert opener.env is not None
            if per_s:
                opener.env.before_commit = SlowDisk(store, per_s)
            ready: dict[str, Any] = {"address": edge.addresses["plaintext"], "pid": os.getpid()}
            print(json.dumps(ready), flush=True)
            await trio.to_thread.run_sync(sys.stdin.read, abandon_on_cancel=True)
            opener.env.before_commit = lambda: None


if __name__ == "__main__":
    os.sched_setaffinity(0, {int(sys.argv[2])})
    trio.run(main, Path(sys.argv[1]), float(sys.argv[3]))
