"""What all rounds of a crash campaign came to: a JSON file that the next run goes on from."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tests.campaign.ledgers import LOST
from tests.campaign.report import provenance
from tests.campaign.rounds import Round

BOOKED: Final = re.compile(r"booked \S+ (\d+) times$")


@dataclass
class Totals:
    """Of all rounds so far; a JSON file."""

    seed: int
    rounds: int = 0
    kills: dict[str, int] = field(default_factory=dict)
    """Place → rounds in which the daemon died there."""
    missed: dict[str, int] = field(default_factory=dict)
    """Point → rounds in which it was not met, so that the daemon was killed from outside."""
    stalled: list[str] = field(default_factory=list)
    """Starts that were not ready within 30 s, once in a row: of the machine, unless they become many."""
    acknowledged: int = 0
    ready_s_max: float = 0.0
    complaints: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, round_: Round) -> None:
        self.rounds += 1
        met = round_.plan.point is None or round_.reached
        counted = self.kills if met else self.missed
        counted[round_.plan.place] = counted.get(round_.plan.place, 0) + 1
        if round_.stalled:
            self.stalled.append(f"round {round_.plan.number}: {round_.stalled}")
        self.acknowledged += round_.acknowledged
        self.ready_s_max = max(self.ready_s_max, round_.ready_s or 0.0)
        self.complain(f"round {round_.plan.number}", round_.complaints)

    def complain(self, when: str, complaints: Sequence[str]) -> None:
        self.complaints += [f"{when}: {each}" for each in complaints]

    def document(self) -> dict[str, Any]:
        """The same with the two figures that must be nought, and where and of what they are."""
        booked = [int(count) for each in self.complaints for count in BOOKED.findall(each)]
        lost = sum(each.endswith(LOST) for each in self.complaints) + booked.count(0)
        return {**vars(self), "lost": lost, "double": sum(count > 1 for count in booked), **provenance()}
