"""Claims about banks that lie, flip or cannot be asked: no second send, no storm, no task that dies."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import cycle

import pytest
import trio

from gateway.config import InquiryPolicy, LanePolicy
from gateway.core.errors import MaybeSent
from gateway.core.outcome import Outcome
from gateway.core.payment import Payment
from gateway.core.ports import Collection, Collects, WireAnswer, WireRequest
from gateway.core.reasons import Reason
from gateway.core.states import Kind, State
from gateway.dispatch.lane import Lane
from gateway.house import Bank, House
from gateway.status.collector import Collector
from gateway.status.inquiries import Inquiries
from gateway.telemetry import names
from tests.fakes.bank import DECLARATION, FakeAdapter, FakeLink, answer_status, fails
from tests.fakes.clock import FakeClock
from tests.fakes.house import bank, house, link, profile, queue, trail


@asynccontextmanager
async def running(of: House) -> AsyncIterator[None]:
    side = of.banks["northbank"]
    assert isinstance(side.adapter, Collects)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Lane(of, side).run)
        nursery.start_soon(Inquiries(of, side).run)
        nursery.start_soon(Collector(of, side, side.adapter).run)
        yield
        nursery.cancel_scope.cancel()


async def state(of: House, payment: Payment) -> State:
    found = await of.store.get(payment.id)
    assert found is not None
    return found.state


def lost(*, booked: bool):  # type: ignore[no-untyped-def]
    return fails(MaybeSent(Reason.REPLY_LOST), booked=booked)


def sent(of: House) -> int:
    return sum(request.path == "/pay" for request in link(of).requests)


class MuteAdapter(FakeAdapter):
    """A bank without a status inquiry, as the port says it: `inquire` raises ValueError."""

    def __init__(self) -> None:
        super().__init__(replace(DECLARATION, inquiry=False, not_found_is_proof=False))

    def inquire(self, payment: Payment) -> WireRequest:
        raise ValueError("this bank offers no status inquiry")


class BrokenAdapter(FakeAdapter):
    """Meets something nobody foresaw in every answer to an inquiry and in every mailbox."""

    def read_inquiry(self, payment: Payment, answer: WireAnswer) -> tuple[Outcome, ...]:
        raise KeyError("a defect of the adapter")

    def read_collection(self, cursor: str, answer: WireAnswer) -> Collection:
        raise KeyError("a defect of the adapter")


async def test_a_bank_that_cannot_be_asked_ends_no_task(autojump_clock: trio.testing.MockClock) -> None:
    """Without a status inquiry a lost reply is in doubt with no inquiry planned, and a report still resolves it."""
    gate = house(Bank(profile(lane=LanePolicy(in_flight_max=1)), MuteAdapter(), FakeLink()))
    link(gate).script.append(lost(booked=True))
    doubtful, accepted = await queue(gate, 1, 2)
    async with running(gate):
        await trio.sleep(86_400)
        for payment, expected in ((doubtful, State.IN_DOUBT), (accepted, State.ACCEPTED)):
            found = await gate.store.get(payment.id)
            assert found is not None
            assert (found.state, found.inquire_at_ns) == (expected, 0)
        link(gate).reports.append(f"{doubtful.wire_reference} SETTLED ACSC")
        await trio.sleep(31)
    assert await state(gate, doubtful) is State.SETTLED


async def test_a_defect_met_by_an_answer_ends_no_task(autojump_clock: trio.testing.MockClock) -> None:
    """An adapter that fails in an unforeseen way costs the payment's budget and the mailbox's patience, no more."""
    gate = house(Bank(profile(), BrokenAdapter(), FakeLink()))
    link(gate).script.append(lost(booked=True))
    (payment,) = await queue(gate, 1)
    async with running(gate):
        await trio.sleep(86_400)
    assert await state(gate, payment) is State.IN_DOUBT
    assert len(link(gate).asked_at_s) == 3


async def test_a_bank_that_claimed_the_payment_cannot_free_it(autojump_clock: trio.testing.MockClock) -> None:
    """ "Not found", sent back to the queue, then a report that it was taken, then "not found" again: two words against
    each other are no proof, the payment stays in doubt until people decide."""
    gate = house()
    link(gate).script += [lost(booked=False), fails(MaybeSent(Reason.REPLY_LOST))]
    (payment,) = await queue(gate, 1)
    side = gate.banks["northbank"]
    assert isinstance(side.adapter, Collects)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Inquiries(gate, side).run)
        lane = Lane(gate, side)
        nursery.start_soon(lane.run)
        await trio.sleep(10)
        lane.stop()  # so that the report finds it in the queue
        await trio.sleep(200)
        assert await state(gate, payment) is State.QUEUED
        link(gate).reports.append(f"{payment.wire_reference} TAKEN ACSP")
        nursery.start_soon(Collector(gate, side, side.adapter).run)
        await trio.sleep(10)
        assert await state(gate, payment) is State.IN_DOUBT
        nursery.start_soon(Lane(gate, side).run)
        await trio.sleep(7 * 86_400)
        nursery.cancel_scope.cancel()
    assert await state(gate, payment) is State.IN_DOUBT
    assert sent(gate) == 1


async def test_an_answer_that_also_says_taken_is_no_proof(autojump_clock: trio.testing.MockClock) -> None:
    """An inquiry answered with TAKEN and "not found" for the same payment frees nothing."""
    gate = house()
    link(gate).script.append(lost(booked=True))
    (payment,) = await queue(gate, 1)

    async def both(wire: FakeLink, request: WireRequest) -> WireAnswer:
        await trio.lowlevel.checkpoint()
        reference = payment.wire_reference
        return WireAnswer(200, (), f"{reference} TAKEN ACSP\n{reference} NOT_FOUND".encode())

    link(gate).inquiry_turn = both
    async with running(gate):
        await trio.sleep(200)
    assert await state(gate, payment) is State.ACCEPTED
    assert sent(gate) == 1


async def test_a_bank_that_flips_between_two_words_is_asked_no_more_than_its_budget(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """ACSP, ACCP, ACSP … in answer to inquiries: `follow_max` of them, then silence, however the bank flips."""
    gate = house(bank(inquiry=InquiryPolicy(follow_after_s=60.0, follow_again_s=60.0, follow_max=4)))
    (payment,) = await queue(gate, 1)
    statuses = cycle(("ACSP", "ACCP"))

    async def flip(wire: FakeLink, request: WireRequest) -> WireAnswer:
        await trio.lowlevel.checkpoint()
        return WireAnswer(200, (), f"{payment.wire_reference} TAKEN {next(statuses)}".encode())

    link(gate).inquiry_turn = flip
    async with running(gate):
        await trio.sleep(3_600)
    assert len(link(gate).asked_at_s) == 4
    found = await gate.store.get(payment.id)
    assert found is not None
    assert (found.state, found.bank_status, found.inquire_at_ns) == (State.ACCEPTED, "ACCP", 0)


@pytest.mark.parametrize("word", ["NOT_FOUND", "NOT_PROCESSED"])
async def test_a_mailbox_frees_no_payment(word: str, autojump_clock: trio.testing.MockClock) -> None:
    """A report that denies a payment, in flight or in doubt, is no answer to an inquiry after the bank's window."""
    gate = house()

    async def booked_then_lost(wire: FakeLink, request: WireRequest) -> WireAnswer:
        wire.book(request)
        wire.reports.append(f"{request.body.decode()} {word}")
        await trio.sleep(5)
        raise MaybeSent(Reason.REPLY_LOST)

    link(gate).script.append(booked_then_lost)
    side = gate.banks["northbank"]
    assert isinstance(side.adapter, Collects)
    (payment,) = await queue(gate, 1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Lane(gate, side).run)
        await trio.sleep(1)
        nursery.start_soon(Collector(gate, side, side.adapter).run)
        await trio.sleep(1)
        assert await state(gate, payment) is State.SENDING
        await trio.sleep(10)
        link(gate).reports.append(f"{payment.wire_reference} {word}")
        await trio.sleep(3_600)
        nursery.cancel_scope.cancel()
    assert await state(gate, payment) is State.IN_DOUBT
    assert link(gate).bookings[payment.wire_reference] == 1


async def test_the_same_contradiction_without_a_status_is_written_down_once(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A bank that repeats a contradiction which carries no status code cannot fill the log with it."""
    gate = house()
    (payment,) = await queue(gate, 1)
    async with running(gate):
        await trio.sleep(1)
        link(gate).reports += [f"{payment.wire_reference} SETTLED ACSC", *[f"{payment.wire_reference} REJECTED"] * 5]
        await trio.sleep(61)
    kinds = [fact.kind for fact in await gate.store.facts_of(payment.id, 100)]
    assert kinds.count(Kind.CONTRADICTED) == 1


async def test_a_clock_that_jumps_forward_shortens_no_window(autojump_clock: trio.testing.MockClock) -> None:
    """The bank shows payments after 300 s; the wall clock jumps a day ahead after 10 s. "Not found" is then asked for
    at once, and is no proof: by the bank's own clock nothing has become visible yet."""
    clock = FakeClock()
    declaration = replace(DECLARATION, visibility_s=300.0)
    gate = house(bank(declaration=declaration), clock=clock)
    link(gate).script.append(lost(booked=True))
    (payment,) = await queue(gate, 1)

    async def late(wire: FakeLink, request: WireRequest) -> WireAnswer:
        await trio.lowlevel.checkpoint()
        shown = trio.current_time() - began_s >= 290
        return WireAnswer(200, (), wire.known[payment.wire_reference].encode()) if shown else WireAnswer(404)

    link(gate).inquiry_turn = late
    async with running(gate):
        began_s = trio.current_time()
        await trio.sleep(10)
        clock.advance(86_400)
        await trio.sleep(4_000)
    assert link(gate).bookings[payment.wire_reference] == 1
    assert sent(gate) == 1
    assert link(gate).asked_at_s[0] - began_s < 200
    assert await state(gate, payment) is State.ACCEPTED


UNSPEAKABLE, SPEAKABLE = 40, 20
HOUR_S = 3_600.0
REQUEST_S = 10.0


async def lose_some(link: FakeLink, request: WireRequest) -> WireAnswer:
    """Inquiries about the payments in `unreadable` end without an answer; all others are answered."""
    if request.path.rpartition("/")[2] in link.unreadable:
        await trio.sleep(REQUEST_S)
        raise MaybeSent(Reason.REPLY_TIMEOUT)
    return await answer_status(link, request)


async def test_payments_a_bank_cannot_speak_of_do_not_keep_others_waiting(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Forty doubts whose inquiries time out stand before twenty that the bank answers at once. The twenty have their
    answer within the window of their own budget, and each lost inquiry is counted."""
    gate = house()
    link(gate).script.extend(lost(booked=True) for _ in range(UNSPEAKABLE + SPEAKABLE))
    bad = await queue(gate, *range(1, UNSPEAKABLE + 1))
    link(gate).unreadable = {payment.wire_reference for payment in bad}
    link(gate).inquiry_turn = lose_some
    async with running(gate):
        await trio.sleep(1)
        good = await queue(gate, *range(UNSPEAKABLE + 1, UNSPEAKABLE + SPEAKABLE + 1))
        await trio.sleep(2 * HOUR_S)
        assert {await state(gate, payment) for payment in good} == {State.ACCEPTED}
        assert {await state(gate, payment) for payment in bad} == {State.IN_DOUBT}
    about = (("bank", "northbank"), ("reason", "REPLY_TIMEOUT"), ("result", "maybe_sent"))
    inquiries = sum(request.path.rpartition("/")[2] in link(gate).unreadable for request in link(gate).requests)
    assert trail(gate).counts[names.UNANSWERED, about] == inquiries <= 3 * UNSPEAKABLE
