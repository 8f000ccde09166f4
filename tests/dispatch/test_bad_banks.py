"""Claims about banks and adapters that behave as nobody should: the lane neither storms nor stands still nor dies."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import trio

from gateway.config import LanePolicy
from gateway.core import happenings
from gateway.core.errors import NotSent
from gateway.core.payment import Payment
from gateway.core.ports import Step, Submission, WireAnswer, WireRequest
from gateway.core.reasons import Reason
from gateway.core.states import Kind, State
from gateway.dispatch.breaker import Breaker, BreakerState
from gateway.dispatch.lane import Lane
from gateway.house import Bank, House
from gateway.journey import deliver
from tests.fakes.bank import DECLARATION, FakeAdapter, FakeLink, fails, says
from tests.fakes.house import bank, house, link, profile, queue


@asynccontextmanager
async def running(of: House) -> AsyncIterator[Lane]:
    lane = Lane(of, of.banks["northbank"])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lane.run)
        yield lane
        nursery.cancel_scope.cancel()


async def states(of: House, payments: list[Payment]) -> list[State]:
    found = await of.store.get_many([payment.id for payment in payments])
    return [payment.state for payment in found if payment]


def answers(*words: str):  # type: ignore[no-untyped-def]
    """The bank answers each reference with each of these words, and books nothing."""

    async def turn(link: FakeLink, request: WireRequest) -> WireAnswer:
        await trio.sleep(0.01)
        lines = [f"{reference} {word}" for reference in request.body.decode().split() for word in words]
        return WireAnswer(200, (), "\n".join(lines).encode())

    return turn


class WaitingAdapter(FakeAdapter):
    """Reads the wait a throttling bank asks for, as text, into the outcome."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__()
        self._retry_after_s = retry_after_s

    def read(self, submission: Submission, answer: WireAnswer):  # type: ignore[no-untyped-def]
        return tuple(replace(one, retry_after_s=self._retry_after_s) for one in super().read(submission, answer))


class BrokenAdapter(FakeAdapter):
    """Has a defect that one payment meets."""

    def compose(self, submission: Submission) -> WireRequest:
        if any(payment.instruction.remittance == "poison" for payment in submission.payments):
            raise TypeError("a defect of the adapter")
        return super().compose(submission)


async def test_a_bank_that_throttles_without_saying_how_long_is_not_stormed(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """429 without Retry-After: the lane backs off as after any other try that was not processed."""
    gate = house()
    link(gate).script.extend([answers("NOT_PROCESSED")] * 5_000)
    payments = await queue(gate, 1)
    async with running(gate):
        await trio.sleep(60)
    assert await states(gate, payments) == [State.QUEUED]
    assert len(link(gate).requests) < 12


async def test_a_throttling_bank_stops_its_lane(autojump_clock: trio.testing.MockClock) -> None:
    """A hundred payments are not a hundred more requests to a bank that says it takes none: the breaker opens."""
    gate = house(bank(lane=LanePolicy(in_flight_max=1, breaker_failures=5, breaker_open_s=30.0)))
    link(gate).script.extend([answers("NOT_PROCESSED")] * 5_000)
    await queue(gate, *range(100))
    async with running(gate) as lane:
        await trio.sleep(20)
        assert lane.breaker is Breaker.OPEN
    assert len(link(gate).requests) == 5


@pytest.mark.parametrize("wait_s", [1e300, float("inf"), float("nan"), -1e12])
async def test_no_wish_of_a_bank_can_put_a_payment_to_sleep_for_years(
    wait_s: float, autojump_clock: trio.testing.MockClock
) -> None:
    """Whatever wait the bank asks for, the payment comes again within a day, and the daemon lives."""
    gate = house(Bank(profile(), WaitingAdapter(wait_s), FakeLink()))
    link(gate).script.append(answers("NOT_PROCESSED"))
    (payment,) = await queue(gate, 1)
    async with running(gate):
        await trio.sleep(5)
        found = await gate.store.get(payment.id)
        assert found is not None
        assert 0 < found.send_after_ns - gate.clock.now_ns() <= 86_400 * 10**9 or found.state is State.ACCEPTED
        await trio.sleep(86_400)
    assert await states(gate, [payment]) == [State.ACCEPTED]


async def test_no_word_of_an_answer_leaves_a_payment_sending(autojump_clock: trio.testing.MockClock) -> None:
    """A "not found" in the answer to the submission itself proves nothing: it is doubt, which a person sees."""
    gate = house()
    link(gate).script.append(answers("NOT_FOUND"))
    payments = await queue(gate, 1)
    async with running(gate):
        await trio.sleep(5)
    assert await states(gate, payments) == [State.IN_DOUBT]


async def test_an_answer_that_says_two_things_never_frees_a_payment(autojump_clock: trio.testing.MockClock) -> None:
    """TAKEN and "not processed" for one reference, in either order: it is never sent again."""
    gate = house()
    link(gate).script += [answers("TAKEN ACCP", "NOT_PROCESSED"), answers("NOT_PROCESSED", "TAKEN ACCP")]
    payments = await queue(gate, 1, 2)
    async with running(gate):
        await trio.sleep(3_600)
    assert len(link(gate).requests) == 2
    assert State.QUEUED not in await states(gate, payments)
    assert State.SENDING not in await states(gate, payments)


async def test_a_defect_that_one_payment_meets_stops_no_other(autojump_clock: trio.testing.MockClock) -> None:
    """An adapter that fails on one payment in an unforeseen way holds that one for people; the rest go on."""
    gate = house(Bank(profile(lane=LanePolicy(bulk_lines_max=10)), BrokenAdapter(), FakeLink()))
    good = await queue(gate, 1, 2)
    bad = await queue(gate, 3, remittance="poison")
    async with running(gate):
        await trio.sleep(5)
    assert await states(gate, good + bad) == [State.ACCEPTED, State.ACCEPTED, State.HELD]


async def test_answers_that_nobody_can_use_open_the_breaker(autojump_clock: trio.testing.MockClock) -> None:
    """A login page in front of the bank turns a few payments into doubts, not the whole queue."""
    gate = house(bank(lane=LanePolicy(in_flight_max=1, breaker_failures=5, breaker_open_s=3_600.0)))
    link(gate).script += [says(403, b"<html>"), says(200, b"")] * 50
    payments = await queue(gate, *range(100))
    async with running(gate):
        await trio.sleep(60)
    assert Counter(await states(gate, payments)) == {State.IN_DOUBT: 5, State.QUEUED: 95}


async def test_a_message_that_cannot_be_said_does_not_hide_that_the_bank_is_away(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Sent one by one because of a bad line, payments still stop when the bank does not answer."""
    gate = house(bank(lane=LanePolicy(bulk_lines_max=50, in_flight_max=1, breaker_failures=3, breaker_open_s=3_600.0)))
    link(gate).script.extend(fails(NotSent(Reason.CONNECT_FAILED)) for _ in range(500))
    await queue(gate, *range(40))
    await queue(gate, 99, remittance="unsayable")
    async with running(gate) as lane:
        await trio.sleep(60)
        assert lane.breaker is Breaker.OPEN
    assert len(link(gate).requests) == 3


async def test_a_message_that_never_left_says_nothing_about_the_bank(autojump_clock: trio.testing.MockClock) -> None:
    """A payment cancelled before its mark, or refused by us, neither closes the breaker nor opens it."""
    gate = house()
    (cancelled,) = await queue(gate, 1)
    (unsayable,) = await queue(gate, 2, remittance="unsayable")
    await gate.store.take([Step(payment_id=cancelled.id, happening=happenings.cancelled("erp"))])
    side = gate.banks["northbank"]
    assert await deliver(gate, side, [cancelled]) is None
    assert await deliver(gate, side, [unsayable]) is None
    breaker = BreakerState(failures_max=1, open_s=30.0)
    breaker.ended(answered=False, at_s=1.0)
    breaker.began(31.0)
    breaker.ended(answered=None, at_s=31.0)
    assert breaker.now(31.0) is Breaker.HALF_OPEN
    assert breaker.allows(31.0) == 1


async def test_a_full_page_does_not_leave_the_rest_waiting(autojump_clock: trio.testing.MockClock) -> None:
    """More due payments than one look takes all leave while there is room, not when the first message ends."""
    lines = 600
    declaration = replace(DECLARATION, bulk_lines_max=lines)
    gate = house(bank(declaration=declaration, lane=LanePolicy(bulk_lines_max=lines, in_flight_max=4)))

    async def slow(wire: FakeLink, request: WireRequest) -> WireAnswer:
        await trio.sleep(20)
        return WireAnswer(200, (), wire.book(request).encode())

    link(gate).script.extend([slow] * 4)
    payments = await queue(gate, *range(1_000))
    async with running(gate):
        await trio.sleep(21)
    assert await states(gate, payments) == [State.ACCEPTED] * 1_000


async def test_a_lane_that_never_ran_is_drained(autojump_clock: trio.testing.MockClock) -> None:
    """A bank that is not enabled does not hold up the stop of the daemon."""
    gate = house(bank(enabled=False))
    lane = Lane(gate, gate.banks["northbank"])
    lane.stop()
    with trio.fail_after(1):
        await lane.drained()


def test_the_breaker_never_waits_for_nothing() -> None:
    """Whenever it lets nothing leave and nothing is on its way, the time to wait is above zero: no busy loop."""
    for tenth in range(1, 3_000):
        state = BreakerState(failures_max=1, open_s=0.1)
        state.ended(answered=False, at_s=tenth / 10)
        at_s = tenth / 10 + state.opens_in_s(tenth / 10)
        assert state.allows(at_s) == 1 or state.opens_in_s(at_s) > 0


async def test_facts_of_a_throttled_payment_name_their_reason(autojump_clock: trio.testing.MockClock) -> None:
    """The bank's "not processed" is a proof that nothing was taken, and the log says so."""
    gate = house()
    link(gate).script.append(answers("NOT_PROCESSED"))
    (payment,) = await queue(gate, 1)
    async with running(gate):
        await trio.sleep(30)
    facts = await gate.store.facts_of(payment.id, 100)
    assert [fact.kind for fact in facts[2:]] == [Kind.MARKED, Kind.NOT_SENT, Kind.MARKED, Kind.ACCEPTED]
    assert facts[3].reason is Reason.BANK_THROTTLED
