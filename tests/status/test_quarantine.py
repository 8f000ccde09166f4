"""Claims about a house in quarantine: nothing is sent, every bank is asked, and nothing is booked twice (law 6).

On trio's clock; the oracle is the bank's ledger. A backup is played by letting the house suspect what it has queued,
as a restore does, while the bank knows more.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import trio

from gateway import limits
from gateway.core import happenings
from gateway.core.errors import Quarantined
from gateway.core.facts import StoreHappening, StoreKind
from gateway.core.payment import Payment, Principal, wire_reference
from gateway.core.ports import Admitted, Collects, Step
from gateway.core.states import State
from gateway.dispatch.lane import Lane
from gateway.house import House, Quarantine
from gateway.journey import accept
from gateway.status.collector import Collector
from gateway.status.inquiries import Inquiries
from gateway.status.resolution import WINDOW_MARGIN_S
from tests.fakes.bank import DECLARATION
from tests.fakes.house import bank, house, link, queue
from tests.fills import fills
from tests.intake.drafts import draft

STRANGE = wire_reference("acme", "a payment we lost", b"", "northbank")


async def restored(of: House, *numbers: int) -> tuple[House, list[Payment]]:
    """The house after a restore, with payments that were QUEUED in the backup."""
    payments = await queue(of, *numbers)
    return await in_quarantine(of, payments), payments


async def in_quarantine(of: House, payments: list[Payment]) -> House:
    await of.store.log([StoreHappening(StoreKind.RESTORED, actor="os:ada")])
    suspicion = happenings.suspected("os:ada", of.clock.now_ns())
    await of.store.take([Step(one.id, happening=suspicion) for one in payments])
    return replace(of, quarantine=Quarantine(await of.store.quarantine()))


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


async def states(of: House, payments: list[Payment]) -> list[State]:
    return [one.state for one in await of.store.get_many([payment.id for payment in payments]) if one]


def booked(of: House, payments: list[Payment]) -> list[int]:
    return [link(of).bookings[payment.wire_reference] for payment in payments]


def known_to_the_bank(of: House, one: Payment, word: str) -> None:
    """It was sent after the backup was taken."""
    link(of).bookings[one.wire_reference] += 1
    link(of).known[one.wire_reference] = f"{one.wire_reference} {word}"


async def test_what_the_bank_has_is_found_and_what_it_has_not_is_sent_at_the_end(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """One was sent after the backup, one was not: the bank's word settles the first; the second is freed by its twice
    said "not found" and waits for the end of the quarantine. Each is booked once."""
    gate, (first, second) = await restored(house(), 1, 2)
    known_to_the_bank(gate, first, "SETTLED ACSC")
    async with running(gate):
        await trio.sleep(30)
        assert await states(gate, [first, second]) == [State.SETTLED, State.IN_DOUBT]
        await trio.sleep(10_000)
        assert await states(gate, [first, second]) == [State.SETTLED, State.QUEUED]
        assert booked(gate, [first, second]) == [1, 0]
        gate.quarantine.over.set()
        await trio.sleep(10)
    assert await states(gate, [first, second]) == [State.SETTLED, State.ACCEPTED]
    assert booked(gate, [first, second]) == [1, 1]


async def test_one_not_found_frees_nothing(autojump_clock: trio.testing.MockClock) -> None:
    """The daemon that died may have written to a bank that stood still: the first "not found" only begins the window,
    and what is found afterwards was sent before."""
    gate, (one,) = await restored(house(), 1)
    async with running(gate):
        await trio.sleep(50)
        assert len(link(gate).asked_at_s) == 1
        known_to_the_bank(gate, one, "TAKEN ACSP")
        await trio.sleep(10_000)
    assert await states(gate, [one]) == [State.ACCEPTED]
    assert booked(gate, [one]) == [1]


async def test_a_duplicate_window_counts_from_the_admission(autojump_clock: trio.testing.MockClock) -> None:
    """When it was sent nobody knows, but not before it was admitted: once the bank may have forgotten it, its "not
    found" frees nothing, and people decide."""
    gate = house(bank(declaration=replace(DECLARATION, duplicate_window_s=int(WINDOW_MARGIN_S) + 3_600)))
    now_ns = gate.clock.now_ns()
    fresh = await queue(gate, 1, received_at_ns=now_ns, updated_at_ns=now_ns)
    then_ns = now_ns - 3_600 * 10**9
    old = await queue(gate, 2, received_at_ns=then_ns, updated_at_ns=then_ns)
    gate = await in_quarantine(gate, [*fresh, *old])
    async with running(gate):
        await trio.sleep(10_000)
    assert await states(gate, [*fresh, *old]) == [State.QUEUED, State.IN_DOUBT]


async def test_a_bank_that_cannot_be_asked_leaves_it_to_people(autojump_clock: trio.testing.MockClock) -> None:
    """No inquiry, no report: the payment stays in doubt, and no time frees it."""
    gate, (one,) = await restored(house(bank(declaration=replace(DECLARATION, inquiry=False))), 1)
    async with running(gate):
        await trio.sleep(86_400)
    assert await states(gate, [one]) == [State.IN_DOUBT]
    assert link(gate).asked_at_s == []


async def test_the_mailbox_finds_what_is_known_and_lists_what_is_not(autojump_clock: trio.testing.MockClock) -> None:
    """A report settles a payment that was never marked here. One about a payment we lost is listed once, whatever is
    said of it how often, and survives a restart; somebody else's is not listed."""
    gate, (one,) = await restored(house(bank(declaration=replace(DECLARATION, inquiry=False))), 1)
    link(gate).reports += [f"{one.wire_reference} SETTLED ACSC", f"{STRANGE} TAKEN ACSP", "SOMEBODY-ELSE TAKEN ACSP"]
    async with running(gate):
        await trio.sleep(1)
        link(gate).reports.append(f"{STRANGE} SETTLED ACSC")
        await trio.sleep(60)
    assert gate.quarantine.mailboxes_read == {"northbank"}
    assert await states(gate, [one]) == [State.SETTLED]
    assert list(gate.quarantine.unknown) == [("northbank", STRANGE)]
    again = Quarantine(await gate.store.quarantine())
    assert [(fact.wire_reference, fact.bank_status) for fact in again.unknown.values()] == [(STRANGE, "ACSP")]


@fills("UNKNOWN_REFERENCES_MAX")
async def test_the_list_of_unknown_references_is_bounded(autojump_clock: trio.testing.MockClock) -> None:
    """Above the bound they are counted, and the log does not grow."""
    gate, _ = await restored(house())
    strange = [wire_reference("acme", str(n), b"", "northbank") for n in range(limits.UNKNOWN_REFERENCES_MAX + 5)]
    link(gate).reports += [f"{reference} TAKEN ACSP" for reference in strange]
    async with running(gate):
        await trio.sleep(1)
    assert len(gate.quarantine.unknown) == limits.UNKNOWN_REFERENCES_MAX
    assert gate.quarantine.unlisted == 5
    assert len(await gate.store.quarantine()) == limits.UNKNOWN_REFERENCES_MAX + 1


async def test_outside_a_quarantine_strange_references_are_only_counted(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """What a bank says of others must not fill our log."""
    gate = house()
    link(gate).reports.append(f"{STRANGE} TAKEN ACSP")
    async with running(gate):
        await trio.sleep(1)
    assert await gate.store.last_sequence() == 0


async def test_nothing_is_admitted_but_known_keys_are_answered(autojump_clock: trio.testing.MockClock) -> None:
    """A key that is not in the backup may be one that was paid: it is refused. A known one gets its answer (law 2)."""
    plain = house()
    who = Principal("erp", "treasury")
    [first] = await accept(plain, who, [draft(idempotency_key="known", bank="northbank")], "")
    assert isinstance(first, Admitted)
    gate, _ = await restored(plain)
    drafts = [draft(idempotency_key=key, bank="northbank") for key in ("known", "lost")]
    again, refused = await accept(gate, who, drafts, "")
    assert isinstance(again, Admitted)
    assert (again.replay, again.payment.id) == (True, first.payment.id)
    assert isinstance(refused, Quarantined)
    gate.quarantine.over.set()
    [admitted] = await accept(gate, who, drafts[1:], "")
    assert isinstance(admitted, Admitted)
