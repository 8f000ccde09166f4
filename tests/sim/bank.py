"""A simulated bank: its ledger, its post room, and the wire in front of it. It outlives every process of ours.

The ledger counts bookings per wire reference and never refuses a repeat: a real bank's duplicate detection would only
hide what we did wrong. The bank drops, delays, duplicates, reorders, garbles, throttles, rotates its connections,
sleeps for hours and says what is not so. What it never does are the lies that no gateway can survive (see
UNSURVIVABLE): what it holds it shows within the visibility window it has declared, counted from our first byte.
"""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import trio

from gateway.core.errors import MaybeSent, NotSent
from gateway.core.ports import WireAnswer, WireRequest
from gateway.core.reasons import Reason, may_retry
from tests.sim.tongue import UNREADABLE, Said, Tongue, operation

UNSURVIVABLE: Final = (
    "books after its visibility window what it denied until then",
    "signs that it processed nothing (GOAWAY, REFUSED_STREAM, 429, not found) what it processes all the same",
    "books one request twice by itself",
)
NOT_SENT: Final = tuple(reason for reason in Reason if may_retry(reason) and reason is not Reason.BANK_THROTTLED)
DOUBTS: Final = (Reason.REPLY_LOST, Reason.REPLY_TRUNCATED, Reason.STREAM_RESET)
GARBAGE: Final = ((200, b"<html>"), (500, b""), (503, b"later"), (302, b""), (200, b"\xff\x00"), (403, b"no"))
SUBMISSION_FAULTS: Final = (
    *("not_sent", "throttled", "request_lost", "reply_lost", "hangs", "hangs_unbooked", "garbage", "garbage_unbooked"),
    *("reply_late", "arrives_late", "shown_late", "partial", "twice", "contradicts", "denies_what_it_takes"),
)
"""What can befall a submission. Those not `…_unbooked`, lost on the way, throttled or not sent are booked."""
QUESTION_FAULTS: Final = ("not_sent", "reply_lost", "hangs", "garbage", "throttled", "of_another", "both_ways")
LETTER_FAULTS: Final = ("unreadable", "foreign", "repeated", "false_word", "denial", "stale", "claims_what_it_refused")
REPORTS_PAGE: Final = 40
FINAL_AFTER_S: Final = (60.0, 3 * 3600.0)
LATE_SHARE: Final = 0.9
"""Of the visibility window: the latest that something arrives or is shown."""


@dataclass(slots=True)
class Entry:
    """What the bank holds about one reference."""

    said: Said
    shown_at_s: float
    final: Said


@dataclass(slots=True)
class Call:
    """One exchange: what our side waits for."""

    request: WireRequest
    began_s: float
    done: trio.Event = field(default_factory=trio.Event)
    answer: WireAnswer | None = None
    error: NotSent | MaybeSent | None = None

    def end(self, outcome: WireAnswer | NotSent | MaybeSent) -> None:
        if isinstance(outcome, WireAnswer):
            self.answer = outcome
        else:
            self.error = outcome
        self.done.set()


@dataclass(slots=True)
class SimBank:
    """`nursery` is the world's: what has reached the bank goes on when our process dies."""

    name: str
    tongue: Tongue
    dice: random.Random
    faults: Counter[str]
    weights: dict[str, float]
    """Fault → chance; what is absent never happens."""
    visibility_s: float
    nursery: trio.Nursery
    booked: Callable[[str, str], None]
    inquired: Callable[[str, str], None]
    honest: bool = False
    entries: dict[str, Entry] = field(default_factory=dict)
    on_the_way: Counter[str] = field(default_factory=Counter)
    """References in requests that have left us and may still be processed."""
    letters: list[Said] = field(default_factory=list)
    turned_away: list[str] = field(default_factory=list)
    """References in messages that it throttled: it knows their names and does not have them."""
    lied_about: set[str] = field(default_factory=set)
    asleep: bool = False
    backlog: list[Call] = field(default_factory=list)

    def holds(self, reference: str) -> bool:
        return reference in self.entries or self.on_the_way[reference] > 0

    # ------------------------------------------------------------ the counter

    async def serve(self, call: Call) -> None:
        """Everything that happens to one exchange on the other side."""
        await trio.sleep(self.dice.random() * 0.2)
        what, about = operation(call.request)
        if self.asleep and (what != "pay" or self.dice.random() < 0.5):
            self._forget(call)
            call.end(NotSent(Reason.CONNECT_FAILED))
        elif what == "pay":
            await self._pay(call)
        else:
            await self._question(call, what, about)

    async def _pay(self, call: Call) -> None:
        fault = self._strikes(SUBMISSION_FAULTS, "pay")
        match fault:
            case "not_sent":
                self._forget(call)
                return call.end(NotSent(self.dice.choice(NOT_SENT)))
            case "throttled":
                self._forget(call)
                self._turn_away(self.tongue.references(call.request))
                return call.end(self.tongue.throttled(call.request))
            case "request_lost" | "hangs_unbooked" | "garbage_unbooked":
                self._forget(call)
                return self._spoil(call, fault)
            case "arrives_late":
                latest_s = call.began_s + LATE_SHARE * self.visibility_s
                await trio.sleep_until(self.dice.uniform(trio.current_time(), max(latest_s, trio.current_time())))
        if self.asleep:
            self.faults["backlog"] += 1
            self.backlog.append(call)
            return None
        said = self._process(call, late=fault == "shown_late")
        await trio.sleep(self.dice.random() * 0.2)  # it is booked, and the answer is still on its way
        return await self._reply(call, fault, said)

    async def _reply(self, call: Call, fault: str, said: list[Said]) -> None:
        if fault in ("reply_lost", "hangs", "garbage"):
            self._spoil(call, fault)
            return
        match fault:
            case "reply_late":
                await trio.sleep(self.dice.uniform(1.0, 60.0))
            case "partial":
                said = [one for one in said if self.dice.random() < 0.5]
            case "twice":
                said = self.dice.choices(said, k=2 * len(said)) + said
                self.dice.shuffle(said)
            case "contradicts":
                self.lied_about.update(one.reference for one in said)
                said = [*said, *(Said(one.reference, "REJECTED", "RJCT", "AC04") for one in said)]
                self.dice.shuffle(said)
            case "denies_what_it_takes" if self.tongue.denies:
                said = [*said, *(Said(one.reference, self.dice.choice(("NOT_FOUND", "NOT_PROCESSED"))) for one in said)]
                self.dice.shuffle(said)
        call.end(self.tongue.answer(call.request, said))

    def _process(self, call: Call, *, late: bool = False) -> list[Said]:
        """Books, or rejects for good, each payment of the message."""
        self._forget(call)
        now_s = trio.current_time()
        shown_at_s = (
            self.dice.uniform(now_s, max(now_s, call.began_s + LATE_SHARE * self.visibility_s)) if late else now_s
        )
        return [self._take(reference, shown_at_s) for reference in self.tongue.references(call.request)]

    def _take(self, reference: str, shown_at_s: float) -> Said:
        said = Said(reference, *self.dice.choice(FIRST_WORDS))
        final = Said(reference, *(FINAL_OF.get(said.status) or self.dice.choice(FINAL_WORDS)))
        if said.word != "REJECTED":
            self.booked(self.name, reference)
        self.entries.setdefault(reference, Entry(said, shown_at_s, final))
        self.nursery.start_soon(self._finish, reference)
        return said

    async def _finish(self, reference: str) -> None:
        """The final word comes later, and with it a letter."""
        await trio.sleep(self.dice.uniform(*FINAL_AFTER_S))
        entry = self.entries[reference]
        if entry.said != entry.final:
            self._post(entry.said)
            entry.said = entry.final
        self._post(entry.final)
        if entry.final.word == "SETTLED" and self.tongue.denies and self.dice.random() < RETURNED_SHARE:
            await trio.sleep(self.dice.uniform(*FINAL_AFTER_S))
            entry.said = entry.final = Said(reference, "RETURNED")
            self._post(entry.final)

    # ------------------------------------------------------------ questions

    async def _question(self, call: Call, what: str, about: str) -> None:
        fault = self._strikes(QUESTION_FAULTS, what)
        if fault == "not_sent":
            return call.end(NotSent(self.dice.choice(NOT_SENT)))
        if what == "status":
            self.inquired(self.name, about)
        match fault:
            case "reply_lost" | "hangs" | "garbage":
                return self._spoil(call, fault)
            case "throttled":
                return call.end(WireAnswer(429))
            case "of_another" if what == "status":
                others = [entry.said for entry in self.entries.values() if entry.said.reference != about]
                if others:
                    return call.end(self.tongue.status(about, [self.dice.choice(others)]))
        if what == "status":
            return call.end(self.tongue.status(about, self._shown(about, both_ways=fault == "both_ways")))
        start = min(int(about), len(self.letters))
        if self._strikes(("stale",), "letter"):
            start = self.dice.randrange(start + 1)  # it lays old letters in again
        return call.end(self.tongue.mailbox(start, self.letters[start : start + REPORTS_PAGE]))

    def _shown(self, reference: str, *, both_ways: bool) -> list[Said]:
        entry = self.entries.get(reference)
        if entry is None or trio.current_time() < entry.shown_at_s:
            return []
        if both_ways and self.tongue.denies:
            said = [entry.said, Said(reference, "NOT_FOUND")]
            self.dice.shuffle(said)
            return said
        return [entry.said]

    def _spoil(self, call: Call, fault: str) -> None:
        if fault.startswith("garbage"):
            status, body = self.dice.choice(GARBAGE)
            call.end(WireAnswer(status, (), body))
        elif fault.endswith("lost"):
            call.end(MaybeSent(self.dice.choice(DOUBTS)))
        # else it hangs: our side runs into its deadline

    # ------------------------------------------------------------ the post room

    def _post(self, said: Said) -> None:
        """A letter into the mailbox, with what goes wrong in post rooms."""
        self.letters.append(said)
        match self._strikes(LETTER_FAULTS, "letter"):
            case "unreadable":
                self.letters.append(Said(UNREADABLE, ""))
            case "foreign":
                self.letters.append(Said("CWSOMEBODYELSE", "SETTLED", "ACSC"))
            case "repeated":
                self.letters += [said, said]
            case "false_word":
                self._gossip(Said("", *self.dice.choice(FALSE_WORDS[: None if self.tongue.denies else -1])))
            case "denial" if self.tongue.denies:
                self._gossip(Said("", self.dice.choice(("NOT_FOUND", "NOT_PROCESSED"))))

    def _turn_away(self, references: list[str]) -> None:
        """It knows their names now; a bank whose left hand does not know its right may claim to have them."""
        self.turned_away += references
        if self._strikes(("claims_what_it_refused",), "letter"):
            self.lied_about.update(references)
            self.letters += [Said(reference, "TAKEN", "ACCP") for reference in references]

    def _gossip(self, word: Said) -> None:
        reference = self.dice.choice([*self.entries, *self.turned_away])
        self.lied_about.add(reference)
        self.letters.append(Said(reference, word.word, word.status, word.reason))

    # ------------------------------------------------------------ the house around it

    async def doze(self, hours_max: float) -> None:
        """Sleeps now and then, until it is made honest; what came in meanwhile is done first after waking."""
        while True:
            await trio.sleep(self.dice.uniform(0.5, 4.0) * 3600)
            if self.honest:
                return
            self.faults["sleeps"] += 1
            self.asleep = True
            await trio.sleep(self.dice.uniform(0.05, hours_max) * 3600)
            self.wake()

    def wake(self) -> None:
        self.asleep = False
        backlog, self.backlog = self.backlog, []
        for call in backlog:
            call.end(self.tongue.answer(call.request, self._process(call)))

    def come_clean(self) -> None:
        """From now on it is awake and well-behaved, and tells the truth about everything it has, in any order."""
        self.honest = True
        self.wake()
        for entry in self.entries.values():
            entry.said, entry.shown_at_s = entry.final, trio.current_time()
        finals = [entry.final for entry in self.entries.values()]
        self.dice.shuffle(finals)
        self.letters += finals

    def _strikes(self, faults: tuple[str, ...], what: str) -> str:
        """The fault that strikes now, or "". At most one of `faults` does. `what` is pay, status, reports or letter."""
        throw = self.dice.random()
        for fault in faults if not self.honest else ():
            throw -= self.weights.get(fault, 0.0)
            if throw < 0:
                self.faults[fault] += 1
                return fault
        return ""

    def _forget(self, call: Call) -> None:
        """The request is no longer on its way: it has arrived, or never will."""
        self.on_the_way.subtract(self.tongue.references(call.request) if call.request.method == "POST" else ())


FIRST_WORDS: Final = (
    ("TAKEN", "ACCP"),
    ("TAKEN", "ACSP"),
    ("TAKEN", "PDNG"),
    ("SETTLED", "ACSC"),
    ("REJECTED", "RJCT", "AC04"),
)
FINAL_WORDS: Final = (("SETTLED", "ACSC"),) * 5 + (("REJECTED", "RJCT", "AM04"),)
RETURNED_SHARE: Final = 0.1
FINAL_OF: Final = {"ACSC": ("SETTLED", "ACSC"), "RJCT": ("REJECTED", "RJCT", "AC04")}
FALSE_WORDS: Final = (
    ("TAKEN", "ACCP"),
    ("TAKEN", "ACSP"),
    ("SETTLED", "ACSC"),
    ("REJECTED", "RJCT", "AC01"),
    ("RETURNED", ""),
)
