"""Where a scenario plays: the simulator's house and oracle, one process at a time, with nothing left to chance."""

import random
from collections import Counter
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from typing import Any, Final

import trio

from gateway.config import CollectPolicy, InquiryPolicy, LanePolicy
from gateway.core import happenings
from gateway.core.decisions import Act
from gateway.core.errors import BankUnknown, InvalidInstruction, KeyReused, Quarantined
from gateway.core.facts import Fact
from gateway.core.payment import Instruction, Money, Payment, Principal
from gateway.core.ports import Admitted, Step, Stepped
from gateway.core.states import State
from gateway.events.watch import watch
from gateway.house import Bank, House
from gateway.intake.draft import Draft
from gateway.journey import accept
from tests.fakes.bank import DECLARATION
from tests.fakes.clock import FakeClock
from tests.fakes.house import profile
from tests.fakes.memory_store import MemoryStore
from tests.fakes.payments import instruction
from tests.scenarios.bank import Script, ToldBank
from tests.sim.link import SimLink
from tests.sim.oracle import Oracle, Seen
from tests.sim.process import Gone, Process, recover_as_daemon
from tests.sim.quiet import QuietTrail
from tests.sim.store import Hazards, SimStore
from tests.sim.tongue import Plain

MOMENT_S: Final = 2.0
"""What a line takes that waits for what it caused: commits, the lane, an answer at once."""
SETTINGS: Final[dict[str, Any]] = {
    "in_flight_max": 8,
    "request_timeout_s": 10.0,
    "retry_max_s": 60.0,
    "breaker_failures": 5,
    "breaker_open_s": 30.0,
    "bulk_lines_max": 1,
    "first_after_s": 90.0,
    "again_after_s": 1200.0,
    "per_payment_max": 3,
    "per_second_max": 5.0,
    "follow_after_s": 3600.0,
    "follow_max": 2,
    "every_s": 30.0,
    "visibility_s": 60.0,
    "duplicate_window_s": 0,
    "inquiry": True,
    "not_found_is_proof": True,
}
"""What a `set` line may change, with what holds otherwise."""


@dataclass(slots=True)
class Stage:
    nursery: trio.Nursery
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    clock: FakeClock = field(default_factory=FakeClock)
    oracle: Oracle = field(init=False)
    disk: MemoryStore = field(init=False)
    banks: dict[str, ToldBank] = field(default_factory=dict)
    ordered: dict[str, tuple[str, Instruction]] = field(default_factory=dict)
    """Name in the script → (tenant, instruction)."""
    watchers: dict[str, Seen] = field(default_factory=dict)
    listening: dict[str, trio.CancelScope] = field(default_factory=dict)
    process: Process | None = None
    hazards: Hazards = field(default_factory=lambda: Hazards(Script(), Counter()))

    def __post_init__(self) -> None:
        self.disk = MemoryStore(self.clock)
        self.oracle = Oracle(lambda bank, reference: self.banks[bank].holds(reference))
        for name in ("northbank", "southbank"):
            self.settings[name] = dict(SETTINGS)

    # ------------------------------------------------------------ the daemon

    async def start(self) -> None:
        if self.process is not None:
            return
        for name in self.settings:
            if name not in self.banks:
                self.banks[name] = self._founded(name)
        store = SimStore(self.clock, self.disk, self.hazards, self.oracle.committed, self.crash)
        dice = random.Random(7)
        entropy = random.Random(len(self.oracle.log)).randbytes
        banks = {name: self._bank(name) for name in self.settings}
        house = House(store, self.clock, QuietTrail(), banks, entropy, dice)
        self.process = Process(house, store, recover_as_daemon, lambda: self.oracle.started(self.durable))
        self.nursery.start_soon(self.process.run)
        await self.process.up.wait()

    def _founded(self, name: str) -> ToldBank:
        told = self.settings[name]
        declared = {key: told[key] for key in ("visibility_s", "duplicate_window_s", "inquiry", "not_found_is_proof")}
        declaration = replace(DECLARATION, **declared)
        return ToldBank(
            name=name,
            tongue=Plain(declaration),
            dice=Script(),
            faults=Counter(),
            weights={},
            visibility_s=told["visibility_s"],
            nursery=self.nursery,
            booked=self.oracle.booked,
            inquired=self.oracle.inquired,
        )

    def _bank(self, name: str) -> Bank:
        told = self.settings[name]
        self.oracle.inquiries_max[name] = told["per_payment_max"]

        def section(kind: Any) -> Any:
            return kind(**{key: value for key, value in told.items() if key in kind.model_fields})

        of_bank = profile(
            name, lane=section(LanePolicy), inquiry=section(InquiryPolicy), collect=section(CollectPolicy)
        )
        bank = self.banks[name]
        link = SimLink(bank, partial(self._leaving, name), told["in_flight_max"], self.oracle.must)
        return Bank(of_bank, bank.tongue.adapter, link)

    def crash(self) -> None:
        if self.process is not None:
            self.process.crash()
            self.process = None

    async def stop(self) -> None:
        """SIGTERM: drains."""
        if self.process is not None:
            await self.process.drain()
            self.process = None

    def _leaving(self, bank: str, references: list[str], body: bytes) -> None:
        durable = [self.durable(self.oracle.by_wire.get((bank, one), b"")) for one in references]
        self.oracle.leaving(bank, references, durable, body)

    # ------------------------------------------------------------ clients

    async def pay(self, name: str, amount: str, currency: str, bank: str, tenant: str = "acme") -> str:
        order = instruction(
            len(self.ordered) + 1,
            idempotency_key=name,
            end_to_end_id=f"E2E-{name}",
            amount=Money(currency, Decimal(amount)),
            bank=bank,
        )
        self.ordered.setdefault(name, (tenant, order))
        return await self.submit(tenant, order)

    async def again(self, name: str, amount: str = "", tenant: str = "") -> str:
        """The same key once more: with the same content, or another amount, or of another tenant."""
        first, order = self.ordered[name]
        if amount:
            order = replace(order, amount=Money(order.amount.currency, Decimal(amount)))
        return await self.submit(tenant or first, order)

    async def submit(self, tenant: str, order: Instruction) -> str:
        """What the client is told, then the state a moment later."""
        assert self.process is not None, "the daemon is not running"
        who = Principal(f"erp.{tenant}", tenant)
        try:
            answer = (await self.process.call(lambda house: accept(house, who, [Draft(order)], "")))[0]
        except Gone:
            return "no answer"
        match answer:
            case KeyReused():
                return "IDEMPOTENCY_KEY_REUSED"
            case InvalidInstruction():
                return "INVALID " + " ".join(sorted(one.field.rpartition(".")[2] for one in answer.violations))
            case BankUnknown():
                return "BANK_UNKNOWN"
            case Quarantined():
                return "QUARANTINED"
            case Admitted():
                self.oracle.answered(tenant, order.idempotency_key, answer.payment, replay=answer.replay)
        await trio.sleep(MOMENT_S)
        if answer.replay:
            return "replay"
        stored = self.durable(answer.payment.id)
        return stored.state.value if stored else "lost"

    async def cancel(self, name: str) -> str:
        """As CancelPayment does."""
        assert self.process is not None, "the daemon is not running"
        payment = self.payment(name)

        async def take(house: House) -> list[Stepped]:
            return await house.store.take([Step(payment.id, happening=happenings.cancelled("erp.acme"))])

        stepped = (await self.process.call(take))[0]
        cancelled = stepped.payment is not None and stepped.payment.state is State.CANCELLED
        return "CANCELLED" if cancelled else "too late"

    async def act(self, name: str, act: Act) -> str:
        """One person's act about a doubt: the state a moment later, or why it was not taken."""
        assert self.process is not None, "the daemon is not running"
        payment = self.payment(name)

        async def take(house: House) -> list[Stepped]:
            return await house.store.take([Step(payment.id, act=act)])

        stepped = (await self.process.call(take))[0]
        await trio.sleep(MOMENT_S)
        return self.payment(name).state.value if stepped.taken else str(stepped.objection)

    # ------------------------------------------------------------ watchers

    async def watch(self, name: str, tenant: str, after: int) -> None:
        assert self.process is not None, "the daemon is not running"
        seen = self.watchers.setdefault(name, Seen(self.oracle, tenant))
        self.listening[name] = trio.CancelScope()
        self.nursery.start_soon(self._listen, self.process, seen, after, self.listening[name])
        await trio.sleep(MOMENT_S)

    async def _listen(self, process: Process, seen: Seen, after: int, scope: trio.CancelScope) -> None:
        async def follow(house: House) -> None:
            everything = frozenset[bytes]()
            pages = watch(process.feed, seen.tenant, after, payment_ids=everything, states=frozenset(), bank="")
            told: dict[bytes, int] = {}
            async with aclosing(pages):
                async for facts, _ in pages:
                    seen.told(facts, told)

        with scope:
            try:
                await process.call(follow)
            except Gone:
                pass  # the daemon went down; the scenario says when the watcher comes back

    # ------------------------------------------------------------ what there is

    def durable(self, payment_id: bytes) -> Payment | None:
        return self.disk._payments.get(payment_id)

    def payment(self, name: str) -> Payment:
        payment = self.durable(self.disk._keys.get((self.ordered[name][0], name), b""))
        assert payment is not None, f"{name} is not stored"
        return payment

    def facts(self, name: str) -> list[Fact]:
        payment_id = self.payment(name).id
        return [fact for fact in self.disk._facts if fact.payment_id == payment_id]
