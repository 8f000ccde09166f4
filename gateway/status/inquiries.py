"""Asks one bank about payments in doubt, and about accepted ones that no report settled.

Budgeted twice (law 5): per payment by resolution.py, per bank by a pace that no number of due inquiries can break.
An outage must never become an inquiry storm, so when the bank cannot be reached, or answers nothing that can be read
several times in a row, the whole task waits, longer each time, and nothing that happens meanwhile cuts the wait. An
inquiry that never reached the bank spends no payment's budget.

Payments are read one at a time, each just before it is asked about: what was decided a moment ago is not asked about.

A bank that is there but cannot speak of some payments looks like one that is out. After a pause each question is
therefore about a payment drawn from those that are due, until none is left: in their order, a few dozen such payments
in front would keep all others waiting, a pause for each or for a few, until the windows of those were over.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Final

import trio

from gateway import failpoints
from gateway.core.backoff import backoff_s
from gateway.core.errors import MaybeSent, NotSent, Unreadable
from gateway.core.facts import Fact
from gateway.core.outcome import Outcome
from gateway.core.payment import Payment
from gateway.core.ports import Step, Stepped
from gateway.core.states import State
from gateway.failpoints import Point
from gateway.house import Bank, House
from gateway.journey import ask
from gateway.status import age
from gateway.status.leaps import Leaps
from gateway.status.missing import Asking
from gateway.status.resolution import first_sent_ns, resolved
from gateway.telemetry import names

logger = logging.getLogger(__name__)

IDLE_S_MAX: Final = 60.0
SILENT_MAX: Final = 5
"""Inquiries in a row without a usable answer before we take the bank to be out: one payment that it cannot speak of
must not slow the others down, and an outage must not eat the budgets of all."""
PROBES: Final = 2
"""Inquiries without a usable answer after a pause before the next one: a single one would tell more of that payment
than of the bank."""
PROBE_PAGE: Final = 500
"""Due payments from which a question after a pause is drawn: some 10 ms of the event loop for each."""
NEWS_S: Final = 0.25
"""News are gathered for so long before the plan is looked at: each acceptance may have changed it, and a question is
never as urgent as the payments that are on their way."""
TAKES_MAX: Final = 3
"""How often we try to take one answer, where a person's proposal comes between each time: nobody proposes so fast. Then
the bank is asked again."""

_UNREADABLE: Final = ("unreadable", "UNREADABLE")

Meaning = Callable[[Payment], Step]
"""What an answer makes of the payment that was asked about."""


class Inquiries:
    """The inquiry task of one bank."""

    def __init__(self, house: House, bank: Bank) -> None:
        self._house = house
        self._bank = bank
        self._wake = trio.Event()
        self._failures = 0
        self._silent = 0
        self._paused = False
        """Whether there was a pause since all that was due had been asked about."""
        self._leaps = Leaps(house.clock)
        self._started = house.clock.uptime()
        house.store.on_commit(self._told)

    async def run(self) -> None:
        """Runs until cancelled; ends at once where the bank cannot be asked: its payments in doubt wait for a report, a
        statement or people, also those whose inquiry was planned while it could."""
        if not self._bank.adapter.declaration.inquiry:
            return
        while True:
            self._wake = wake = trio.Event()
            if await self._ask_all_due():
                with trio.move_on_after(await self._patience_s()):
                    await wake.wait()
                    await trio.sleep(NEWS_S)
            else:
                # New doubts must not cut the wait for a bank that is out: that would be the storm.
                await trio.sleep(self._outage_s())

    def _told(self, facts: Sequence[Fact]) -> None:
        """A new doubt or acceptance may plan an inquiry earlier than the one waited for."""
        name, awake = self._bank.name, self._wake.is_set()
        if not awake and any(fact.bank == name and fact.after in (State.IN_DOUBT, State.ACCEPTED) for fact in facts):
            self._wake.set()

    async def _ask_all_due(self) -> bool:
        """Whether the bank is there: False ends the round at the first sign that it is not."""
        self._leaps.look()
        while (payment := await self._next_due()) is not None:
            before = self._failures
            await self._ask_in_pace(payment)
            self._leaps.look()
            if self._failures > before:
                self._paused = True
                return False
        self._paused = False
        return True

    async def _next_due(self) -> Payment | None:
        """The first in the row; any of it while the row stems from a pause."""
        limit = PROBE_PAGE if self._paused else 1
        due = await self._house.store.inquiries_due(self._bank.name, self._house.clock.now_ns(), limit)
        if len(due) > 1:
            return self._house.dice.choice(due)
        return due[0] if due else None

    async def _patience_s(self) -> float:
        now_ns = self._house.clock.now_ns()
        next_ns = await self._house.store.next_inquiry_ns(self._bank.name)
        return min(max(0.0, (next_ns - now_ns) / 1e9), IDLE_S_MAX) if next_ns else IDLE_S_MAX

    def _outage_s(self) -> float:
        policy = self._bank.profile.inquiry
        return backoff_s(self._failures, policy.first_after_s, policy.again_after_s, self._house.dice.random())

    async def _ask_in_pace(self, payment: Payment) -> None:
        """One inquiry, no earlier than the bank's pace allows after the one before."""
        began = trio.current_time()
        await self._ask(payment)
        await trio.sleep_until(began + 1.0 / self._bank.profile.inquiry.per_second_max)

    async def _ask(self, payment: Payment) -> None:
        house, bank = self._house, self._bank
        with house.trail.span(names.INQUIRE, parent=payment.traceparent, bank=bank.name) as span:
            try:
                meaning = await self._answer(payment, span.traceparent)
            except NotSent as error:
                self._failures += 1
                span.failed(error.reason.value)
                self._count_unanswered("not_sent", error.reason.value)
                return
            if failpoints.armed:
                failpoints.reached(Point.INQUIRY_ANSWERED)
            stepped = await self._take(payment, meaning)
            if stepped.payment is not None:
                span.note(state=stepped.payment.state.value)
                house.trail.count(names.INQUIRIES, bank=bank.name, state=stepped.payment.state.value)

    async def _take(self, payment: Payment, meaning: Meaning) -> Stepped:
        """The inquiry was made, so it is counted: also where a proposal moved the payment on under it."""
        for _ in range(TAKES_MAX):
            [stepped] = await self._house.store.take([meaning(payment)])
            now = stepped.payment
            if stepped.taken or now is None or not _same_doubt(payment, now):
                break
            payment = now
        return stepped

    async def _answer(self, payment: Payment, parent: str) -> Meaning:
        """Asks. Raises NotSent when the bank could not be asked at all."""
        bank, evidence, outcomes = self._bank, b"", tuple[Outcome, ...]()
        asked_at = self._house.clock.uptime()
        try:
            answer = await ask(self._house, bank, bank.adapter.inquire(payment), parent)
            evidence = answer.body
            outcomes = bank.adapter.read_inquiry(payment, answer)
            self._failures = self._silent = 0
        except NotSent:
            raise
        except (MaybeSent, Unreadable) as error:
            # An inquiry may be repeated at will, but it was made: it counts against the budget.
            self._note_silence()
            result, reason = ("maybe_sent", error.reason.value) if isinstance(error, MaybeSent) else _UNREADABLE
            self._count_unanswered(result, reason)
            logger.warning("inquiry without a usable answer", extra={"bank": bank.name, "reason": reason})
        except Exception:
            # A defect of ours, met by one payment or answer. It costs that payment an inquiry; the daemon must not
            # die of it, each time anew after each start.
            self._note_silence()
            self._count_unanswered(*_UNREADABLE)
            logger.exception("inquiry failed unexpectedly", extra={"bank": bank.name})
        sent_for_ns = await self._sent_for_ns(payment) if outcomes else 0
        now_ns, spread = self._house.clock.now_ns(), self._house.dice.random()
        asking = Asking(self._started, asked_at, self._house.clock.uptime())
        return lambda asked: resolved(
            asked,
            outcomes,
            declaration=bank.adapter.declaration,
            policy=bank.profile.inquiry,
            now_ns=now_ns,
            asking=asking,
            leapt_ns=self._leaps.after(asked.attempts[-1].marked_at_ns) if asked.attempts else 0,
            sent_for_ns=sent_for_ns,
            evidence=evidence,
            spread=spread,
        )

    async def _sent_for_ns(self, payment: Payment) -> int:
        """How long ago it was first sent, at the least; 0 where nothing depends on it."""
        if not self._bank.adapter.declaration.duplicate_window_s or payment.state is not State.IN_DOUBT:
            return 0
        facts = await self._house.store.facts_of(payment.id, age.FACTS_MAX)
        now_ns, first_ns = self._house.clock.now_ns(), first_sent_ns(payment)
        last_ns = facts[-1].at_ns if facts else 0
        told_ns = age.sent_for_ns(facts, now_ns, self._leaps.fallen_after(last_ns))
        return max(told_ns, now_ns + self._leaps.fallen_after(first_ns) - first_ns)

    def _note_silence(self) -> None:
        self._silent += 1
        if self._silent >= SILENT_MAX:
            self._silent -= PROBES
            self._failures += 1

    def _count_unanswered(self, result: str, reason: str) -> None:
        self._house.trail.count(names.UNANSWERED, bank=self._bank.name, result=result, reason=reason)


def _same_doubt(asked: Payment, now: Payment) -> bool:
    """Whether an answer about `asked` still speaks of the payment as it is now, whatever people proposed."""
    return (asked.state, asked.doubt_since_ns, asked.attempts) == (now.state, now.doubt_since_ns, now.attempts)
