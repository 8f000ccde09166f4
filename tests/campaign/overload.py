"""Overload: `python -m tests.campaign.overload` offers a daemon's edge more than its disk can write, and writes
build/campaign/overload.json.

The disk is slowed down until it writes a known number of admissions a second; one client for each load offers that
number, twice and five times it, call by call at a steady pace whatever the answers (open loop). All figures are shares
and ratios. Exit 1 if goodput under overload is below GOODPUT_MIN of what the same disk gives at its own pace.
"""

import json
import sys
import tempfile
import threading
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import trio

from gateway import limits
from gateway.rpc.client import CallFailed, Channel, open_channel
from gateway.store.store import LmdbStore
from gateway.telemetry import names
from tests.campaign.report import BUILD, provenance, written
from tests.campaign.stage import resident_bytes, staged
from tests.fakes.clock import FakeClock
from tests.fakes.environment import FailingOpener
from tests.fakes.house import house
from tests.fakes.trail import SeenTrail
from tests.ingress.messages import submit

OUT: Final = BUILD / "overload.json"
COMMIT_S: Final = 4.0  # a commit of the slow disk, however many writes it has
LOAD_S: Final = 24.0
SETTLE_S: Final = 30.0  # for the answers to what was offered last
GOODPUT_MIN: Final = 0.7
METHOD: Final = "/causeway.v1.PaymentService/SubmitPayment"
LOADS: Final = (1, 2, 5)


@dataclass
class Load:
    """What one load met with."""

    factor: int
    answers: Counter[str] = field(default_factory=Counter)
    taken_s: list[float] = field(default_factory=list)
    shed_s: list[float] = field(default_factory=list)

    def report(self, growth_bytes: int, counted: int) -> dict[str, Any]:
        offered = self.answers.total()
        return {
            "load": self.factor,
            "offered": offered,
            "answers": dict(self.answers),
            "taken_per_s": round(self.answers["OK"] / LOAD_S, 1),
            "shed_share": round(self.answers["RESOURCE_EXHAUSTED"] / max(1, offered), 2),
            "shed_median_ms": round(1e3 * middle(self.shed_s), 1),
            "taken_median_ms": round(1e3 * middle(self.taken_s), 1),
            "growth_mb": round(growth_bytes / 1e6, 1),
            "shed_counted": counted,
        }


def middle(values: list[float]) -> float:
    return sorted(values)[len(values) // 2] if values else 0.0


async def offer(channels: list[Channel], load: Load, per_s: float) -> None:
    """`per_s` calls a second for LOAD_S seconds, each in a task of its own."""
    calls = [channel.unary_unary(METHOD) for channel in channels]
    began_s, sent = trio.current_time(), 0

    async def one(number: int) -> None:
        request = submit(f"load-{load.factor}-{number}").SerializeToString()
        asked_s = trio.current_time()
        try:
            await calls[number % len(calls)](request)
        except CallFailed as error:
            load.answers[error.code.name] += 1
            load.shed_s.append(trio.current_time() - asked_s)
        else:
            load.answers["OK"] += 1
            load.taken_s.append(trio.current_time() - asked_s)

    with trio.move_on_after(LOAD_S + SETTLE_S):
        async with trio.open_nursery() as nursery:
            while (passed_s := trio.current_time() - began_s) < LOAD_S:
                for number in range(sent, int(passed_s * per_s)):
                    nursery.start_soon(one, number)
                sent = max(sent, int(passed_s * per_s))
                with trio.move_on_after(0.02):
                    await trio.sleep_forever()


async def loaded(factor: int) -> dict[str, Any]:
    """One load against a fresh edge over a slow store."""
    opener, load, trail = FailingOpener(), Load(factor), SeenTrail()
    with tempfile.TemporaryDirectory() as folder:
        store = LmdbStore(Path(folder, "data"), clock=FakeClock(), open_with=opener)
        async with store:
            gate = replace(house(store=store), trail=trail)
            async with staged(Path(folder), gate, connections_max=1_000) as (edge, _):
                assert opener.env is not None
                opener.env.before_commit = lambda: wait(COMMIT_S)
                before = resident_bytes()
                async with trio.open_nursery() as nursery:
                    channels = [await nursery.start(connect, edge.addresses["plaintext"]) for _ in range(50)]
                    await offer(channels, load, factor * limits.COMMIT_PAYMENTS_MAX / COMMIT_S)
                    growth = resident_bytes() - before
                    nursery.cancel_scope.cancel()
                opener.env.before_commit = lambda: None
    counted = sum(count for (name, _), count in trail.counts.items() if name == names.SHED)
    return load.report(growth, counted)


def wait(seconds: float) -> None:
    """On the writer's thread: the disk takes its time."""
    threading.Event().wait(seconds)


async def connect(address: str, *, task_status: trio.TaskStatus[Channel] = trio.TASK_STATUS_IGNORED) -> None:
    host, port = address.rsplit(":", 1)
    async with open_channel(await trio.open_tcp_stream(host, int(port)), authority="localhost") as channel:
        task_status.started(channel)
        await trio.sleep_forever()


async def main() -> int:
    reports = []
    for factor in LOADS:
        reports.append(await loaded(factor))
        print(json.dumps(reports[-1]), flush=True)
    alone = reports[0]["taken_per_s"] or 1.0
    ratios = {f"{one['load']}x": round(one["taken_per_s"] / alone, 2) for one in reports}
    held = all(ratio >= GOODPUT_MIN for ratio in ratios.values())
    command = "python -m tests.campaign.overload"
    written(OUT, {"command": command, "goodput": ratios, "held": held, "loads": reports, **provenance()})
    print(f"goodput {ratios}; see {OUT}")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(trio.run(main))
