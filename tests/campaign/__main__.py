"""`make campaign`: every part of the long campaign, one after the other, on one commit. What a part found is in
build/campaign, and the figures of docs/safety.md are written from that at the end.

A part that is done with this commit is not done again, so the command goes on where it was ended; the parts that take
longest (crash, disk) go on inside. `ARGS="crash disk"` runs some of them, `ARGS=--anew` all of them again. How long it
will take is told from how long each part took before on this machine, or from what is usual. Exit code 1 where any part
found a broken promise.

A part that began on one commit and ended on another is of neither: it does not count as done, and says so.
"""

import argparse
import json
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.campaign import figures
from tests.campaign.report import BUILD, provenance, written


@dataclass(frozen=True, slots=True)
class Part:
    """The module that runs it, with its arguments: it prints progress, writes its summary and exits with 0 or 1."""

    words: tuple[str, ...]
    usual_s: float
    """What it takes on two busy cores, for an estimate where it was never run."""


DISK_MINUTES: Final = 15
PARTS: Final[dict[str, Part]] = {
    "crash": Part(("tests.campaign.crash", "--rounds", "300", "--seed", "1"), 1_800),
    "disk": Part(("tests.campaign.disk", "--minutes", f"{DISK_MINUTES}", "--seed", "1"), 60.0 * DISK_MINUTES),
    "copies": Part(("tests.campaign.copies", "--per-call", "6"), 60),
    "rotation": Part(("tests.campaign.rotation", "--rotations", "1000", "--seed", "1"), 600),
    "abuse": Part(("tests.campaign.abuse",), 900),
    "overload": Part(("tests.campaign.overload",), 120),
    "sim": Part(("tests.sim", "1..200", "--quiet", "--summary"), 1_800),
    "restart": Part(("tests.campaign.restart", "--payments", "1000000"), 900),
}

PART_S_MAX: Final = 2 * 3600.0


@dataclass
class Record:
    """What was done, and how long it took: a JSON file, replaced after each part."""

    file: Path
    done: dict[str, str] = field(default_factory=dict)
    """Part → the commit it is done with."""
    took_s: dict[str, float] = field(default_factory=dict)
    """Part → the seconds of its last whole run."""

    @classmethod
    def read(cls, file: Path) -> "Record":
        kept = json.loads(file.read_text()) if file.exists() else {}
        return cls(file, kept.get("done", {}), kept.get("took_s", {}))

    def write(self) -> None:
        written(self.file, {"done": self.done, "took_s": self.took_s})

    def left_s(self, parts: list[str]) -> float:
        return sum(self.took_s.get(part, PARTS[part].usual_s) for part in parts)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make campaign", description="the long campaign")
    parser.add_argument("part", nargs="*", help=f"of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--anew", action="store_true", help="also what is done with this commit")
    chosen = parser.parse_args()
    if unknown := [part for part in chosen.part if part not in PARTS]:
        parser.error(f"no part {unknown[0]}: one of {', '.join(PARTS)}")
    commit, record = provenance()["commit"], Record.read(BUILD / "done.json")
    wanted = chosen.part or list(PARTS)
    todo = [part for part in wanted if chosen.anew or not is_done(record, part, commit)]
    for part in wanted:
        if part not in todo:
            print(f"== {part}: done with {commit}")
    if commit.endswith("+changes"):
        print("== the tree has changes: the figures will say so, and no part will count as done")
    failed = [part for number, part in enumerate(todo) if not play(record, todo[number:], commit)]
    figures.main()
    tell(record, commit, failed)
    return 1 if failed else 0


def is_done(record: Record, part: str, commit: str) -> bool:
    return record.done.get(part) == commit and not commit.endswith("+changes")


def play(record: Record, parts: list[str], commit: str) -> bool:
    """Runs the first of `parts`, which are those still to do. Whether it ended well, on the commit it began on."""
    part, left_s = parts[0], record.left_s(parts)
    words = PARTS[part].words
    print(f"== {part}: {' '.join(words)} · {len(parts)} to do, about {left_s / 60:.0f} min in all", flush=True)
    began = time.monotonic()
    try:
        code = subprocess.run([sys.executable, "-m", *words], timeout=PART_S_MAX).returncode
    except subprocess.TimeoutExpired:
        print(f"== {part}: ended after {PART_S_MAX / 3600:.0f} h", flush=True)
        return False
    took_s = time.monotonic() - began
    print(f"== {part}: exit code {code} after {took_s:.0f} s", flush=True)
    if (now := provenance()["commit"]) != commit:
        print(f"== {part}: began on {commit}, ended on {now}: it counts for neither", flush=True)
        return False
    if code == 0:
        record.done[part], record.took_s[part] = commit, took_s
        record.write()
    return code == 0


def tell(record: Record, commit: str, failed: list[str]) -> None:
    missing = [part for part in PARTS if not is_done(record, part, commit)]
    if failed:
        print(f"broken promises or failures in: {', '.join(failed)}; their summaries are in {BUILD}")
    if missing:
        print(f"not whole on {commit}: {', '.join(missing)} missing; the same command goes on there")
    else:
        print(f"whole: every part is done with {commit}")


if __name__ == "__main__":
    sys.exit(main())
