"""One run: the operator's processes, the banks, the clients and the watchers of one seed, and the reckoning at the end.

First everything goes wrong for a while, then everybody is well-behaved and time passes; at the end nothing may be
lost, booked twice, or stuck.
"""

import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import trio

from gateway.core.payment import Payment, Principal
from gateway.core.ports import CommitListener, Link
from gateway.core.states import ENDS, Kind, State
from gateway.house import Bank, House, Quarantine
from gateway.store.restore import quarantined
from tests.fakes.clock import FakeClock
from tests.fakes.memory_store import MemoryStore
from tests.sim.bank import SimBank
from tests.sim.determinism import run_seeded, stream
from tests.sim.disaster import LmdbDisk, MemoryDisk, Quarantined
from tests.sim.link import Line, SimLink
from tests.sim.oracle import Oracle, Seen, Violated
from tests.sim.outsiders import Client, Watcher
from tests.sim.people import SITTING_S_MAX, Clerks, Officers, Restorer
from tests.sim.plan import CALM_S, LAST_LETTERS_S, LAST_SENDS_S, LOSS_SHARE, Plan
from tests.sim.process import Process, Recover, RunningStore, recover_as_daemon
from tests.sim.quiet import QuietTrail
from tests.sim.store import Hazards, SimLmdb, SimStore

CLOCK_SET_S: Final = (-600.0, -5.0, 5.0, 7200.0)
"""How far people set clocks."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a run is built of. Tests put in broken parts to prove that the oracle finds them."""

    store: Callable[[FakeClock, MemoryStore, Hazards, CommitListener, Callable[[], None]], RunningStore] = SimStore
    link: Callable[[SimLink], Link] = lambda link: link
    bank: Callable[[Bank], Bank] = lambda bank: bank
    recover: Recover = recover_as_daemon
    quarantined: Quarantined = quarantined


@dataclass(slots=True)
class Outcome:
    """What came of a run."""

    seed: int
    payments: int = 0
    simulated_s: float = 0.0
    real_s: float = 0.0
    processes: int = 0
    checks: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    steps: Counter[tuple[State, Kind]] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    digest: str = ""
    lmdb: bool = False
    broken: str = ""
    """The law that was broken first, and by what; empty: none."""


@dataclass(slots=True)
class World:
    plan: Plan
    parts: Parts
    nursery: trio.Nursery
    clock: FakeClock
    oracle: Oracle
    faults: Counter[str]
    memory: MemoryStore
    disk: MemoryDisk | LmdbDisk
    entropy: random.Random
    banks: dict[str, SimBank] = field(default_factory=dict)
    clients: list[Client] = field(default_factory=list)
    watchers: list[Watcher] = field(default_factory=list)
    process: Process = field(init=False)
    processes: int = 0
    calm: bool = False
    restores: int = 0
    lost: set[tuple[str, str]] = field(default_factory=set)
    restorer: Restorer = field(init=False)

    @property
    def lmdb(self) -> SimLmdb | None:
        return self.disk.store if isinstance(self.disk, LmdbDisk) else None

    # ------------------------------------------------------------ people and banks

    def found(self) -> None:
        """Banks, clients and watchers of the plan."""
        plan = self.plan
        for of_bank in plan.banks:
            name, declaration = of_bank.profile.name, of_bank.tongue.adapter.declaration
            bank = self.banks[name] = SimBank(
                name=name,
                tongue=of_bank.tongue,
                dice=stream(plan.seed, f"bank {name}"),
                faults=self.faults,
                weights=of_bank.weights,
                visibility_s=declaration.visibility_s,
                nursery=self.nursery,
                booked=self.oracle.booked,
                inquired=self.oracle.inquired,
            )
            self.oracle.windows_s[name] = declaration.duplicate_window_s
            self.oracle.inquiries_max[name] = of_bank.profile.inquiry.per_payment_max
            if of_bank.sleeps_h_max:
                self.nursery.start_soon(bank.doze, of_bank.sleeps_h_max)
        for place, tenant in enumerate(plan.tenants):
            half = plan.payments // len(plan.tenants)
            self.clients.append(
                Client(
                    principal=Principal(f"erp.{tenant}", tenant),
                    numbers=range(place * half, (place + 1) * half),
                    banks=list(self.banks),
                    operated=self,
                    oracle=self.oracle,
                    dice=stream(plan.seed, f"client {tenant}"),
                    faults=self.faults,
                    habits=plan.habits,
                )
            )
            self.watchers.append(
                Watcher(
                    tenant=tenant,
                    operated=self,
                    seen=Seen(self.oracle, tenant),
                    dice=stream(plan.seed, f"watcher {tenant}"),
                    faults=self.faults,
                    lag_max=plan.lag_max,
                )
            )

    def _people(self) -> list[Clerks | Officers | Restorer]:
        plan = self.plan
        self.restorer = Restorer(self, stream(plan.seed, "restorer"), self.faults)
        people: list[Clerks | Officers | Restorer] = [self.restorer] if plan.restores_max else []
        if plan.clerks_every_s:
            dice = stream(plan.seed, "clerks")
            people.append(Clerks(self, self.oracle.holds, self.oracle, dice, self.faults, plan.clerks_every_s))
        if plan.officers_every_s:
            dice = stream(plan.seed, "officers")
            people.append(Officers(self, self.oracle, dice, self.faults, plan.officers_every_s))
        return people

    # ------------------------------------------------------------ the operator

    async def operate(self, until_s: float) -> None:
        """Processes, one after the other, until that moment of trio's clock."""
        dice = stream(self.plan.seed, "operator")
        while trio.current_time() < until_s:
            self._begin(dice)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._end, dice)
                await self.process.run()
                nursery.cancel_scope.cancel()
            await self._down(dice)

    def _begin(self, dice: random.Random) -> None:
        self.processes += 1
        hazards = Hazards(
            stream(self.plan.seed, f"store {self.processes}"),
            self.faults,
            *((0.0, 0.0, 0.0) if self.calm else (self.plan.crash_at_commit, self.plan.crash_at_commit, self.plan.full)),
        )
        if self.lmdb is not None:
            self.lmdb.of_new_process(hazards, self._die)
        store = self.lmdb or self.parts.store(self.clock, self.memory, hazards, self.oracle.committed, self._die)
        banks = {one.profile.name: self._bank(one.profile.name) for one in self.plan.banks}
        house = House(
            store=store,
            clock=self.clock,
            trail=QuietTrail(),
            banks=banks,
            entropy=self.entropy.randbytes,
            dice=stream(self.plan.seed, f"spread {self.processes}"),
            quarantine=Quarantine(store.quarantined()),
        )
        self.process = Process(house, store, self.parts.recover, self._started)

    def _bank(self, name: str) -> Bank:
        of_bank = next(one for one in self.plan.banks if one.profile.name == name)
        line = (0.0, 0.0) if self.calm else (of_bank.line, of_bank.line_s_max)
        link = SimLink(
            bank=self.banks[name],
            leaving=partial(self._leaving, name),
            in_flight_max=of_bank.profile.lane.in_flight_max,
            must=self.oracle.must,
            line=Line(stream(self.plan.seed, f"line {name} {self.processes}"), self.faults, *line),
        )
        return self.parts.bank(Bank(of_bank.profile, of_bank.tongue.adapter, self.parts.link(link)))

    async def _end(self, dice: random.Random) -> None:
        await trio.sleep(dice.random() * dice.choice(self.plan.life_s_max))
        if dice.random() < self.plan.drain:
            self.faults["drain"] += 1
            await self.process.drain()
        else:
            self.faults["crash"] += 1
            self.process.crash()

    async def _down(self, dice: random.Random) -> None:
        if self.lmdb is not None:
            await self.lmdb.flushed()
        await trio.sleep(1.0 + dice.random() * dice.choice(self.plan.down_s_max))
        losses_left = self.disk.backup_taken and self.restores < self.plan.restores_max
        if losses_left and dice.random() < LOSS_SHARE:
            await self._lose_the_disk()
        if dice.random() < self.plan.clock_set:
            self.faults["clock_set"] += 1
            self.clock.advance(dice.choice(CLOCK_SET_S))

    async def _keep_backups(self) -> None:
        dice = stream(self.plan.seed, "backups")
        while not self.calm:
            await trio.sleep(dice.random() * self.plan.backup_every_s)
            await self.disk.back_up()

    async def _lose_the_disk(self) -> None:
        """What is left is the last backup. Clients are told since when, and watchers where to go on."""
        self.restores += 1
        self.faults["restored"] += 1
        sequence, since = await self.disk.lose()
        self.lost.update(self.oracle.restored(sequence))
        self.oracle.committed(since)
        for watcher in self.watchers:
            watcher.seen.restored(sequence)
            watcher.position = min(watcher.position, sequence)
        for client in self.clients:
            client.taken_back &= self.oracle.lives.keys()
            again = {one for one in client.taken_back if self.oracle.lives[one].state is not State.CANCELLED}
            client.taken_back -= again
            self.restorer.cancel_again |= again

    async def _set_the_clock(self) -> None:
        """While the daemon runs."""
        dice = stream(self.plan.seed, "clock")
        while not self.calm:
            await trio.sleep(dice.uniform(0.5, 4.0) * 3600)
            if not self.calm and dice.random() < self.plan.clock_set:
                self.faults["clock_set_while_up"] += 1
                self.clock.advance(dice.choice((*CLOCK_SET_S, -7200.0)))

    def _die(self) -> None:
        self.process.crash()

    def _started(self) -> None:
        self.oracle.started(self._durable)

    def _leaving(self, bank: str, references: list[str], body: bytes) -> None:
        durable = [self._durable(self.oracle.by_wire.get((bank, one), b"")) for one in references]
        self.oracle.leaving(bank, references, durable, body)

    def _durable(self, payment_id: bytes) -> Payment | None:
        if self.lmdb is None:
            return self.memory._payments.get(payment_id)
        return self.lmdb.durable(payment_id)

    # ------------------------------------------------------------ the run

    async def live(self) -> None:
        """Chaos, then calm."""
        async with trio.open_nursery() as clients:
            self._begin(stream(self.plan.seed, "first"))
            for watcher in self.watchers:
                self.nursery.start_soon(watcher.run)
            for client in self.clients:
                clients.start_soon(client.run)
            people = self._people()
            for one in people:
                self.nursery.start_soon(one.run)
            if self.plan.restores_max:
                self.nursery.start_soon(self._keep_backups)
            if self.plan.clock_set:
                self.nursery.start_soon(self._set_the_clock)
            await self.operate(trio.current_time() + self.plan.chaos_s)
            self.calm = True
            for one in people:
                if isinstance(one, Officers):
                    one.gone_home = True
                elif isinstance(one, Clerks):
                    one.earnest = self.plan.restores_max > 0
            for bank in self.banks.values():
                bank.come_clean()
            for watcher in self.watchers:
                watcher.calm = True
            self._begin(stream(self.plan.seed, "last"))
            self.nursery.start_soon(self.process.run)
        await trio.sleep(CALM_S)
        for one in people:
            one.gone_home = True
        await trio.sleep(SITTING_S_MAX + LAST_SENDS_S)
        for bank in self.banks.values():
            bank.come_clean()
        await trio.sleep(LAST_LETTERS_S)

    async def reckon(self) -> list[Payment]:
        """What must be true when all is said and done."""
        must, store = self.oracle.must, self.process.store
        payments = [one for one in await store.get_many(list(self.oracle.lives)) if one is not None]
        self.oracle.started(self._durable)
        for one in payments:
            self._end_of(one)
        for seen in (watcher.seen for watcher in self.watchers):
            seen.complete()
        for payment_id in (one for client in self.clients for one in client.taken_back):
            payment = self._durable(payment_id)
            must(payment is not None and payment.state is State.CANCELLED, "what was taken back stays so", payment_id)
        return payments

    def _end_of(self, one: Payment) -> None:
        must = self.oracle.must
        bank = self.banks[one.instruction.bank]
        reference, state = one.wire_reference, one.state
        entry = bank.entries.get(reference)
        lied = reference in bank.lied_about or bool(one.contradiction)
        waits = state is State.IN_DOUBT or (lied and state is State.ACCEPTED)
        must(state in ENDS or waits, "nothing is stuck", f"{reference} {state.value}")
        if state is State.IN_DOUBT:
            must(one.inquire_at_ns == 0, "a doubt is asked about until its budget is spent", reference)
            must(entry is None or lied, "what the bank reports is no doubt", reference)
        if state in (State.CANCELLED, State.REFUSED, State.EXPIRED):
            must(entry is None, "what we did not send is not at the bank", f"{reference} {state.value}")
        if not lied and state in (State.SETTLED, State.REJECTED, State.RETURNED):
            must(entry is not None, "an end comes from the bank", reference)
            assert entry is not None
            must(entry.final.word == state.value, "our state is the bank's", f"{reference} {state} {entry.final}")


async def _run(plan: Plan, parts: Parts, outcome: Outcome) -> None:
    clock = FakeClock()
    banks: dict[str, SimBank] = {}
    oracle = Oracle(lambda bank, reference: banks[bank].holds(reference))
    entropy = stream(plan.seed, "entropy")
    began_s = trio.current_time()
    try:
        async with AsyncExitStack() as stack:
            memory = MemoryStore(clock)
            disk: MemoryDisk | LmdbDisk = MemoryDisk(memory, clock, parts.quarantined)
            if plan.lmdb:
                folder = stack.enter_context(tempfile.TemporaryDirectory())
                disk = await stack.enter_async_context(LmdbDisk(Path(folder), clock, oracle.committed))
            async with trio.open_nursery() as nursery:
                world = World(plan, parts, nursery, clock, oracle, outcome.faults, memory, disk, entropy, banks)
                world.found()
                nursery.start_soon(_stop, oracle)
                await world.live()
                payments = await world.reckon()
                outcome.states.update(one.state.value for one in payments)
                nursery.cancel_scope.cancel()
            outcome.processes = world.processes
    except* Violated:
        pass  # the oracle has it
    outcome.payments, outcome.steps, outcome.checks = len(oracle.lives), Counter(oracle.steps), oracle.checks
    outcome.simulated_s = trio.current_time() - began_s
    outcome.digest = oracle.digest()
    outcome.broken = oracle.broken[0] if oracle.broken else ""


async def _stop(oracle: Oracle) -> None:
    """Ends the run with the first violation, also one that the house has swallowed."""
    await oracle.stop.wait()
    raise Violated(oracle.broken[0])


def run(plan: Plan, parts: Parts | None = None) -> Outcome:
    """Lives through a plan. A defect that is no violation (an exception out of the house) is told as one."""
    outcome = Outcome(plan.seed, lmdb=plan.lmdb)
    began_s = time.perf_counter()
    try:
        run_seeded(plan.seed, partial(_run, plan, parts or Parts(), outcome))
    except Exception as error:  # whatever it is, the seed that found it must be told
        outcome.broken = outcome.broken or "the house fell: " + "; ".join(_leaves(error))
    outcome.real_s = time.perf_counter() - began_s
    return outcome


def _leaves(error: BaseException) -> Sequence[str]:
    if isinstance(error, BaseExceptionGroup):
        return [text for one in error.exceptions for text in _leaves(one)]
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    where = f" ({Path(last.tb_frame.f_code.co_filename).name}:{last.tb_lineno})" if last else ""
    return [f"{type(error).__name__}: {error}{where}"]
