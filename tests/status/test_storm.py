"""Claims about ten thousand payments in doubt at once (law 5): no storm, no budget broken. On trio's clock."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise

import trio

from gateway.config import InquiryPolicy
from gateway.core import happenings
from gateway.core.decisions import Confirming, Proposing
from gateway.core.errors import MaybeSent, NotSent
from gateway.core.payment import Payment
from gateway.core.ports import Step
from gateway.core.proposal import Decision
from gateway.core.reasons import Reason
from gateway.core.states import State
from gateway.house import House
from gateway.journey import doubt
from gateway.status.inquiries import SILENT_MAX, Inquiries
from tests.fakes.bank import DECLARATION, FakeLink, fails, says
from tests.fakes.house import bank, house, link, queue
from tests.fakes.payments import attempt
from tests.fills import fills

MANY = 10_000
CAP = 20.0
"""Inquiries per second that the bank bears."""
POLICY = InquiryPolicy(per_second_max=CAP)
HOUR_S = 3_600.0
PATIENT = replace(DECLARATION, not_found_is_proof=False)
"""A bank that says "not found" to every question, which proves nothing."""


@asynccontextmanager
async def asking(of: House) -> AsyncIterator[None]:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Inquiries(of, of.banks["northbank"]).run)
        yield
        nursery.cancel_scope.cancel()


async def in_doubt(of: House, *numbers: int) -> list[Payment]:
    """Payments whose replies were lost just now, all at once."""
    side = of.banks["northbank"]
    payments = await queue(of, *numbers)
    marks = [Step(one.id, happening=happenings.marked(attempt(one))) for one in payments]
    doubts = [Step(one.id, happening=doubt(of, side, Reason.REPLY_LOST)) for one in payments]
    await of.store.take(marks)
    return [stepped.payment for stepped in await of.store.take(doubts) if stepped.payment]


async def as_they_are(of: House, payments: Sequence[Payment]) -> list[Payment]:
    return [one for one in await of.store.get_many([payment.id for payment in payments]) if one]


def paced(asked_at_s: Sequence[float], cap: float) -> bool:
    """Whether no window of a second, wherever it begins, holds more than `cap` inquiries."""
    at_once = int(cap)
    return all(asked_at_s[n + at_once] - asked_at_s[n] >= 1.0 - 1e-6 for n in range(len(asked_at_s) - at_once))


def asked_about(of: FakeLink) -> Counter[str]:
    return Counter(request.path for request in of.requests)


async def test_ten_thousand_doubts_keep_the_banks_pace_and_their_budgets(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Each is asked about as often as its budget says and never again, and no second of a day sees more inquiries
    than the bank bears."""
    policy = InquiryPolicy(per_second_max=CAP, per_payment_max=2)
    gate = house(bank(inquiry=policy, declaration=PATIENT))
    payments = await in_doubt(gate, *range(MANY))
    async with asking(gate):
        await trio.sleep(24 * HOUR_S)
    asked = link(gate).asked_at_s
    assert paced(asked, CAP)
    assert Counter(asked_about(link(gate)).values()) == {policy.per_payment_max: MANY}
    assert asked[-1] < policy.window_s
    assert {one.state for one in await as_they_are(gate, payments)} == {State.IN_DOUBT}


async def test_doubts_that_arose_together_are_not_asked_about_together(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A bank that bears a thousand inquiries a second still sees them spread, the first time and every later one."""
    policy = InquiryPolicy(per_second_max=1_000.0)
    gate = house(bank(inquiry=policy, declaration=PATIENT))
    await in_doubt(gate, *range(300))
    async with asking(gate):
        await trio.sleep(2 * HOUR_S)
    asked = link(gate).asked_at_s
    for first in (0, 300, 600):
        round_of_all = asked[first : first + 300]
        assert round_of_all[-1] - round_of_all[0] > 5.0
        assert max(Counter(int(at_s) for at_s in round_of_all).values()) < 100


async def test_an_outage_of_hours_is_no_storm_and_spends_nothing(autojump_clock: trio.testing.MockClock) -> None:
    """Six hours away with ten thousand in doubt, and more every minute: a few dozen tries, no budget touched; when
    the bank is back, all are found at its pace."""
    gate = house(bank(inquiry=POLICY))
    side = link(gate)
    side.inquiry_turn = fails(NotSent(Reason.CONNECT_FAILED))
    payments = await in_doubt(gate, *range(MANY))
    async with asking(gate):
        for minute in range(360):
            payments += await in_doubt(gate, MANY + minute)
            await trio.sleep(60)
        assert len(side.asked_at_s) < 60
        assert all(later - earlier > 40 for earlier, later in pairwise(side.asked_at_s))
        assert {one.inquiries for one in await as_they_are(gate, payments)} == {0}
        side.inquiry_turn, side.asked_at_s = None, []
        side.known = {one.wire_reference: f"{one.wire_reference} SETTLED ACSC" for one in payments}
        await trio.sleep(HOUR_S)
    assert paced(side.asked_at_s, CAP)
    assert len(side.asked_at_s) == len(payments)
    assert {one.state for one in await as_they_are(gate, payments)} == {State.SETTLED}


@fills("SILENT_MAX")
async def test_a_bank_that_answers_nothing_readable_is_an_outage_too(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Six hours of 503: after a few answers like it the task waits, so a few payments' budgets are touched, not all."""
    for turn in (says(503), fails(MaybeSent(Reason.REPLY_TIMEOUT))):
        gate = house(bank(inquiry=POLICY))
        link(gate).inquiry_turn = turn
        payments = await in_doubt(gate, *range(1_000))
        async with asking(gate):
            await trio.sleep(6 * HOUR_S)
        assert len(link(gate).asked_at_s) < SILENT_MAX + 60
        assert sum(one.inquiries for one in await as_they_are(gate, payments)) == len(link(gate).asked_at_s)


async def test_one_payment_the_bank_cannot_speak_of_does_not_stop_the_others(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Its answers are unreadable and its budget ends; the others are found without delay."""
    gate = house(bank(inquiry=POLICY))
    payments = await in_doubt(gate, *range(200))
    side, poisoned = link(gate), payments[7].wire_reference
    side.known = {one.wire_reference: f"{one.wire_reference} SETTLED ACSC" for one in payments}
    side.unreadable.add(poisoned)
    async with asking(gate):
        await trio.sleep(120)
        found = [one.state for one in await as_they_are(gate, payments)]
        assert Counter(found) == {State.SETTLED: 199, State.IN_DOUBT: 1}
        await trio.sleep(24 * HOUR_S)
    assert asked_about(side)[f"/status/{poisoned}"] == POLICY.per_payment_max


async def decide(of: House, payment: Payment, decision: Decision) -> Payment:
    [stepped] = await of.store.take([Step(payment.id, act=Proposing(decision, "ada", "note"))])
    assert stepped.payment is not None
    assert stepped.payment.proposal is not None
    digest = stepped.payment.proposal.digest
    [stepped] = await of.store.take([Step(payment.id, act=Confirming(digest, "bob", "note"))])
    assert stepped.taken
    assert stepped.payment is not None
    return stepped.payment


async def test_a_decision_stops_the_inquiries(autojump_clock: trio.testing.MockClock) -> None:
    """Decided before its inquiry, even after the round has begun: the bank is not asked about it any more."""
    gate = house(bank(inquiry=InquiryPolicy(per_second_max=1.0), declaration=PATIENT))
    payments = await in_doubt(gate, *range(60))
    last = max(payments, key=lambda one: one.inquire_at_ns)
    async with asking(gate):
        await trio.sleep(90 + 30)
        assert f"/status/{last.wire_reference}" not in asked_about(link(gate))
        await decide(gate, last, Decision.SETTLED)
        await trio.sleep(24 * HOUR_S)
    asked = asked_about(link(gate))
    assert asked[f"/status/{last.wire_reference}"] == 0
    assert set(asked.values()) == {3}


async def test_a_proposal_during_an_inquiry_costs_no_budget_and_gives_none(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """The answer that crossed a proposal is counted as if nothing had crossed it: three inquiries, not four."""
    gate = house(bank(inquiry=POLICY, declaration=PATIENT))
    [payment] = await in_doubt(gate, 1)

    async def proposes(of: FakeLink, request: object) -> object:
        await gate.store.take([Step(payment.id, act=Proposing(Decision.SETTLED, "ada", "note"))])
        return await says(404)(of, request)  # type: ignore[arg-type]

    link(gate).inquiry_turn = proposes  # type: ignore[assignment]
    async with asking(gate):
        await trio.sleep(24 * HOUR_S)
    [now] = await as_they_are(gate, [payment])
    assert len(link(gate).asked_at_s) == now.inquiries == POLICY.per_payment_max
