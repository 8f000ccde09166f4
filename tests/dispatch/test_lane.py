"""Claims about one bank's lane: what leaves, how often, and what a failure makes of it. The ledger is the oracle."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import trio

from gateway.config import LanePolicy
from gateway.core import happenings
from gateway.core.errors import MaybeSent, NotSent
from gateway.core.outcome import Outcome, Word
from gateway.core.payment import Payment, Rail
from gateway.core.ports import Step, Stepped
from gateway.core.reasons import Reason
from gateway.core.states import Kind, State
from gateway.dispatch.breaker import Breaker
from gateway.dispatch.lane import Lane
from gateway.house import House
from tests.fakes.bank import fails, hang, says, settle
from tests.fakes.clock import FakeClock
from tests.fakes.house import bank, house, link, queue, trail
from tests.fakes.memory_store import MemoryStore


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


async def history(of: House, payment: Payment) -> list[Kind]:
    return [fact.kind for fact in await of.store.facts_of(payment.id, 100)]


async def test_each_payment_is_booked_once(autojump_clock: trio.testing.MockClock) -> None:
    """A hundred queued payments are a hundred bookings, one each, and all are accepted."""
    gate = house()
    payments = await queue(gate, *range(100))
    async with running(gate):
        await trio.sleep(5)
    assert await states(gate, payments) == [State.ACCEPTED] * 100
    assert link(gate).bookings == {payment.wire_reference: 1 for payment in payments}


async def test_the_mark_is_committed_before_the_request_leaves(autojump_clock: trio.testing.MockClock) -> None:
    """When the bank sees the request, the store already says SENDING with this reference and payload (law 3)."""
    gate = house()
    seen: list[Payment | None] = []

    async def look(wire, request):  # type: ignore[no-untyped-def]
        seen.append(await gate.store.by_wire("northbank", request.body.decode()))
        return await settle(wire, request)

    link(gate).script.append(look)
    payments = await queue(gate, 1)
    async with running(gate):
        await trio.sleep(5)
    assert seen[0] is not None
    assert seen[0].state is State.SENDING
    assert seen[0].attempt is not None
    assert seen[0].attempt.wire_reference == payments[0].wire_reference
    assert await states(gate, payments) == [State.SETTLED]


async def test_a_clock_set_back_stops_no_payment(autojump_clock: trio.testing.MockClock) -> None:
    """What was admitted before the clock was corrected leaves now, not when the clock has caught up."""
    clock = FakeClock()
    gate = house(clock=clock)
    payments = await queue(gate, 1, 2, received_at_ns=clock.now_ns())
    clock.advance(-7_200)
    async with running(gate):
        await trio.sleep(5)
    assert await states(gate, payments) == [State.ACCEPTED] * 2


async def test_a_lost_reply_never_pays_twice(autojump_clock: trio.testing.MockClock) -> None:
    """Booked, and the reply lost: in doubt, and the lane never sends it again by itself, for a week."""
    gate = house()
    link(gate).script.append(fails(MaybeSent(Reason.REPLY_LOST), booked=True))
    payments = await queue(gate, 1)
    async with running(gate):
        await trio.sleep(7 * 86_400)
    assert await states(gate, payments) == [State.IN_DOUBT]
    assert link(gate).bookings[payments[0].wire_reference] == 1


async def test_a_bank_that_hangs_leaves_doubt_at_the_deadline(autojump_clock: trio.testing.MockClock) -> None:
    """No answer within the request's time is doubt, not failure and not another try."""
    gate = house()
    link(gate).script.append(hang)
    payments = await queue(gate, 1)
    async with running(gate):
        await trio.sleep(9.9)
        assert await states(gate, payments) == [State.SENDING]
        await trio.sleep(0.2)
        assert await states(gate, payments) == [State.IN_DOUBT]


async def test_a_proof_of_not_sent_is_tried_again_under_the_same_reference(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Refused connections are tried again with growing waits, and booked once in the end."""
    gate = house()
    link(gate).script.extend(fails(NotSent(Reason.CONNECT_FAILED)) for _ in range(3))
    payments = await queue(gate, 1)
    async with running(gate):
        await trio.sleep(60)
    assert await history(gate, payments[0]) == [
        Kind.RECEIVED, Kind.CLEARED,
        Kind.MARKED, Kind.NOT_SENT, Kind.MARKED, Kind.NOT_SENT, Kind.MARKED, Kind.NOT_SENT,
        Kind.MARKED, Kind.ACCEPTED,
    ]  # fmt: skip
    assert {request.body for request in link(gate).requests} == {payments[0].wire_reference.encode()}
    assert link(gate).bookings[payments[0].wire_reference] == 1


async def test_an_unreadable_answer_is_doubt_and_is_kept(autojump_clock: trio.testing.MockClock) -> None:
    """Whatever the status says: what cannot be read is in doubt, and the fact names the bytes that are kept."""
    gate = house(bank(lane=LanePolicy(in_flight_max=1)))
    link(gate).script.extend(says(status, b"<garbage", booked=True) for status in (500, 400, 503))
    payments = await queue(gate, 1, 2, 3)
    async with running(gate):
        await trio.sleep(60)
    assert await states(gate, payments) == [State.IN_DOUBT] * 3
    facts = await gate.store.facts_of(payments[0].id, 100)
    assert facts[-1].kind is Kind.DOUBTED
    assert facts[-1].evidence_sha256


async def test_a_payment_the_answer_does_not_mention_is_in_doubt(autojump_clock: trio.testing.MockClock) -> None:
    """An empty list of words is not an acceptance."""
    gate = house()
    link(gate).script.append(says(200, b"", booked=True))
    payments = await queue(gate, 1)
    async with running(gate):
        await trio.sleep(5)
    facts = await gate.store.facts_of(payments[0].id, 100)
    assert (facts[-1].after, facts[-1].reason) == (State.IN_DOUBT, Reason.REPLY_INCOMPLETE)


async def test_a_cancelled_payment_never_leaves(autojump_clock: trio.testing.MockClock) -> None:
    """Cancelled between the outbox and the mark: nothing is sent, although the message was composed."""
    gate = house()
    payments = await queue(gate, 1)
    async with running(gate):
        await gate.store.take([Step(payment_id=payments[0].id, happening=happenings.cancelled("erp"))])
        await trio.sleep(5)
    assert await states(gate, payments) == [State.CANCELLED]
    assert link(gate).requests == []


async def test_bulk_payments_share_a_message_and_each_gets_its_own_word(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Three lines, one rejected: two are accepted, one is rejected, one message was sent."""
    gate = house(bank(lane=LanePolicy(bulk_lines_max=10)))

    async def partly(wire, request):  # type: ignore[no-untyped-def]
        answer = await settle(wire, request)
        first, *rest = answer.body.decode().splitlines()
        body = "\n".join([first.replace("SETTLED ACSC", "REJECTED RJCT AC04"), *rest])
        return type(answer)(200, (), body.encode())

    link(gate).script.append(partly)
    payments = await queue(gate, 1, 2, 3)
    async with running(gate):
        await trio.sleep(5)
    assert sorted(await states(gate, payments)) == [State.REJECTED, State.SETTLED, State.SETTLED]
    assert len(link(gate).requests) == 1


async def test_a_payment_that_cannot_be_said_is_refused_alone(autojump_clock: trio.testing.MockClock) -> None:
    """One line the bank's words cannot carry does not stop the others of its message."""
    gate = house(bank(lane=LanePolicy(bulk_lines_max=10)))
    good = await queue(gate, 1, 2)
    bad = await queue(gate, 3, remittance="unsayable")
    async with running(gate):
        await trio.sleep(5)
    assert await states(gate, good + bad) == [State.ACCEPTED, State.ACCEPTED, State.REFUSED]


async def test_the_lane_keeps_its_bound_on_messages_in_flight(autojump_clock: trio.testing.MockClock) -> None:
    """However many payments wait, no more than `in_flight_max` requests are at the bank at once."""
    gate = house(bank(lane=LanePolicy(in_flight_max=4, request_timeout_s=10.0, breaker_failures=100)))
    link(gate).script.extend([hang] * 8)
    payments = await queue(gate, *range(12))
    async with running(gate):
        await trio.sleep(1)
        assert len(link(gate).requests) == 4
        await trio.sleep(10)
        assert len(link(gate).requests) == 8
        await trio.sleep(60)
    assert (await states(gate, payments)).count(State.IN_DOUBT) == 8


async def test_an_unreachable_bank_opens_the_breaker_and_one_payment_tests_it(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """After five failures in a row nothing is marked for 30 s, then one message tries, then all flow."""
    gate = house(bank(lane=LanePolicy(in_flight_max=5, breaker_failures=5, breaker_open_s=30.0, retry_first_s=1)))
    link(gate).script.extend(fails(NotSent(Reason.CONNECT_FAILED)) for _ in range(6))
    payments = await queue(gate, *range(20))
    async with running(gate) as lane:
        await trio.sleep(1)
        assert lane.breaker is Breaker.OPEN
        assert len(link(gate).requests) == 5
        await trio.sleep(30)
        assert len(link(gate).requests) == 6
        assert lane.breaker is Breaker.OPEN
        await trio.sleep(60)
    assert await states(gate, payments) == [State.ACCEPTED] * 20


async def test_a_stopped_lane_takes_nothing_more_and_ends_what_is_under_way(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Draining: the message at the bank gets its answer into the store, the next payment stays queued."""
    gate = house(bank(lane=LanePolicy(in_flight_max=1)))
    payments = await queue(gate, 1, 2)
    release = trio.Event()

    async def slow(wire, request):  # type: ignore[no-untyped-def]
        await release.wait()
        return await settle(wire, request)

    link(gate).script.append(slow)
    async with running(gate) as lane:
        await trio.sleep(1)
        lane.stop()
        release.set()
        await lane.drained()
    assert await states(gate, payments) == [State.SETTLED, State.QUEUED]


async def test_the_send_belongs_to_the_trace_of_the_submission(autojump_clock: trio.testing.MockClock) -> None:
    """The span of the sending has the stored traceparent as its parent, and the bank hears of it only if asked."""
    gate = house()
    traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    await queue(gate, 1, traceparent=traceparent)
    async with running(gate):
        await trio.sleep(5)
    sent = trail(gate).named("causeway.send")
    assert [span.parent for span in sent] == [traceparent]
    assert all(name != "traceparent" for name, _ in link(gate).requests[0].headers)


class ClaimedAtTheMark(MemoryStore):
    """A report about the payment is taken in the very moment in which its next attempt is marked."""

    async def take(self, steps: Sequence[Step]) -> list[Stepped]:
        stepped = await super().take(steps)
        for one, step in zip(stepped, steps, strict=True):
            if step.happening is not None and step.happening.kind is Kind.MARKED and one.payment is not None:
                word = Outcome(Word.TAKEN, one.payment.wire_reference, "ACCP")
                await super().take([Step(wire=("northbank", word.wire_reference), outcome=word)])
        return stepped


async def test_a_payment_the_bank_claims_while_it_is_marked_does_not_leave(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Evidence between the mark and the first byte is evidence: nothing is sent to a bank that has it (seed 193)."""
    clock = FakeClock()
    gate = house(store=ClaimedAtTheMark(clock), clock=clock)
    payments = await queue(gate, 1)
    async with running(gate):
        await trio.sleep(60)
    assert await states(gate, payments) == [State.ACCEPTED]
    assert link(gate).requests == []


async def test_a_payment_the_bank_claims_while_its_message_waits_for_a_session_does_not_leave(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A report that arrives while the message still waits in the pool calls it off, and the breaker holds nothing
    against the bank; another payment of the same message is proven unsent and leaves in the next one."""
    gate = house(bank(lane=LanePolicy(bulk_lines_max=2, retry_first_s=1.0, breaker_failures=1)))
    claimed, other = payments = await queue(gate, 1, 2)
    full = link(gate)

    async def wait_for_room() -> None:
        full.queue = trio.lowlevel.checkpoint
        await trio.sleep(5)
        word = Outcome(Word.TAKEN, claimed.wire_reference, "ACCP")
        await gate.store.take([Step(wire=("northbank", claimed.wire_reference), outcome=word)])
        await trio.sleep(5)

    full.queue = wait_for_room
    async with running(gate) as lane:
        await trio.sleep(10.5)
        assert full.requests == []
        assert lane.breaker is Breaker.CLOSED
        await trio.sleep(60)
    assert await states(gate, payments) == [State.ACCEPTED] * 2
    assert full.bookings == {other.wire_reference: 1}


async def test_payments_wait_for_company_within_the_window_and_instant_ones_never(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Ten payments that come over five seconds are one message; the instant one among them has left at once."""
    clock = FakeClock()
    gate = house(bank(lane=LanePolicy(bulk_lines_max=100, bulk_wait_s=5.0)), clock=clock)
    async with running(gate):
        first = await queue(gate, *range(5), received_at_ns=clock.now_ns())
        await trio.sleep(3)
        rest = await queue(gate, *range(5, 10), received_at_ns=clock.now_ns())
        instant = await queue(gate, 10, rail=Rail.INSTANT, received_at_ns=clock.now_ns())
        await trio.sleep(1)
        assert await states(gate, instant) == [State.ACCEPTED]
        assert len(link(gate).requests) == 1
        await trio.sleep(2)
    assert await states(gate, first + rest) == [State.ACCEPTED] * 10
    assert len(link(gate).requests) == 2


async def test_an_instant_payment_passes_a_full_gathering(autojump_clock: trio.testing.MockClock) -> None:
    """Behind more payments than the lane reads ahead, which wait for their window, it leaves at once."""
    clock = FakeClock()
    gate = house(bank(lane=LanePolicy(in_flight_max=2, bulk_lines_max=100, bulk_wait_s=3_600.0)), clock=clock)
    async with running(gate):
        for tenant in range(8):
            numbers = range(99 * tenant, 99 * (tenant + 1))
            await queue(gate, *numbers, tenant=f"tenant-{tenant}", received_at_ns=clock.now_ns())
        await trio.sleep(1)
        instant = await queue(gate, 1_000, rail=Rail.INSTANT, received_at_ns=clock.now_ns())
        await trio.sleep(1)
        assert await states(gate, instant) == [State.ACCEPTED]
    assert len(link(gate).requests) == 1


async def test_a_payment_cancelled_while_it_waits_for_company_leaves_the_others_their_message(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """The message goes without it, at its time, and needs no second try."""
    clock = FakeClock()
    gate = house(bank(lane=LanePolicy(bulk_lines_max=100, bulk_wait_s=5.0)), clock=clock)
    async with running(gate):
        gone, *others = await queue(gate, *range(5), received_at_ns=clock.now_ns())
        await trio.sleep(1)
        await gate.store.take([Step(gone.id, happening=happenings.cancelled("client-a"))])
        await trio.sleep(5)
    assert await states(gate, [gone, *others]) == [State.CANCELLED, *[State.ACCEPTED] * 4]
    assert [len(request.body.splitlines()) for request in link(gate).requests] == [4]


async def test_a_message_that_is_too_long_leaves_in_parts(autojump_clock: trio.testing.MockClock) -> None:
    """The bound is on its bytes; each payment is in exactly one of the parts."""
    policy = LanePolicy(bulk_lines_max=1_000, bulk_bytes_max=4_096)
    gate = house(bank(lane=policy))
    payments = await queue(gate, *range(400))
    async with running(gate):
        await trio.sleep(5)
    assert await states(gate, payments) == [State.ACCEPTED] * 400
    assert all(len(request.body) <= policy.bulk_bytes_max for request in link(gate).requests)
    assert link(gate).bookings == {payment.wire_reference: 1 for payment in payments}


async def test_what_becomes_due_while_there_is_no_room_is_sent_when_there_is(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A back-off that ends while the lane is full does not wait for the lane's idle look, a minute later."""
    gate = house(bank(lane=LanePolicy(in_flight_max=1, request_timeout_s=30.0, retry_first_s=2.0)))
    link(gate).script.extend([fails(NotSent(Reason.CONNECT_FAILED)), hang])
    payments = await queue(gate, 1, 2)
    async with running(gate):
        await trio.sleep(31)
    assert sorted(await states(gate, payments)) == [State.ACCEPTED, State.IN_DOUBT]
