"""Two hundred payments, a bank with every sin, and crashes: the whole way from the outbox to the end, by seeds.

What must come out, whatever the dice say: no reference is booked twice; nothing is sent that was not marked with this
very content; every payment has ended or stands visibly in doubt; the log has no gap, and each payment's facts, taken
through the state table, lead to its state. A seed replays the dice; the order of tasks within one turn is trio's.
"""

import hashlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest
import trio

from gateway.config import CollectPolicy, InquiryPolicy, LanePolicy
from gateway.core import happenings
from gateway.core.payment import Payment
from gateway.core.ports import Admission, Admitted, Collects, Step, Stepped, Store, WireRequest
from gateway.core.reasons import Reason
from gateway.core.states import ENDS, Kind, State, step
from gateway.dispatch.lane import Lane
from gateway.house import Bank, House
from gateway.status.collector import Collector
from gateway.status.inquiries import Inquiries
from gateway.store.recover import recover
from gateway.store.store import LmdbStore
from gateway.store.verify import verify
from tests.fakes.bank import DECLARATION, FakeAdapter
from tests.fakes.clock import FakeClock
from tests.fakes.house import house, profile, queue
from tests.fakes.memory_store import MemoryStore
from tests.fakes.sinful_bank import VISIBILITY_S, SinfulLink

PAYMENTS = 200
WAVES = 4
CRASHES = 8
LIVES_S = (1.0, 20.0, 200.0, 1_500.0)
"""Longest times between two crashes: in the middle of the marks, of the answers, of the doubts, of the inquiries."""
CALM_S = 6_000.0
"""A calm bank for longer than any back-off, breaker and inquiry plan of this profile."""
FACTS_MAX = 100_000

T = TypeVar("T")


class PromptStore(LmdbStore):
    """The real store, whose commits take no time of MockClock: it would leap on while the writer's thread works."""

    async def admit(self, admissions: Sequence[Admission]) -> list[Admitted]:
        return await self._promptly(partial(super().admit, admissions))

    async def take(self, steps: Sequence[Step]) -> list[Stepped]:
        return await self._promptly(partial(super().take, steps))

    async def set_cursor(self, bank: str, cursor: str, kept: Sequence[bytes] = ()) -> None:
        await self._promptly(partial(super().set_cursor, bank, cursor, kept))

    async def _promptly(self, write: Callable[[], Awaitable[T]]) -> T:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_keep_awake)
            result = await write()
            nursery.cancel_scope.cancel()
        return result


async def _keep_awake() -> None:
    while True:
        await trio.lowlevel.checkpoint()


@asynccontextmanager
async def in_memory(clock: FakeClock) -> AsyncIterator[Store]:
    yield MemoryStore(clock)


@dataclass(slots=True)
class World:
    """One run: a house, its sinful bank, and the payments in it."""

    gate: House
    wire: SinfulLink
    dice: random.Random
    payments: list[Payment]

    @property
    def side(self) -> Bank:
        return self.gate.banks["northbank"]

    async def live(self, seconds: float) -> None:
        """The tasks of the bank, dropped in the middle of whatever they do after that time."""
        side = self.side
        assert isinstance(side.adapter, Collects)
        with trio.move_on_after(seconds):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(Lane(self.gate, side).run)
                nursery.start_soon(Inquiries(self.gate, side).run)
                nursery.start_soon(Collector(self.gate, side, side.adapter).run)
                nursery.start_soon(self._gossip)

    async def _gossip(self) -> None:
        while self.wire.sinful:
            await trio.sleep(self.dice.random() * 60)
            self.wire.gossip([payment.wire_reference for payment in self.payments])

    async def restart(self) -> None:
        """What a start does. A write that was handed over before the crash is there, or never was: it must not come
        after it, as it cannot in a new process."""
        store = self.gate.store
        await store.set_cursor("nobody", "")
        if isinstance(store, LmdbStore):
            await recover(store, self.gate.clock, inquire_after_s=90.0)
            return
        doubt = happenings.doubted(Reason.RESTARTED_WHILE_SENDING, self.gate.clock.now_ns() + 90_000_000_000)
        left = await store.in_state(State.SENDING, limit=PAYMENTS)
        await store.take([Step(payment.id, happening=doubt) for payment in left])

    async def wave(self, numbers: range) -> None:
        new = await queue(self.gate, *numbers)
        self.payments += new
        given_up = [payment for payment in new if self.dice.random() < 0.05]
        await self.gate.store.take([Step(one.id, happening=happenings.cancelled("erp")) for one in given_up])


async def check_marked(store: Store, request: WireRequest) -> None:
    """Law 3: what leaves is committed, under this reference and with this content."""
    for reference in request.body.decode().split():
        payment = await store.by_wire("northbank", reference)
        assert payment is not None
        assert payment.attempt is not None
        assert payment.state is not State.QUEUED
        assert payment.attempt.payload_sha256 == hashlib.sha256(request.body).digest()


async def live_through(seed: int, store: Store, clock: FakeClock) -> World:
    dice = random.Random(seed)
    wire = SinfulLink(dice, partial(check_marked, store))
    of_bank = profile(
        lane=LanePolicy(
            in_flight_max=8, request_timeout_s=8.0, retry_max_s=60.0, bulk_lines_max=dice.choice((1, 3, 10))
        ),
        inquiry=InquiryPolicy(first_after_s=30.0, again_after_s=600.0, follow_after_s=900.0, follow_again_s=900.0),
        collect=CollectPolicy(every_s=30.0),
    )
    adapter = FakeAdapter(replace(DECLARATION, visibility_s=VISIBILITY_S))
    world = World(house(Bank(of_bank, adapter, wire), store=store, clock=clock), wire, dice, [])
    for life in range(CRASHES):
        if life < WAVES:
            size = PAYMENTS // WAVES
            await world.wave(range(life * size, (life + 1) * size))
        await world.live(dice.random() * dice.choice(LIVES_S))
        await world.restart()
    wire.sinful = False
    await world.live(CALM_S)
    wire.settle_all()
    await world.restart()
    await world.live(CALM_S)
    return world


async def check(world: World) -> None:
    """The oracle."""
    bookings, store = world.wire.bookings, world.gate.store
    assert [reference for reference, times in bookings.items() if times > 1] == []
    found = [one for one in await store.get_many([payment.id for payment in world.payments]) if one]
    assert len(found) == PAYMENTS
    for one in found:
        claimed_only = one.state is State.ACCEPTED and one.wire_reference not in world.wire.entries
        assert one.state in ENDS | {State.IN_DOUBT} or claimed_only, "neither ended nor in sight"
        if one.wire_reference in bookings:
            assert one.state is not State.CANCELLED or one.contradiction
        if one.state is State.SETTLED and not one.contradiction:
            assert bookings[one.wire_reference] == 1 or gossiped(world, one)
    facts = await store.facts(0, FACTS_MAX)
    assert [fact.sequence for fact in facts] == list(range(1, len(facts) + 1))
    for one in found:
        state, version = State.RECEIVED, 0
        for fact in await store.facts_of(one.id, FACTS_MAX):
            after = State.RECEIVED if fact.kind is Kind.RECEIVED else step(state, fact.kind)
            assert (fact.before, fact.after, fact.version) == (state, after, version + 1)
            state, version = fact.after, fact.version
        assert (state, version) == (one.state, one.version)


def gossiped(world: World, payment: Payment) -> bool:
    return any(line.startswith(payment.wire_reference) for line in world.wire.reports)


@pytest.mark.parametrize("seed", range(5))
async def test_a_sinful_bank_and_crashes_never_pay_twice(seed: int, autojump_clock: trio.testing.MockClock) -> None:
    """Over the store in memory, where a cancelled write is one that never was."""
    clock = FakeClock()
    async with in_memory(clock) as store:
        await check(await live_through(seed, store, clock))


@pytest.mark.parametrize("seed", [101, 102])
async def test_the_real_store_never_pays_twice(
    seed: int, tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """Over LMDB, where a cancelled write is made all the same; afterwards the offline verifier finds it whole."""
    clock = FakeClock()
    async with PromptStore(tmp_path / "data", clock=clock, map_bytes_initial=8 << 20) as store:
        await check(await live_through(seed, store, clock))
    report = verify(tmp_path / "data")
    assert report.findings == []
    assert report.payments == PAYMENTS
