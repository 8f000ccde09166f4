"""The long crash campaign: `python -m tests.campaign.crash --rounds 300 --seed N`.

Rounds are played in houses of their own, ROUNDS_PER_HOUSE each, so that the oracle stays quick. What is done is kept
after each house: the same command on the same commit goes on where it was ended. Exit code 1 where a law was broken;
that house is kept. Ctrl-C and SIGTERM end the banks and the daemon with it.
"""

import argparse
import json
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Final

from tests.campaign.plan import plan
from tests.campaign.report import BUILD, provenance, written
from tests.campaign.rounds import staged
from tests.campaign.totals import Totals

ROUNDS_PER_HOUSE: Final = 40
ROUNDS_MAX: Final = 10_000


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.campaign.crash", description="kill -9 at every commit and send point")
    parser.add_argument("--rounds", type=int, default=300, help="all in all (default: 300)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--anew", action="store_true", help="forget what was done with this seed")
    chosen = parser.parse_args()
    if not 0 < chosen.rounds <= ROUNDS_MAX:
        parser.error(f"--rounds: from 1 to {ROUNDS_MAX}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also in the background, where shells ignore it
    file = BUILD / f"crash-{chosen.seed}.json"
    totals = Totals(chosen.seed) if chosen.anew else _begun(file, chosen.seed)
    if totals.rounds:
        print(f"going on after round {totals.rounds} of seed {chosen.seed}")
    while totals.rounds < chosen.rounds and not totals.complaints:
        _play_house(totals, min(ROUNDS_PER_HOUSE, chosen.rounds - totals.rounds))
        written(file, totals.document())
    print(json.dumps(totals.document(), indent=1))
    return 1 if totals.complaints else 0


def _begun(file: Path, seed: int) -> Totals:
    if not file.exists():
        return Totals(seed)
    kept = json.loads(file.read_text())
    if kept["commit"] != provenance()["commit"] or kept["commit"].endswith("+changes"):
        print(f"what was done with {kept['commit']} does not count for this commit")
        return Totals(seed)
    return Totals(**{name: kept[name] for name in Totals.__dataclass_fields__})


def _play_house(totals: Totals, rounds: int) -> None:
    """The next rounds in a house of their own; it is deleted when it was in order."""
    root, began, first = BUILD / f"house-{totals.seed}", time.monotonic(), totals.rounds
    with staged(root, totals.seed + first) as campaign:
        for number in range(first, first + rounds):
            round_ = campaign.play(plan(totals.seed, number))
            totals.add(round_)
            print(round_.line(), flush=True)
            if round_.complaints:
                break
        complaints = campaign.quiet()
        totals.complain(f"quiet after round {totals.rounds - 1}", complaints)
        print(f"quiet: {campaign.acknowledged} payments, {len(complaints)} complaints", *complaints, sep="\n    ")
    totals.seconds += time.monotonic() - began
    if not totals.complaints:
        shutil.rmtree(root)


if __name__ == "__main__":
    sys.exit(main())
