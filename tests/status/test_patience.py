"""Claims about how long the inquiries wait for a wake-up, how often one answer is taken, and how far back they look."""

from collections.abc import Sequence

import pytest
import trio

from gateway.config import InquiryPolicy
from gateway.core.decisions import Proposing
from gateway.core.errors import MaybeSent
from gateway.core.ports import CommitListener, Step, Stepped
from gateway.core.proposal import Decision
from gateway.core.reasons import Reason
from gateway.core.states import State
from gateway.dispatch.lane import Lane
from gateway.house import House
from gateway.status import age
from gateway.status.inquiries import IDLE_S_MAX, TAKES_MAX, Inquiries
from tests.fakes.bank import fails
from tests.fakes.clock import FakeClock
from tests.fakes.house import bank, house, link, queue
from tests.fakes.memory_store import MemoryStore
from tests.fakes.payments import NOW_NS
from tests.fills import fills
from tests.status.test_age import H, facts
from tests.status.test_storm import PATIENT


class Mute(MemoryStore):
    """Tells nobody of its commits."""

    def on_commit(self, told: CommitListener) -> None:
        pass


async def _doubted(of: House) -> bytes:
    """The id of a payment that was lost on its way."""
    link(of).script.append(fails(MaybeSent(Reason.REPLY_LOST)))
    [payment] = await queue(of, 1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Lane(of, of.banks["northbank"]).run)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    return payment.id


@fills("inquiries.IDLE_S_MAX")
async def test_a_doubt_nobody_told_of_is_found(autojump_clock: trio.testing.MockClock) -> None:
    """An inquiry of which the task never heard is made by its next look, IDLE_S_MAX after the last at the latest; no
    look comes earlier."""
    clock = FakeClock()
    gate = house(bank(inquiry=InquiryPolicy(first_after_s=10.0)), store=Mute(clock), clock=clock)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Inquiries(gate, gate.banks["northbank"]).run)
        await trio.sleep(1)  # the first look finds nothing
        await _doubted(gate)
        await trio.sleep(IDLE_S_MAX - 2)
        assert link(gate).asked_at_s == []
        await trio.sleep(2)
        assert len(link(gate).asked_at_s) == 1
        nursery.cancel_scope.cancel()


class Crossed(MemoryStore):
    """Just before each of the next `crossings` answers is taken, a person proposes something."""

    crossings = 0

    async def take(self, steps: Sequence[Step]) -> list[Stepped]:
        if self.crossings > 0 and steps[0].expected_version:
            self.crossings -= 1
            proposing = Step(steps[0].payment_id, act=Proposing(Decision.SETTLED, "ada", "note"))
            [proposed] = await super().take([proposing])
            assert proposed.taken
        return await super().take(steps)


@fills("TAKES_MAX")
@pytest.mark.parametrize(("crossings", "asked"), [(TAKES_MAX - 1, 1), (TAKES_MAX, 2)])
async def test_an_answer_is_taken_a_bounded_number_of_times(
    crossings: int, asked: int, autojump_clock: trio.testing.MockClock
) -> None:
    """An answer that a proposal crosses each time it is to be taken is given up after TAKES_MAX, and the bank is asked
    again; crossed once less it is counted. Either way one inquiry is on record, and the payment is in doubt."""
    clock = FakeClock()
    store = Crossed(clock)
    gate = house(bank(declaration=PATIENT), store=store, clock=clock)
    payment_id = await _doubted(gate)
    store.crossings = crossings
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Inquiries(gate, gate.banks["northbank"]).run)
        await trio.sleep(120)
        nursery.cancel_scope.cancel()
    payment = await store.get(payment_id)
    assert payment is not None
    assert store.crossings == 0
    assert (len(link(gate).asked_at_s), payment.inquiries, payment.state) == (asked, 1, State.IN_DOUBT)


@fills("FACTS_MAX")
def test_how_far_back_a_payment_is_looked_at() -> None:
    """With one fact less than FACTS_MAX its age is counted; with FACTS_MAX there may be more, and it is as old as can
    be, so that nothing is sent again without people."""
    for count, known in ((age.FACTS_MAX - 1, True), (age.FACTS_MAX, False)):
        many = facts(0, *(1 + n / 1_000 for n in range(count - 1)))
        assert len(many) == count
        told_ns = age.sent_for_ns(many, NOW_NS + 5 * H, 0)
        assert (told_ns == 4 * H) is known
        assert (told_ns == age.AS_OLD_AS_CAN_BE_NS) is not known
