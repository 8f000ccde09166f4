"""Claims about a bank's mailbox: every word reaches its payment, once is enough, and nothing else is touched."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from gateway.core import happenings
from gateway.core.errors import MaybeSent
from gateway.core.facts import STORE_ID, StoreKind
from gateway.core.ports import Collects, Step
from gateway.core.reasons import Reason
from gateway.core.states import Kind, State
from gateway.dispatch.lane import Lane
from gateway.house import House
from gateway.status.collector import Collector
from gateway.store import layout
from gateway.store.store import LmdbStore
from tests.fakes.bank import fails
from tests.fakes.clock import FakeClock
from tests.fakes.house import house, link, queue, trail
from tests.fakes.memory_store import MemoryStore
from tests.fakes.payments import attempt
from tests.store.damage import damaging

RESULTS = ("taken", "unreadable", "foreign")


@asynccontextmanager
async def running(of: House) -> AsyncIterator[None]:
    side = of.banks["northbank"]
    assert isinstance(side.adapter, Collects)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Lane(of, side).run)
        nursery.start_soon(Collector(of, side, side.adapter).run)
        yield
        nursery.cancel_scope.cancel()


async def test_a_report_settles_the_payment_it_names(autojump_clock: trio.testing.MockClock) -> None:
    """The bank's later word moves its payment on, and the others stay as they are."""
    gate = house()
    first, second = await queue(gate, 1, 2)
    async with running(gate):
        await trio.sleep(1)
        link(gate).reports.append(f"{first.wire_reference} SETTLED ACSC")
        await trio.sleep(31)
    found = await gate.store.get_many([first.id, second.id])
    assert [one.state for one in found if one] == [State.SETTLED, State.ACCEPTED]


async def test_a_report_leads_out_of_doubt(autojump_clock: trio.testing.MockClock) -> None:
    """Evidence is evidence wherever it comes from: a report resolves what a lost reply left open."""
    gate = house()
    link(gate).script.append(fails(MaybeSent(Reason.REPLY_LOST), booked=True))
    (payment,) = await queue(gate, 1)
    async with running(gate):
        await trio.sleep(1)
        link(gate).reports.append(f"{payment.wire_reference} TAKEN ACSP")
        await trio.sleep(31)
    found = await gate.store.get(payment.id)
    assert found is not None
    assert (found.state, found.bank_status) == (State.ACCEPTED, "ACSP")


async def test_the_same_report_again_changes_nothing(autojump_clock: trio.testing.MockClock) -> None:
    """A bank that repeats itself adds no fact; one that goes back on itself is written down once."""
    gate = house()
    (payment,) = await queue(gate, 1)
    async with running(gate):
        await trio.sleep(1)
        for word in ("SETTLED ACSC", "SETTLED ACSC", "TAKEN ACCP", "REJECTED RJCT", "REJECTED RJCT"):
            link(gate).reports.append(f"{payment.wire_reference} {word}")
        await trio.sleep(61)
    facts = await gate.store.facts_of(payment.id, 100)
    assert [fact.kind for fact in facts[-2:]] == [Kind.SETTLED, Kind.CONTRADICTED]
    assert facts[-1].after is State.SETTLED


async def test_a_report_about_nobody_touches_nothing(autojump_clock: trio.testing.MockClock) -> None:
    """A reference that is not ours is counted as foreign, and the mailbox goes on."""
    gate = house()
    (payment,) = await queue(gate, 1)
    async with running(gate):
        await trio.sleep(1)
        link(gate).reports += ["CWSOMEBODYELSE SETTLED ACSC", f"{payment.wire_reference} SETTLED ACSC"]
        await trio.sleep(31)
    found = await gate.store.get(payment.id)
    assert found is not None
    assert found.state is State.SETTLED
    assert trail(gate).counts["causeway.reports", (("bank", "northbank"), ("result", "foreign"))] == 1


async def test_a_report_about_a_payment_that_cannot_be_read_is_kept(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """It is neither somebody else's nor lost: the word is in the log before the cursor moves on, it is counted as
    unreadable, and the rest of the mailbox is taken."""
    async with LmdbStore(tmp_path, clock=FakeClock()) as store:
        gate = house(store=store)
        bad, good = await queue(gate, 1, 2)
        await store.take([Step(one.id, happening=happenings.marked(attempt(one))) for one in (bad, good)])
    with damaging(tmp_path) as damage:
        damage.flip(layout.PAYMENT2RECORD, bad.id)
    async with LmdbStore(tmp_path, clock=FakeClock()) as store:
        gate = house(store=store)
        link(gate).reports += [f"{bad.wire_reference} SETTLED ACSC", f"{good.wire_reference} SETTLED ACSC"]
        side = gate.banks["northbank"]
        assert isinstance(side.adapter, Collects)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(Collector(gate, side, side.adapter).run)
            while await store.cursor("northbank") != "2":
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
        [fact] = await store.facts_of(STORE_ID, 10)
        assert (fact.kind, fact.wire_reference) == (StoreKind.UNREADABLE_PAYMENT, bad.wire_reference)
        assert await store.evidence(fact.evidence_sha256) is not None
        found = await store.get(good.id)
        assert found is not None
        assert found.state is State.SETTLED
    counted = {
        result: trail(gate).counts["causeway.reports", (("bank", "northbank"), ("result", result))]
        for result in RESULTS
    }
    assert counted == {"taken": 1, "unreadable": 1, "foreign": 0}


async def test_the_cursor_survives_the_collector(autojump_clock: trio.testing.MockClock) -> None:
    """A new collector goes on where the last one stopped, and reads no report twice."""
    gate = house()
    (payment,) = await queue(gate, 1)
    async with running(gate):
        await trio.sleep(1)
        link(gate).reports.append(f"{payment.wire_reference} TAKEN ACSP")
        await trio.sleep(31)
    async with running(gate):
        await trio.sleep(1)
    asked = [request.path for request in link(gate).requests if request.path.startswith("/reports/")]
    assert asked[-1] == "/reports/1"
    assert await gate.store.cursor("northbank") == "1"


async def test_a_report_nobody_can_read_is_kept_and_the_rest_is_taken(autojump_clock: trio.testing.MockClock) -> None:
    """The cursor moves past it only together with the document itself: nothing a bank sent is lost."""
    gate = house()
    (payment,) = await queue(gate, 1)
    async with running(gate):
        await trio.sleep(1)
        link(gate).reports += ["?<garbage", f"{payment.wire_reference} SETTLED ACSC"]
        await trio.sleep(31)
    found = await gate.store.get(payment.id)
    assert found is not None
    assert found.state is State.SETTLED
    assert isinstance(gate.store, MemoryStore)
    assert b"?<garbage" in gate.store.evidence_kept.values()


async def test_a_fault_in_reading_the_mailbox_ends_nothing(autojump_clock: trio.testing.MockClock) -> None:
    """A mailbox that breaks its reader is tried again later; the task lives on and reads it when it can."""
    gate = house()
    (payment,) = await queue(gate, 1)
    async with running(gate):
        await trio.sleep(1)
        link(gate).reports.append(f"{payment.wire_reference} NO-SUCH-WORD")
        await trio.sleep(400)
        link(gate).reports[0] = f"{payment.wire_reference} SETTLED ACSC"
        await trio.sleep(400)
    found = await gate.store.get(payment.id)
    assert found is not None
    assert found.state is State.SETTLED
