"""Asks one bank about payments in doubt, and about accepted ones that no report settled.

Budgeted twice (law 5): per payment by resolution.py, per bank by a pace that no number of due inquiries can break.
An outage must never become an inquiry storm: when the bank cannot be reached, the whole task waits, longer each time,
and no payment's budget is spent.
"""

import logging
from collections.abc import Sequence

import trio

from gateway.core.backoff import backoff_s
from gateway.core.errors import MaybeSent, NotSent, Unreadable
from gateway.core.facts import Fact
from gateway.core.outcome import Outcome
from gateway.core.payment import Payment
from gateway.core.ports import Step
from gateway.core.states import State
from gateway.journey import Bank, House, ask
from gateway.status.leaps import Leaps
from gateway.status.resolution import resolved
from gateway.telemetry import names

logger = logging.getLogger(__name__)

IDLE_S_MAX = 60.0
PAGE_MAX = 8
"""Payments read at once; each is asked about by itself, in order. Few, because with a bank that answers slowly a page
takes minutes: a doubt that arises meanwhile waits for its end, and what is on it may long have been resolved."""


class Inquiries:
    """The inquiry task of one bank."""

    def __init__(self, house: House, bank: Bank) -> None:
        self._house = house
        self._bank = bank
        self._wake = trio.Event()
        self._failures = 0
        self._leaps = Leaps(house.clock)
        house.store.on_commit(self._told)

    async def run(self) -> None:
        """Runs until cancelled; ends at once where the bank cannot be asked: its payments in doubt wait for a report, a
        statement or people, also those whose inquiry was planned while it could."""
        if not self._bank.adapter.declaration.inquiry:
            return
        while True:
            self._wake = wake = trio.Event()
            self._leaps.look()
            now_ns = self._house.clock.now_ns()
            for payment in await self._house.store.inquiries_due(self._bank.name, now_ns, PAGE_MAX):
                await self._ask_in_pace(payment)
                if self._failures:
                    break
            with trio.move_on_after(await self._patience_s()):
                await wake.wait()

    def _told(self, facts: Sequence[Fact]) -> None:
        """A new doubt or acceptance may plan an inquiry earlier than the one waited for."""
        name = self._bank.name
        if any(fact.bank == name and fact.after in (State.IN_DOUBT, State.ACCEPTED) for fact in facts):
            self._wake.set()

    async def _patience_s(self) -> float:
        policy = self._bank.profile.inquiry
        if self._failures:
            self._wake = trio.Event()  # new doubts must not cut the wait for a bank that is away
            return backoff_s(self._failures, policy.first_after_s, policy.again_after_s, self._house.dice.random())
        now_ns = self._house.clock.now_ns()
        next_ns = await self._house.store.next_inquiry_ns(self._bank.name)
        return min(max(0.0, (next_ns - now_ns) / 1e9), IDLE_S_MAX) if next_ns else IDLE_S_MAX

    async def _ask_in_pace(self, payment: Payment) -> None:
        """One inquiry, no earlier than the bank's pace allows after the one before."""
        began = trio.current_time()
        await self._ask(payment)
        await trio.sleep_until(began + 1.0 / self._bank.profile.inquiry.per_second_max)

    async def _ask(self, payment: Payment) -> None:
        house, bank = self._house, self._bank
        with house.trail.span(names.INQUIRE, parent=payment.traceparent, bank=bank.name) as span:
            try:
                step = await self._step_from_bank(payment, span.traceparent)
            except NotSent as error:
                self._failures += 1
                span.failed(error.reason.value)
                return
            self._failures = 0
            stepped = (await house.store.take([step]))[0]
            if stepped.payment is not None:
                span.note(state=stepped.payment.state.value)
                house.trail.count(names.INQUIRIES, bank=bank.name, state=stepped.payment.state.value)

    async def _step_from_bank(self, payment: Payment, parent: str) -> Step:
        """Raises NotSent when the bank could not be asked at all."""
        bank, now_ns = self._bank, self._house.clock.now_ns
        evidence, outcomes = b"", tuple[Outcome, ...]()
        try:
            request = bank.adapter.inquire(payment)
            answer = await ask(self._house, bank, request, parent)
            evidence = answer.body
            outcomes = bank.adapter.read_inquiry(payment, answer)
        except NotSent:
            raise
        except (MaybeSent, Unreadable) as error:
            # An inquiry may be repeated at will, but it was made: it counts against the budget.
            logger.warning(
                "inquiry without a usable answer",
                extra={"bank": bank.name, "reason": getattr(error, "reason", "UNREADABLE")},
            )
            outcomes = ()
        except Exception:
            # A defect of ours, met by one payment or answer. It costs that payment an inquiry; the daemon must not
            # die of it, each time anew after each start.
            logger.exception("inquiry failed unexpectedly", extra={"bank": bank.name})
            outcomes = ()
        marked_at_ns = payment.attempts[-1].marked_at_ns if payment.attempts else now_ns()
        return resolved(
            payment,
            outcomes,
            declaration=bank.adapter.declaration,
            policy=bank.profile.inquiry,
            now_ns=now_ns(),
            leapt_ns=self._leaps.after(marked_at_ns),
            unseen_ns=self._leaps.unseen(marked_at_ns),
            evidence=evidence,
        )
