"""The simulator's bank, told what to do: a script in place of its dice."""

import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import trio

from gateway.core.reasons import Reason
from tests.sim.bank import Entry, SimBank
from tests.sim.tongue import Said

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Misdeed:
    """What the next request of a kind meets."""

    what: str
    """pay, status or reports."""
    fault: str
    """One of the simulator's (tests/sim/bank.py)."""
    chosen: object = None
    """What the dice show when they are thrown over it."""


def _refusal(reason: Reason) -> Misdeed:
    return Misdeed("pay", "not_sent", reason)


MISDEEDS: Final[dict[str, Misdeed]] = {
    "drops reply": Misdeed("pay", "reply_lost", Reason.REPLY_LOST),
    "resets stream": Misdeed("pay", "reply_lost", Reason.STREAM_RESET),
    "truncates reply": Misdeed("pay", "reply_lost", Reason.REPLY_TRUNCATED),
    "drops request": Misdeed("pay", "request_lost", Reason.REPLY_LOST),
    "refuses connection": _refusal(Reason.CONNECT_FAILED),
    "refuses certificate": _refusal(Reason.CERTIFICATE_REFUSED),
    "refuses stream": _refusal(Reason.STREAM_REFUSED),
    "rotates connection": _refusal(Reason.GOAWAY_ABOVE_LAST),
    "throttles": Misdeed("pay", "throttled"),
    "hangs": Misdeed("pay", "hangs"),
    "hangs without booking": Misdeed("pay", "hangs_unbooked"),
    "answers with a web page": Misdeed("pay", "garbage", (200, b"<html>")),
    "answers 500": Misdeed("pay", "garbage", (500, b"")),
    "answers after the deadline": Misdeed("pay", "reply_late"),
    "receives late": Misdeed("pay", "arrives_late"),
    "shows late": Misdeed("pay", "shown_late"),
    "answers about nobody": Misdeed("pay", "partial"),
    "answers twice": Misdeed("pay", "twice"),
    "takes and denies": Misdeed("pay", "denies_what_it_takes", "NOT_PROCESSED"),
    "refuses inquiry": Misdeed("status", "not_sent", Reason.CONNECT_FAILED),
    "drops inquiry": Misdeed("status", "reply_lost", Reason.REPLY_LOST),
    "throttles inquiry": Misdeed("status", "throttled"),
    "answers inquiry with a web page": Misdeed("status", "garbage", (200, b"<html>")),
    "answers inquiry about another": Misdeed("status", "of_another"),
    "finds and does not find": Misdeed("status", "both_ways"),
}
WORDS: Final = {
    "takes": ("TAKEN", "ACCP"),
    "processes": ("TAKEN", "ACSP"),
    "settles": ("SETTLED", "ACSC"),
    "rejects": ("REJECTED", "RJCT", "AC04"),
}
AWAY: Final = Misdeed("", "not_sent", Reason.CONNECT_FAILED)


class Script(random.Random):
    """Dice that show what the script wants: the latest moment, the middle, the order given."""

    chosen: object = None

    def random(self) -> float:
        return 0.5

    def uniform(self, a: float, b: float) -> float:
        return max(a, b)

    def choice(self, seq: Any) -> Any:
        return self.chosen if self.chosen in seq else seq[0]

    def choices(self, population: Any, *weights: Any, k: int = 1, **more: Any) -> list[Any]:
        return [population[place % len(population)] for place in range(k)]

    def shuffle(self, x: Any) -> None:
        pass


@dataclass(slots=True)
class ToldBank(SimBank):
    """Well-behaved but for its script; it settles nothing by itself and writes only the letters it is told to."""

    script: deque[Misdeed] = field(default_factory=deque)
    standing: list[Misdeed] = field(default_factory=list)
    word: tuple[str, ...] = WORDS["takes"]
    asked_at_s: list[float] = field(default_factory=list)

    def _strikes(self, faults: tuple[str, ...], what: str) -> str:
        if what == "status":
            self.asked_at_s.append(trio.current_time())
        found = next((one for one in self.script if one.what == what), None)
        if found is not None:
            self.script.remove(found)
        else:
            found = next((one for one in self.standing if one.what in ("", what) and one.fault in faults), None)
        if found is None or found.fault not in faults:
            return ""
        self._dice_show(found.chosen)
        return found.fault

    def _dice_show(self, chosen: object) -> None:
        assert isinstance(self.dice, Script)
        self.dice.chosen = chosen

    def _take(self, reference: str, shown_at_s: float) -> Said:
        said = Said(reference, *self.word)
        if said.word != "REJECTED":
            self.booked(self.name, reference)
        self.entries.setdefault(reference, Entry(said, shown_at_s, said))
        return said

    def write(self, reference: str, word: Sequence[str]) -> None:
        """A letter into the mailbox, true or not."""
        self.letters.append(Said(reference, *word))
        if word[0] not in ("NOT_FOUND", "NOT_PROCESSED"):
            self.show(reference, word)

    def show(self, reference: str, word: Sequence[str]) -> None:
        """What an inquiry is answered from now on, where the bank has the payment at all."""
        entry = self.entries.get(reference)
        if entry is not None:
            entry.said = entry.final = Said(reference, *word)
