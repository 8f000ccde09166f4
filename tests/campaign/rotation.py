"""The long rotation campaign: `python -m tests.campaign.rotation --rotations 1000 --seed N`.

Each peer in turn ends so many connections under load. Exit code 1 where an exchange ended in doubt though its peer
behaved, was answered by another's answer, or was processed twice. The summary is build/campaign/rotation.json.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import pytest
import trio

from tests.campaign.report import BUILD, provenance, written
from tests.campaign.rotating import Tally, rotate
from tests.campaign.rotors import PEERS
from tests.fakes.papers import Papers

FILE: Final = BUILD / "rotation.json"
ROTATIONS_MAX: Final = 1_000_000
PEER_S_MAX: Final = 3_600.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.campaign.rotation", description="connections that end under load")
    parser.add_argument("--rotations", type=int, default=1000, help="of each peer (default: 1000)")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    if not 0 < chosen.rotations <= ROTATIONS_MAX:
        parser.error(f"--rotations: from 1 to {ROTATIONS_MAX}")
    of = provenance()  # of the tree that is about to run, not of what it has become by the end
    tallies, absent = trio.run(_all_peers, chosen.rotations, chosen.seed)
    document = {**summary(tallies, absent, chosen.rotations, chosen.seed), **of}
    written(FILE, document)
    print(json.dumps(document, indent=1))
    return 0 if all(tally.good for tally in tallies) else 1


async def _all_peers(rotations: int, seed: int) -> tuple[list[Tally], list[str]]:
    tallies: list[Tally] = []
    absent: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        papers = Papers(Path(folder))
        for name, peer in PEERS.items():
            try:
                with trio.fail_after(PEER_S_MAX):
                    tallies.append(await rotate(name, peer, papers, seed, rotations, told=print))
            except pytest.skip.Exception as skipped:  # programs.find: it is not installed here
                absent.append(f"{name}: {skipped.msg}")
                continue
            print(tallies[-1].line(), flush=True)
    return tallies, absent


def summary(tallies: list[Tally], absent: list[str], rotations: int, seed: int) -> dict[str, Any]:
    """Totals over all peers, and each peer's own; machine and commit are added by whoever knows them."""
    return {
        "command": f"python -m tests.campaign.rotation --rotations {rotations} --seed {seed}",
        "seed": seed,
        "rotations": sum(tally.rotations for tally in tallies),
        "exchanges": sum(tally.exchanges for tally in tallies),
        "answered": sum(tally.answered for tally in tallies),
        "not_sent": sum(tally.not_sent.total() for tally in tallies),
        "doubts": sum(tally.doubts.total() for tally in tallies),
        "wrong": sum(tally.wrong for tally in tallies),
        "double": sum(tally.double for tally in tallies),
        "missing": sum(tally.missing for tally in tallies),
        "peers": {tally.peer: tally.document() for tally in tallies},
        "absent": absent,
    }


if __name__ == "__main__":
    sys.exit(main())
