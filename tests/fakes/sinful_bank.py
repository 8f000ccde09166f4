"""A bank that commits every sin but one: what it has booked, it shows within its visibility window.

Each request meets a sin drawn from a seeded source. The ledger counts bookings and never refuses a repeat, because it
is the oracle of "never twice": a real bank's duplicate detection would only hide what we did wrong. A bank that books
after its window and denies it before is a lie nobody can defend against, so it is not in here.
"""

import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import trio

from gateway.core.errors import MaybeSent, NotSent
from gateway.core.ports import LinkSnapshot, WireAnswer, WireRequest
from gateway.core.reasons import Reason, may_retry

VISIBILITY_S = 60.0
BOOKED_LATE_S_MAX = 50.0
"""After the request; the mark came before it, so by VISIBILITY_S after the mark it is booked and shown."""

NOT_SENT = tuple(reason for reason in Reason if may_retry(reason) and reason is not Reason.BANK_THROTTLED)
DOUBTS = (Reason.REPLY_LOST, Reason.REPLY_TRUNCATED, Reason.STREAM_RESET)
GARBAGE = ((200, b"<html>"), (500, b""), (503, b"later"), (302, b""))


@dataclass(slots=True)
class Entry:
    """What the bank has about one reference: its honest word, shown from a moment of trio's clock on."""

    word: str
    shown_at_s: float


@dataclass(slots=True)
class SinfulLink:
    """The wire and the bank behind it; `sinful` False makes it well-behaved from then on."""

    dice: random.Random
    looked: Callable[[WireRequest], Awaitable[None]]
    """Called for each submission before the bank does anything."""
    sinful: bool = True
    bookings: Counter[str] = field(default_factory=Counter)
    entries: dict[str, Entry] = field(default_factory=dict)
    reports: list[str] = field(default_factory=list)
    sins: Counter[str] = field(default_factory=Counter)

    def snapshot(self) -> LinkSnapshot:
        return LinkSnapshot()

    async def exchange(self, request: WireRequest, *, timeout_s: float) -> WireAnswer:
        if request.path == "/pay":
            await self.looked(request)
        with trio.move_on_after(timeout_s):
            await trio.sleep(self.dice.random() * 0.2)
            if request.path == "/pay":
                return await self._pay(request.body.decode().split())
            if self.sinful:
                await self._stumble()
            if request.path.startswith("/reports/"):
                return self._mailbox(int(request.path.rpartition("/")[2]))
            return self._status(request.path.rpartition("/")[2])
        raise MaybeSent(Reason.REPLY_TIMEOUT)

    async def _pay(self, references: list[str]) -> WireAnswer:
        sin = self.dice.choice(SINS) if self.sinful else "none"
        self.sins[sin] += 1
        match sin:
            case "not_sent":
                raise NotSent(self.dice.choice(NOT_SENT))
            case "throttle":
                return WireAnswer(200, (), "\n".join(f"{one} NOT_PROCESSED" for one in references).encode())
            case "lost" | "garbage" | "hang":
                return await self._fail(sin)
        lines = [self._take(one, late="late" in sin) for one in references]
        await trio.sleep(self.dice.random() * 0.2)  # it is booked, and the answer is still on its way
        match sin:
            case "none":
                return WireAnswer(200, (), "\n".join(lines).encode())
            case "twice":
                return WireAnswer(200, (), "\n".join(self.dice.choices(lines, k=2 * len(lines))).encode())
            case "partial":
                kept = [line for line in lines if self.dice.random() < 0.5]
                return WireAnswer(200, (), "\n".join(kept).encode())
        return await self._fail(sin.partition("_")[0])

    async def _fail(self, how: str) -> WireAnswer:
        if how == "lost":
            raise MaybeSent(self.dice.choice(DOUBTS))
        if how == "hang":
            await trio.sleep_forever()
        return WireAnswer(*(lambda status, body: (status, (), body))(*self.dice.choice(GARBAGE)))

    def _take(self, reference: str, *, late: bool) -> str:
        """Books the payment or refuses it for good, and returns its word."""
        word = self.dice.choice(("TAKEN ACCP", "TAKEN ACSP", "SETTLED ACSC", "REJECTED RJCT AC04"))
        now_s = trio.current_time()
        if not word.startswith("REJECTED"):
            self.bookings[reference] += 1
        if reference not in self.entries:
            shown_at_s = now_s + (self.dice.uniform(0.6, 1.0) * BOOKED_LATE_S_MAX if late else 0.0)
            self.entries[reference] = Entry(word, shown_at_s)
        return f"{reference} {word}"

    def _status(self, reference: str) -> WireAnswer:
        entry = self.entries.get(reference)
        if entry is None or trio.current_time() < entry.shown_at_s:
            return WireAnswer(404)
        return WireAnswer(200, (), f"{reference} {entry.word}".encode())

    def _mailbox(self, start: int) -> WireAnswer:
        if self.sinful and start and self.dice.random() < 0.1:
            start = self.dice.randrange(start)  # it lays old reports in again
        page = self.reports[start : start + 40]
        return WireAnswer(200, (), "\n".join([str(start + len(page)), *page]).encode())

    async def _stumble(self) -> None:
        """What can happen to a question that moves no money."""
        match self.dice.choice(("well", "well", "well", "not_sent", "lost", "hang")):
            case "not_sent":
                raise NotSent(self.dice.choice(NOT_SENT))
            case "lost":
                raise MaybeSent(self.dice.choice(DOUBTS))
            case "hang":
                await trio.sleep_forever()

    def gossip(self, references: list[str]) -> None:
        """Lays reports into the mailbox: old, repeated, contradicting, of strangers, unreadable, true ones too.
        Denials of what it holds are among them."""
        reference = self.dice.choice([*references, "CWSOMEBODYELSE"])
        words = ("TAKEN ACSP", "TAKEN ACCP", "SETTLED ACSC", "REJECTED RJCT", "RETURNED", "NOT_FOUND", "NOT_PROCESSED")
        line = f"{reference} {self.dice.choice(words)}" if self.dice.random() < 0.9 else "?<garbage"
        self.reports += [line] * self.dice.choice((1, 1, 2))

    def settle_all(self) -> None:
        """The truth about everything it has, in any order."""
        lines = [
            f"{reference} {'REJECTED RJCT AC04' if entry.word.startswith('REJECTED') else 'SETTLED ACSC'}"
            for reference, entry in self.entries.items()
        ]
        self.dice.shuffle(lines)
        self.reports += lines


SINS = (
    *("none", "none", "twice", "partial", "not_sent", "throttle"),
    *("lost", "lost_booked", "lost_late", "hang", "hang_booked", "hang_late", "garbage", "garbage_booked"),
)
"""`booked` and `late` say that the bank has it all the same; otherwise it has nothing."""
