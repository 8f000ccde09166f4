"""Reads a scenario and plays it: a line is an act or an expectation, `→` says what must come of it.

    pay P1 100.00 EUR northbank   → ACCEPTED
    bank northbank drops reply
    restart
    after 90 s
    expect P1 SETTLED booked 1

An error names the file and the line, and what is allowed there. `python -m tests.scenarios.run FILE` plays one.
"""

import logging
import re
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import trio
import trio.lowlevel

from gateway.core.decisions import Confirming, Proposing
from gateway.core.proposal import Decision
from gateway.core.states import State
from tests.scenarios.bank import AWAY, MISDEEDS, WORDS
from tests.scenarios.stage import MOMENT_S, SETTINGS, Stage
from tests.sim.determinism import run_seeded
from tests.sim.oracle import Violated

SECONDS: Final = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
LETTERS: Final = {
    "TAKEN": ("TAKEN", "ACCP"),
    "ACSP": ("TAKEN", "ACSP"),
    "SETTLED": ("SETTLED", "ACSC"),
    "REJECTED": ("REJECTED", "RJCT", "AC04"),
    "REJECTED of an older message": ("REJECTED", "RJCT", "AC04", "CBOLDER"),
    "RETURNED": ("RETURNED", ""),
    "NOT_FOUND": ("NOT_FOUND", ""),
}
RANGE_MAX: Final = 200
Act = Callable[..., Awaitable[str | None]]


class Wrong(Exception):
    """The scenario, or what came of it, is not as it should be. The text names file and line."""


@dataclass(frozen=True, slots=True)
class Line:
    number: int
    text: str
    result: str
    """What stands behind the arrow; "" where there is none."""


def lines_of(text: str) -> list[Line]:
    """Without comments and empty lines."""
    found = []
    for number, whole in enumerate(text.splitlines(), 1):
        act, _, result = whole.partition("#")[0].partition("→")
        if act.strip():
            found.append(Line(number, " ".join(act.split()), " ".join(result.split())))
    return found


def names_of(text: str) -> list[str]:
    """`P1`, or `P1..P20`."""
    first, dots, last = text.partition("..")
    if not dots:
        return [first]
    numbers = range(int(first[1:]), int(last[1:]) + 1)
    return [f"{first[0]}{number}" for number in numbers[:RANGE_MAX]]


class Play:
    """One scenario on its stage. Each act is a method; the grammar below names them."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    async def pay(self, names: str, amount: str, currency: str, bank: str, tenant: str | None) -> str:
        await self.stage.start()
        results = {await self.stage.pay(name, amount, currency, bank, tenant or "acme") for name in names_of(names)}
        return " ".join(sorted(results))

    async def pay_again(self, name: str, amount: str | None, tenant: str | None) -> str:
        await self.stage.start()
        return await self.stage.again(name, amount or "", tenant or "")

    async def cancel(self, name: str) -> str:
        return await self.stage.cancel(name)

    async def set(self, bank: str, key: str, value: str) -> None:
        default = SETTINGS[key]
        self.stage.settings[bank][key] = value == "true" if isinstance(default, bool) else type(default)(value)

    async def misbehaves(self, bank: str, deed: str, times: str | None) -> None:
        await self.stage.start()
        self.stage.banks[bank].script.extend([MISDEEDS[deed]] * int(times or 1))

    async def word(self, bank: str, word: str) -> None:
        await self.stage.start()
        self.stage.banks[bank].word = WORDS[word]

    async def away(self, bank: str, where: str) -> None:
        await self.stage.start()
        self.stage.banks[bank].standing = [AWAY] if where == "away" else []

    async def letter(self, bank: str, name: str, word: str, times: str | None) -> None:
        for _ in range(int(times or 1)):
            self.stage.banks[bank].write(self.stage.payment(name).wire_reference, LETTERS[word])

    async def shows(self, bank: str, name: str, word: str) -> None:
        self.stage.banks[bank].show(self.stage.payment(name).wire_reference, LETTERS[word])

    async def propose(self, actor: str, decision: str, name: str) -> str:
        return await self.stage.act(name, Proposing(Decision(decision), actor, "seen in the bank's portal"))

    async def confirm(self, actor: str, name: str) -> str:
        proposal = self.stage.payment(name).proposal
        return await self.stage.act(name, Confirming(proposal.digest if proposal else bytes(32), actor, "seen, too"))

    async def stray_letter(self, bank: str, what: str) -> None:
        self.stage.banks[bank].write("?garbage" if what == "garbage" else "CWSOMEBODYELSE", LETTERS["SETTLED"])

    async def after(self, number: str, unit: str) -> None:
        await trio.sleep(float(number) * SECONDS[unit])

    async def clock(self, sign: str, number: str, unit: str) -> None:
        self.stage.clock.advance(float(sign + number) * SECONDS[unit])

    async def restart(self) -> None:
        await self.crash()
        await self.start()

    async def reboot(self) -> None:
        """The machine too: its uptime begins anew."""
        await self.crash()
        self.stage.clock.reboot()
        await self.start()

    async def crash(self) -> None:
        self.stage.crash()
        await trio.sleep(MOMENT_S)

    async def crash_at_commit(self, when: str) -> None:
        await self.stage.start()
        setattr(self.stage.hazards, f"crash_{when}_commit", 1.0)

    async def start(self) -> None:
        self.stage.hazards.crash_before_commit = self.stage.hazards.crash_after_commit = 0.0
        await self.stage.start()
        await trio.sleep(MOMENT_S)

    async def drain(self) -> None:
        await self.stage.stop()

    async def watch(self, name: str, tenant: str | None, after: str | None) -> None:
        await self.stage.start()
        await self.stage.watch(name, tenant or "acme", int(after or 0))

    async def unwatch(self, name: str) -> None:
        self.stage.listening[name].cancel()
        await trio.lowlevel.checkpoint()

    async def expect(self, names: str, state: str, more: str | None) -> str | None:
        for name in names_of(names):
            payment = self.stage.payment(name)
            checks = {"state": (payment.state.value, state)}
            for key, value in re.findall(r"(\w+) (\S+)", more or ""):
                checks[key] = (self._looked_up(name, key), value)
            wrong = [f"{key} is {found}, not {wanted}" for key, (found, wanted) in checks.items() if found != wanted]
            if wrong:
                raise Wrong(f"{name}: " + ", ".join(wrong))
        return None

    def _looked_up(self, name: str, key: str) -> str:
        payment, facts = self.stage.payment(name), self.stage.facts(name)
        bank = payment.instruction.bank
        looks: dict[str, Callable[[], object]] = {
            "booked": lambda: self.stage.oracle.bookings[bank, payment.wire_reference],
            "attempts": lambda: len(payment.attempts),
            "inquiries": lambda: sum(fact.kind.value == "inquired" for fact in facts),
            "reason": lambda: facts[-1].reason,
            "contradiction": lambda: payment.contradiction or "none",
            "planned": lambda: "yes" if payment.inquire_at_ns else "no",
        }
        if key not in looks:
            raise Wrong(f"{key} cannot be expected; allowed are {', '.join(sorted(looks))}")
        return str(looks[key]())

    async def expect_life(self, name: str) -> str:
        return " ".join(str(fact.after) for fact in self.stage.facts(name))

    async def expect_seen(self, watcher: str, what: str) -> None:
        seen = self.stage.watchers[watcher]
        log = [fact for fact in self.stage.oracle.log if fact.tenant == seen.tenant]
        missed = [fact for fact in log if fact.sequence not in seen.sequences]
        if (what == "everything") == bool(missed):
            raise Wrong(f"{watcher} missed {len(missed)} of {len(log)} facts")

    async def expect_breaker(self, bank: str, breaker: str) -> None:
        assert self.stage.process is not None
        places = list(self.stage.settings)
        found = self.stage.process.lanes[places.index(bank)].breaker.value
        if found != breaker:
            raise Wrong(f"the breaker of {bank} is {found}, not {breaker}")

    async def expect_pace(self, bank: str, number: str, window: str, unit: str) -> None:
        asked, window_s = self.stage.banks[bank].asked_at_s, float(window) * SECONDS[unit]
        most = max((sum(0 <= other - one < window_s for other in asked) for one in asked), default=0)
        if most > int(number):
            raise Wrong(f"{bank} was asked {most} times within {window} {unit}")


NAME, BANK = r"([A-Z]\d+)", r"(\w+bank)"
NAMES = r"([A-Z]\d+(?:\.\.[A-Z]\d+)?)"
DECISIONS = "|".join(decision.value for decision in Decision)
STATES = "|".join(state.value for state in State)


def _any_of(words: Mapping[str, object]) -> str:
    return "(" + "|".join(map(re.escape, sorted(words, key=len, reverse=True))) + ")"


GRAMMAR: Final[dict[str, tuple[str, Act]]] = {
    "pay P1 100.00 EUR northbank [as globex]": (rf"pay {NAMES} (\d+\.\d\d) ([A-Z]{{3}}) (\w+)(?: as (\w+))?", Play.pay),
    "pay P1 again|with 200.00 [as globex]": (rf"pay {NAME} (?:again|with (\S+))(?: as (\w+))?", Play.pay_again),
    "cancel P1": (rf"cancel {NAME}", Play.cancel),
    "set northbank KEY VALUE": (rf"set {BANK} {_any_of(SETTINGS)} (\S+)", Play.set),
    "bank northbank MISDEED [3 times]": (rf"bank {BANK} {_any_of(MISDEEDS)}(?: (\d+) times)?", Play.misbehaves),
    "bank northbank takes|processes|settles|rejects": (rf"bank {BANK} {_any_of(WORDS)}", Play.word),
    "bank northbank is away|back": (rf"bank {BANK} is (away|back)", Play.away),
    "bank northbank reports P1 WORD [2 times]": (
        rf"bank {BANK} reports {NAME} {_any_of(LETTERS)}(?: (\d+) times)?",
        Play.letter,
    ),
    "bank northbank shows P1 WORD": (rf"bank {BANK} shows {NAME} {_any_of(LETTERS)}", Play.shows),
    "ann proposes DECISION about P1": (rf"(ann|bob) proposes ({DECISIONS}) about {NAME}", Play.propose),
    "bob confirms P1": (rf"(ann|bob) confirms {NAME}", Play.confirm),
    "bank northbank reports garbage|a stranger": (rf"bank {BANK} reports (garbage|a stranger)", Play.stray_letter),
    "after 90 s|min|h|d": (r"after (\d+) (s|min|h|d)", Play.after),
    "clock +2 h": (r"clock ([+-])(\d+) (s|min|h|d)", Play.clock),
    "restart": (r"restart", Play.restart),
    "reboot": (r"reboot", Play.reboot),
    "crash": (r"crash", Play.crash),
    "crash before|after commit": (r"crash (before|after) commit", Play.crash_at_commit),
    "start": (r"start", Play.start),
    "drain": (r"drain", Play.drain),
    "watch W1 [as globex] [from 7]": (rf"watch {NAME}(?: as (\w+))?(?: from (\d+))?", Play.watch),
    "unwatch W1": (rf"unwatch {NAME}", Play.unwatch),
    "expect P1 STATE [booked 1] [attempts 2] …": (rf"expect {NAMES} ({STATES})((?: \w+ \S+)*)", Play.expect),
    "expect P1 life → RECEIVED QUEUED …": (rf"expect {NAME} life", Play.expect_life),
    "expect W1 saw everything|less": (rf"expect {NAME} saw (everything|less)", Play.expect_seen),
    "expect northbank breaker OPEN": (rf"expect {BANK} breaker (OPEN|CLOSED|HALF_OPEN)", Play.expect_breaker),
    "expect northbank asked at most 5 in 1 s": (
        rf"expect {BANK} asked at most (\d+) in (\d+) (s|min|h)",
        Play.expect_pace,
    ),
}
"""How a line may look (for people) → its pattern and its act."""


def read(line: Line) -> Callable[[Play], Awaitable[str | None]]:
    """The act of a line. Raises Wrong, which says what is allowed."""
    for pattern, act in GRAMMAR.values():
        found = re.fullmatch(pattern, line.text)
        if found:
            return lambda play: act(play, *found.groups())
    verb = line.text.split()[0]
    near = [shape for shape in GRAMMAR if shape.split()[0] == verb] or sorted({shape.split()[0] for shape in GRAMMAR})
    details = f"; MISDEED: {', '.join(MISDEEDS)}" if verb == "bank" else ""
    details += f"; KEY: {', '.join(SETTINGS)}" if verb == "set" else ""
    raise Wrong(f"{line.text!r} is not understood; allowed: {' | '.join(near)}{details}")


async def _play(name: str, lines: Sequence[Line]) -> None:
    async with trio.open_nursery() as nursery:
        play = Play(Stage(nursery))
        for line in lines:
            try:
                result = await read(line)(play)
                if result is not None and line.result != result:
                    raise Wrong(f"{line.text}: → {result}, not {line.result or 'nothing'}")
                if play.stage.oracle.broken:
                    raise Wrong(play.stage.oracle.broken[0])
            except (Wrong, AssertionError, Violated, KeyError) as error:
                raise Wrong(f"{name}:{line.number}: {error}") from error
        nursery.cancel_scope.cancel()


def run(path: Path) -> None:
    """Plays a scenario. Raises Wrong."""
    try:
        run_seeded(0, partial(_play, path.name, lines_of(path.read_text())))
    except BaseExceptionGroup as group:
        wrong, rest = group.split(Wrong)
        if rest is not None and wrong is None:
            raise
        raise next(_leaves(wrong)) from group


def _leaves(group: BaseException | None) -> Iterator[BaseException]:
    if isinstance(group, BaseExceptionGroup):
        for one in group.exceptions:
            yield from _leaves(one)
    elif group is not None:
        yield group


if __name__ == "__main__":
    logging.disable()  # what went wrong on stage is in the story
    try:
        run(Path(sys.argv[1]))
    except Wrong as error:
        sys.exit(str(error))
