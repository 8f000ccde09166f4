"""The judge: the bank's own ledger against what the generator was told.

*Lost*: acknowledged, the daemon has nothing more to do for it, and the bank never booked it. *Double*: booked more
than once, acknowledged or not. Both are counted by end-to-end id, which the generator chose.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from loadtest.bank.ledger import Ledger
from loadtest.instructions import key_of
from loadtest.tally import ACKNOWLEDGED


@dataclass(frozen=True, slots=True)
class Verdict:
    """`unsettled`: acknowledged and still under way or in doubt when the ledger was read; neither lost nor done."""

    acknowledged: int
    booked: int
    lost: int
    double: int
    unsettled: int

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def judge(ledger: Ledger, runs: Iterable[tuple[str, bytes]], under_way: frozenset[str]) -> Verdict:
    """`runs`: each run's name and what became of its requests (tally's bytes, by number); `under_way`: keys that the
    daemon still works on."""
    booked: dict[str, int] = {}
    for row in ledger.rows():
        booked[row.end_to_end_id] = booked.get(row.end_to_end_id, 0) + 1
    acknowledged = [
        key_of(run, number) for run, states in runs for number, state in enumerate(states) if state == ACKNOWLEDGED
    ]
    missing = [key for key in acknowledged if key not in booked]
    return Verdict(
        acknowledged=len(acknowledged),
        booked=len(booked),
        lost=sum(key not in under_way for key in missing),
        double=sum(count > 1 for count in booked.values()),
        unsettled=sum(key in under_way for key in missing),
    )
