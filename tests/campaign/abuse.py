"""The attacks in full: `python -m tests.campaign.abuse [--only WORD] [--steps]`.

Each attack meets an edge in a process of its own, pinned to one core; attacker and bystander, another client that must
not notice, are processes on the others. Calm and attack take turns in one run (calm, attack, calm, …), because the
machine is shared and its speed changes: the bystander's times during the attacks are compared with those of the calm
around them. With `--steps` each report tells of the longest steps and rounds of the server's loop during the attacks
(tests.campaign.long_steps), which costs some of the server's speed. Writes build/campaign/abuse.json and exits 1 if a
claim does not hold. Ratios are of whatever machine this is.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import trio

from tests.campaign.attacks import ATTACKS, Attack, Endings
from tests.campaign.bystander import percentile
from tests.campaign.report import BUILD, provenance, written
from tests.campaign.stage import resident_bytes

OUT: Final = BUILD / "abuse.json"
GROWTH_BYTES_MAX: Final = 50_000_000
P99_RATIO_MAX: Final = 2.0
ROUNDS: Final = 2  # attacks of one run, each between two calms
RAID_S_ENOUGH: Final = 15.0  # an attack as long as this one is not made again
CALM_S: Final = 2.0
SETTLE_S: Final = 0.5  # after an attack: what it left is cleared away, and counts for neither
WATCH_EVERY_S: Final = 0.05
SERVER_CORE: Final = 0
LONGEST: Final = 20  # steps and rounds told of
URGENT: Final = -10  # niceness of server and bystander

Span = tuple[float, float]


@asynccontextmanager
async def process(
    module: str, *words: str, core: int | None = None, urgent: bool = False
) -> AsyncIterator[trio.Process]:
    """One of ours, on this core or on all but the server's; killed when we leave."""
    command = [sys.executable, "-m", f"tests.campaign.{module}", *words]
    others = set(range(os.cpu_count() or 1)) - {SERVER_CORE}
    child = await trio.lowlevel.open_process(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(child.pid, {core} if core is not None else others or {SERVER_CORE})
    if urgent:
        # What is to be seen is how our own tasks share a core, not how strangers' processes take it from them.
        with contextlib.suppress(PermissionError):  # then the report shows how long the server waited for its core
            os.setpriority(os.PRIO_PROCESS, child.pid, URGENT)
    try:
        yield child
    finally:
        child.kill()
        with trio.CancelScope(shield=True):
            await child.wait()


async def line(child: trio.Process) -> Any:
    """What it prints first, decoded."""
    assert child.stdout is not None
    said = b""
    while not said.endswith(b"\n"):
        part = await child.stdout.receive_some()
        if not part:
            raise EOFError(f"{child.args} ended without a word")
        said += part
    return json.loads(said)


class Peak:
    """The most memory a process held while `run` ran."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.before = self.bytes = resident_bytes(pid)

    async def run(self) -> None:
        while True:
            self.bytes = max(self.bytes, resident_bytes(self._pid))
            await _pass(WATCH_EVERY_S)


def core_wait_s(pid: int) -> float:
    """How long a process has been ready while others had its core; 0 where the system does not tell."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


async def _pass(seconds: float) -> None:
    with trio.move_on_after(seconds):
        await trio.sleep_forever()


async def suffered(attack: Attack, *words: str) -> dict[str, Any]:
    """One attack, and what it did. `words`: for the stage."""
    raids: list[dict[str, Any]] = []
    calms: list[Span] = []
    seen: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        async with process("stage", folder, *words, core=SERVER_CORE, urgent=True) as server:
            edge = await line(server)
            async with process(
                "bystander", edge["plaintext"], edge["known"], str(edge["pid"]), urgent=True
            ) as bystander:
                await _calm(calms)  # the first one warms up
                calms.clear()
                await _calm(calms)
                peak = Peak(edge["pid"])
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(peak.run)
                    for _ in range(ROUNDS):
                        async with process("raid", attack.name, edge[attack.door], str(attack.full)) as raid:
                            waited_s, began = core_wait_s(edge["pid"]), time.monotonic()
                            raids.append(await line(raid))
                            lasted = time.monotonic() - began
                            raids[-1]["core_wait_share"] = (core_wait_s(edge["pid"]) - waited_s) / lasted
                        if lasted > RAID_S_ENOUGH:
                            await _pass(SETTLE_S)
                            await _calm(calms)
                            break
                        await _pass(SETTLE_S)
                        await _calm(calms)
                    nursery.cancel_scope.cancel()
                assert bystander.stdin is not None
                await bystander.stdin.aclose()
                heard = await line(bystander)
            if words:
                assert server.stdin is not None
                await server.stdin.aclose()
                seen = await line(server)
    spans = [(raid["began"], raid["ended"]) for raid in raids]
    report = judged(attack, raids, peak.bytes - peak.before, heard["failures"]) | timed(heard["calls"], calms, spans)
    return report | {what: longest(seen[what], spans) for what in ("steps", "rounds") if what in seen}


async def _calm(calms: list[Span]) -> None:
    began = time.monotonic()
    await _pass(CALM_S)
    calms.append((began, time.monotonic()))


def longest(seen: list[dict[str, Any]], spans: list[Span]) -> list[dict[str, Any]]:
    """The longest of these steps or rounds that ended during attacks."""
    during = [one for one in seen if any(start <= one["at"] < end for start, end in spans)]
    return sorted(during, key=lambda one: -one["seconds"])[:LONGEST]


def judged(attack: Attack, raids: list[dict[str, Any]], growth: int, failures: dict[str, int]) -> dict[str, Any]:
    endings = sum((Endings(raid["endings"]) for raid in raids), Endings())
    finished = all(raid["finished"] for raid in raids)
    held = finished and endings.keys() <= attack.ends and growth < GROWTH_BYTES_MAX and not failures
    return {
        "attack": attack.name,
        "size": attack.full,
        "seconds": [round(raid["ended"] - raid["began"], 1) for raid in raids],
        "times": [raid["times"] for raid in raids],
        "core_wait_share": [round(raid["core_wait_share"], 3) for raid in raids],
        "finished": finished,
        "endings": dict(endings),
        "growth_mb": round(growth / 1e6, 1),
        "others_failures": failures,
        "held": held,
    }


def timed(calls: Iterable[tuple[float, float, float]], calms: list[Span], attacks: list[Span]) -> dict[str, Any]:
    """The bystander's milliseconds in calm and under attack, and those that the server worked in them; a call counts
    where it began."""
    calls = list(calls)
    calm, under = (_within(calls, spans) for spans in (calms, attacks))
    figures: dict[str, Any] = {"others_calls": [len(calm), len(under)]}
    for name, which, share in (("p50", 0, 0.50), ("p99", 0, 0.99), ("work_p99", 1, 0.99)):
        before, during = (percentile([one[which] for one in part], share) for part in (calm, under))
        figures[f"others_{name}_ms"] = [round(before * 1e3, 2), round(during * 1e3, 2)]
        figures[f"others_{name}_ratio"] = round(during / before, 2) if before and under else None
    # How much the calms differ among themselves is how little a ratio near the bound means.
    seconds = ([one[0] for one in _within(calls, [span])] for span in calms)
    figures["calm_p99_ms"] = [round(percentile(part, 0.99) * 1e3, 2) for part in seconds]
    ratio = figures["others_p99_ratio"]
    return figures | {"p99_held": ratio is not None and ratio < P99_RATIO_MAX}


def _within(calls: list[tuple[float, float, float]], spans: list[Span]) -> list[tuple[float, float]]:
    return [(seconds, worked) for began, seconds, worked in calls if any(start <= began < end for start, end in spans)]


async def main(only: str, *words: str) -> int:
    reports = []
    for attack in ATTACKS:
        if only in attack.name:
            reports.append(await suffered(attack, *words))
            print(json.dumps(reports[-1]), flush=True)
    command = f"python -m tests.campaign.abuse{f' --only {only}' if only else ''}"
    held, p99_held = (all(one[name] for one in reports) for name in ("held", "p99_held"))
    written(OUT, {"command": command, "attacks": reports, "held": held and p99_held, **provenance()})
    for one in reports:
        print(told(one))
    print(f"{sum(one['held'] for one in reports)} of {len(reports)} attacks ended as they must, in bounded memory;")
    print(f"others' p99 held below {P99_RATIO_MAX} x in {sum(one['p99_held'] for one in reports)}; see {OUT}")
    return 0 if held and p99_held else 1


def told(one: dict[str, Any]) -> str:
    """One line of the table."""
    p50, p99 = one["others_p50_ms"], one["others_p99_ms"]
    return (
        f"{one['attack']:32} {'held' if one['held'] else 'BROKEN':6} {one['growth_mb']:6.1f} MB  "
        f"p50 {p50[0]:7.2f} -> {p50[1]:7.2f} ms  p99 {p99[0]:7.2f} -> {p99[1]:7.2f} ms  "
        f"x {one['others_p99_ratio']}{'' if one['p99_held'] else ' NOT HELD'}  "
        f"server's work x {one['others_work_p99_ratio']}"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="attacks whose name has this")
    parser.add_argument("--steps", action="store_true", help="tell of the server's longest steps and rounds")
    asked = parser.parse_args()
    sys.exit(trio.run(main, asked.only, *(["steps"] if asked.steps else [])))
