"""`make sim SEEDS=1..50`: runs seeds, prints what came of them, and exits 1 where a law was broken."""

import argparse
import logging
import sys

from tests.campaign.report import BUILD, provenance, written
from tests.sim.plan import plan
from tests.sim.report import figures, line, summary
from tests.sim.world import Outcome, run


def seeds_of(text: str) -> list[int]:
    """`7`, `1..50`, or several of them with commas. ValueError where it is neither."""
    seeds: list[int] = []
    for part in text.split(","):
        first, dots, last = part.partition("..")
        seeds += range(int(first), int(last) + 1) if dots else [int(first)]
    if not seeds:
        raise ValueError("no seeds")
    return seeds


def main() -> int:
    parser = argparse.ArgumentParser(prog="make sim", description=__doc__)
    parser.add_argument("seeds", type=seeds_of, help="7, 1..50 or 1..50,77")
    parser.add_argument("--store", choices=("memory", "lmdb", "mixed"), default="mixed", help="default: mixed")
    parser.add_argument("--twice", action="store_true", help="each seed a second time: the same to the bit (memory)")
    parser.add_argument("--quiet", action="store_true", help="the summary only")
    parser.add_argument("--summary", action="store_true", help="also as JSON, for docs/safety.md")
    parser.add_argument("--log", action="store_true", help="the house's own log on standard error")
    asked = parser.parse_args()
    logging.basicConfig(level=logging.INFO if asked.log else logging.CRITICAL + 1)
    outcomes: list[Outcome] = []
    for seed in asked.seeds:
        outcomes.append(run(plan(seed, store=asked.store)))
        if asked.twice and not outcomes[-1].lmdb and run(plan(seed, store=asked.store)).digest != outcomes[-1].digest:
            outcomes[-1].broken = outcomes[-1].broken or "it does not replay to the bit"
        if not asked.quiet or outcomes[-1].broken:
            print(line(outcomes[-1]), flush=True)
    print("\n".join(summary(outcomes)))
    if asked.summary:
        document = {"command": f"python -m tests.sim {' '.join(sys.argv[1:])}", **figures(outcomes), **provenance()}
        written(BUILD / "sim.json", document)
    return 1 if any(outcome.broken for outcome in outcomes) else 0


sys.exit(main())
