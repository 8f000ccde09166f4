"""`make campaign`: every part of the long campaign, one after the other. What a part found is in build/campaign,
and the figures of docs/safety.md are written from that at the end.

A part that is done with this commit is not done again, so the command goes on where it was ended; parts that keep
their own state go on inside. `ARGS="crash disk"` runs some of them, `ARGS=--anew` all of them again. Exit code 1 where
any part found a broken promise.
"""

import argparse
import json
import subprocess
import sys
import time
from typing import Final

from tests.campaign import figures
from tests.campaign.report import BUILD, provenance, written

PARTS: Final[dict[str, tuple[str, ...]]] = {
    "crash": ("tests.campaign.crash", "--rounds", "300", "--seed", "1"),
    "disk": ("tests.campaign.disk", "--every", "1"),
    "rotation": ("tests.campaign.rotation", "--rotations", "1000", "--seed", "1"),
    "abuse": ("tests.campaign.abuse",),
    "overload": ("tests.campaign.overload",),
    "sim": ("tests.sim", "1..200", "--quiet", "--summary"),
    "restart": ("tests.campaign.restart", "--payments", "1000000"),
}
"""Part → the module that runs it, with its arguments. It prints progress, writes its summary and exits with 0 or 1."""

PART_S_MAX: Final = 2 * 3600.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="make campaign", description="the long campaign")
    parser.add_argument("part", nargs="*", help=f"of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--anew", action="store_true", help="also what is done with this commit")
    chosen = parser.parse_args()
    if unknown := [part for part in chosen.part if part not in PARTS]:
        parser.error(f"no part {unknown[0]}: one of {', '.join(PARTS)}")
    file, commit = BUILD / "done.json", provenance()["commit"]
    done: dict[str, str] = json.loads(file.read_text()) if file.exists() and not chosen.anew else {}
    failed = []
    for part in chosen.part or PARTS:
        if done.get(part) == commit and not commit.endswith("+changes"):
            print(f"== {part}: done with {commit}")
            continue
        print(f"== {part}: {' '.join(PARTS[part])}", flush=True)
        began = time.monotonic()
        code = subprocess.run([sys.executable, "-m", *PARTS[part]], timeout=PART_S_MAX).returncode
        print(f"== {part}: exit code {code} after {time.monotonic() - began:.0f} s", flush=True)
        if code:
            failed.append(part)
        else:
            done[part] = commit
            written(file, done)
    figures.main()
    if failed:
        print(f"broken promises or failures in: {', '.join(failed)}; their summaries are in {BUILD}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
