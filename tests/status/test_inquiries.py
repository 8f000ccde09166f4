"""Claims about asking a bank: budgets, pace, and what leads out of doubt. On trio's clock, with a bank's ledger."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import trio

from gateway.config import InquiryPolicy, LanePolicy
from gateway.core.errors import MaybeSent, NotSent
from gateway.core.payment import Payment
from gateway.core.reasons import Reason
from gateway.core.states import Kind, State
from gateway.dispatch.lane import Lane
from gateway.house import House
from gateway.status.inquiries import Inquiries
from tests.fakes.bank import DECLARATION, fails, says
from tests.fakes.house import bank, house, link, queue


@asynccontextmanager
async def running(of: House) -> AsyncIterator[None]:
    side = of.banks["northbank"]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Lane(of, side).run)
        nursery.start_soon(Inquiries(of, side).run)
        yield
        nursery.cancel_scope.cancel()


async def in_doubt(of: House, *numbers: int, booked: bool) -> list[Payment]:
    """Payments whose replies are lost; `booked` says what the bank did."""
    lost = MaybeSent(Reason.REPLY_LOST)
    link(of).script.extend(fails(lost, booked=booked) for _ in numbers)
    return await queue(of, *numbers)


async def states(of: House, payments: list[Payment]) -> list[State]:
    return [one.state for one in await of.store.get_many([payment.id for payment in payments]) if one]


async def test_a_lost_reply_is_found_by_inquiry(autojump_clock: trio.testing.MockClock) -> None:
    """Booked and the reply lost: asked after 90 s, the bank says it has it, nothing was sent twice."""
    gate = house()
    payments = await in_doubt(gate, 1, booked=True)
    async with running(gate):
        await trio.sleep(89)
        assert await states(gate, payments) == [State.IN_DOUBT]
        await trio.sleep(15)
        assert await states(gate, payments) == [State.ACCEPTED]
    assert link(gate).bookings[payments[0].wire_reference] == 1


async def test_a_payment_the_bank_never_got_is_sent_again_after_its_word(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Lost on the way: the bank's definite "not found" after its window frees it, and it is booked once."""
    gate = house()
    payments = await in_doubt(gate, 1, booked=False)
    async with running(gate):
        await trio.sleep(200)
    assert await states(gate, payments) == [State.ACCEPTED]
    assert link(gate).bookings[payments[0].wire_reference] == 1
    kinds = [fact.kind for fact in await gate.store.facts_of(payments[0].id, 100)]
    assert kinds[-3:] == [Kind.NOT_HELD, Kind.MARKED, Kind.ACCEPTED]


async def test_a_bank_that_stood_still_is_not_believed_at_once(autojump_clock: trio.testing.MockClock) -> None:
    """The request lay in the bank's socket; the inquiry is answered "not found" first and the payment is booked then:
    the second inquiry finds it, and nothing is sent twice."""
    gate = house()
    payments = await in_doubt(gate, 1, booked=False)
    reference = payments[0].wire_reference
    async with running(gate):
        await trio.sleep(120)
        assert len(link(gate).asked_at_s) == 1
        link(gate).bookings[reference] += 1
        link(gate).known[reference] = f"{reference} TAKEN ACCP"
        await trio.sleep(200)
    assert await states(gate, payments) == [State.ACCEPTED]
    assert link(gate).bookings[reference] == 1


async def test_a_bank_without_inquiries_is_not_asked(autojump_clock: trio.testing.MockClock) -> None:
    """Its doubts wait for reports; trying to ask it ended the whole daemon, and again after each restart."""
    gate = house(bank(declaration=replace(DECLARATION, inquiry=False)))
    payments = await in_doubt(gate, 1, booked=True)
    async with running(gate):
        await trio.sleep(10_000)
    assert link(gate).asked_at_s == []
    assert await states(gate, payments) == [State.IN_DOUBT]


async def test_a_fault_in_reading_an_answer_ends_nothing(autojump_clock: trio.testing.MockClock) -> None:
    """An answer that breaks its reader teaches nothing; the task goes on and asks again within the budget."""
    gate = house()
    link(gate).inquiry_turn = says(200, b"CW NO-SUCH-WORD")
    payments = await in_doubt(gate, 1, booked=True)
    async with running(gate):
        await trio.sleep(86_400)
    assert len(link(gate).asked_at_s) == 3
    assert await states(gate, payments) == [State.IN_DOUBT]


async def test_the_budget_of_a_payment_is_three(autojump_clock: trio.testing.MockClock) -> None:
    """A bank whose answers teach nothing is asked three times, then never again, and the payment stays in doubt."""
    gate = house()
    link(gate).inquiry_turn = says(500, b"?")
    payments = await in_doubt(gate, 1, booked=True)
    async with running(gate):
        await trio.sleep(86_400)
    assert len(link(gate).asked_at_s) == 3
    assert await states(gate, payments) == [State.IN_DOUBT]


async def test_many_doubts_are_no_storm(autojump_clock: trio.testing.MockClock) -> None:
    """Two hundred doubts at once: never more inquiries in any second than the bank's pace allows."""
    gate = house(bank(inquiry=InquiryPolicy(per_second_max=5.0), lane=LanePolicy(breaker_failures=1_000)))
    payments = await in_doubt(gate, *range(200), booked=True)
    async with running(gate):
        await trio.sleep(3_600)
    asked = link(gate).asked_at_s
    assert await states(gate, payments) == [State.ACCEPTED] * 200
    assert all(later - earlier >= 0.99 for earlier, later in zip(asked, asked[5:], strict=False))


async def test_an_unreachable_bank_spends_no_budget(autojump_clock: trio.testing.MockClock) -> None:
    """Inquiries that never reached the bank cost the payment nothing, and come ever more rarely."""
    gate = house()
    payments = await in_doubt(gate, 1, booked=True)
    link(gate).inquiry_turn = fails(NotSent(Reason.CONNECT_FAILED))
    async with running(gate):
        await trio.sleep(7_000)
        away = len(link(gate).asked_at_s)
        link(gate).inquiry_turn = None
        await trio.sleep(2_000)
    assert 3 < away < 25
    assert await states(gate, payments) == [State.ACCEPTED]


async def test_an_accepted_payment_is_followed_until_its_budget_ends(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A bank that never settles is asked `follow_max` times and no more; the payment stays accepted."""
    policy = InquiryPolicy(follow_after_s=3_600.0, follow_again_s=7_200.0, follow_max=4)
    gate = house(bank(inquiry=policy))
    payments = await queue(gate, 1)
    async with running(gate):
        await trio.sleep(3 * 86_400)
    assert len(link(gate).asked_at_s) == 4
    assert await states(gate, payments) == [State.ACCEPTED]


async def test_a_word_found_by_following_settles(autojump_clock: trio.testing.MockClock) -> None:
    """The bank settled and its report was lost: the follow-up finds it."""
    gate = house()
    payments = await queue(gate, 1)
    async with running(gate):
        await trio.sleep(10)
        reference = payments[0].wire_reference
        link(gate).known[reference] = f"{reference} SETTLED ACSC"
        await trio.sleep(3_700)
    assert await states(gate, payments) == [State.SETTLED]
