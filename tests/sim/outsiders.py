"""Who deals with the daemon from outside: clients that retry, cancel and reuse keys, and watchers that come back."""

import random
from collections import Counter
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Final, Protocol

import trio

from gateway.core import happenings
from gateway.core.errors import InvalidInstruction, KeyReused, Overloaded, Quarantined
from gateway.core.payment import Instruction, Money, Principal
from gateway.core.ports import Admitted, Step, Stepped
from gateway.core.states import State
from gateway.events.watch import watch
from gateway.house import House
from gateway.intake.draft import Draft
from gateway.journey import Refusal, accept
from tests.fakes.payments import instruction
from tests.sim.oracle import Oracle, Seen
from tests.sim.process import Gone, Process

TRIES_MAX: Final = 1_000
"""Of a client that gets no answer."""
PATIENCE_S: Final = (0.005, 0.02, 5.0, 30.0)
"""How long a client waits before it hangs up; the short ones hang up in the middle of a commit."""


class Operated(Protocol):
    """What outsiders see of the operator: the process of the moment."""

    @property
    def process(self) -> Process: ...

    restores: int
    """How often the disk was lost so far."""

    @property
    def lost(self) -> set[tuple[str, str]]:
        """(tenant, key) of what was acknowledged after the backup and lost: its clients are told, and compare."""
        ...


class ToldToWait(Exception):
    """The house is in quarantine, or has lost this order: who hands it in again might pay twice (docs/backup.md)."""


@dataclass(frozen=True, slots=True)
class Habits:
    """Chances, per instruction."""

    hang_up: float
    replay: float
    reuse_key: float
    cancel: float
    invalid: float
    unsayable: float
    defects: tuple[str, ...]
    """Remittances that nobody can say, for want of a better adapter: officers must be there to end them."""
    batch_max: int
    pause_s_max: float


@dataclass(slots=True)
class Client:
    """One client of one tenant. It goes on asking with the same key until it has an answer."""

    principal: Principal
    numbers: range
    banks: Sequence[str]
    operated: Operated
    oracle: Oracle
    dice: random.Random
    faults: Counter[str]
    habits: Habits
    taken_back: set[bytes] = field(default_factory=set)
    """Payments whose cancellation was confirmed."""

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            numbers = list(self.numbers)
            while numbers:
                await trio.sleep(self.dice.random() * self.habits.pause_s_max)
                size = self.dice.randint(1, self.habits.batch_max)
                nursery.start_soon(self._order, [self._instruction(number) for number in numbers[:size]])
                del numbers[:size]

    def _instruction(self, number: int) -> Instruction:
        unsayable = self.dice.random() < self.habits.unsayable
        return instruction(
            number,
            bank=self.dice.choice(self.banks),
            amount=Money("EUR", Decimal(self.dice.randint(1, 99_999)) / 100),
            remittance=self.dice.choice(("unsayable", *self.habits.defects)) if unsayable else f"Invoice {number}",
        )

    async def _order(self, orders: list[Instruction]) -> None:
        try:
            await self._deal(orders)
        except ToldToWait:
            self.faults["client_told_to_wait"] += 1

    async def _deal(self, orders: list[Instruction]) -> None:
        await self._submit(orders)
        if self._strikes("replay", self.habits.replay):
            await trio.sleep(self.dice.random() * 3600)
            await self._submit(orders)
        if self._strikes("reuse_key", self.habits.reuse_key):
            await self._reuse(self.dice.choice(orders))
        if self._strikes("cancel", self.habits.cancel):
            await trio.sleep(self.dice.choice((0.0, 0.05, 1.0, 600.0)) * self.dice.random())
            await self._cancel(self.dice.choice(orders))
        if self._strikes("invalid", self.habits.invalid):
            nothing = replace(
                orders[0], idempotency_key=orders[0].idempotency_key + "x", amount=Money("EUR", Decimal(0))
            )
            answers = await self._answers([nothing])
            self.oracle.must(isinstance(answers[0], InvalidInstruction), "an invalid instruction is refused", answers)

    async def _submit(self, orders: list[Instruction]) -> None:
        for order, answer in zip(orders, await self._answers(orders), strict=True):
            key = order.idempotency_key
            self.oracle.must(isinstance(answer, Admitted), "a valid instruction is admitted", f"{key}: {answer!r}")
            assert isinstance(answer, Admitted)
            self.oracle.answered(self.principal.tenant, key, answer.payment, replay=answer.replay)
            self.oracle.must(
                answer.payment.instruction.amount == order.amount, "the payment is what was ordered (law 2)", key
            )

    async def _reuse(self, order: Instruction) -> None:
        other = replace(order, amount=Money("EUR", order.amount.value + 1))
        answers = await self._answers([other])
        self.oracle.must(isinstance(answers[0], KeyReused), "a key belongs to one content (law 2)", answers)

    async def _answers(self, orders: list[Instruction]) -> list[Admitted | Refusal]:
        """Asks until there is an answer: a lost one says nothing."""
        drafts, restores = [Draft(order) for order in orders], self.operated.restores
        for tries in range(TRIES_MAX):
            patience_s = self.dice.choice(PATIENCE_S) if self._strikes("hang_up", self.habits.hang_up) else 600.0
            lost = any((self.principal.tenant, order.idempotency_key) in self.operated.lost for order in orders)
            if lost or self.operated.restores > restores:
                raise ToldToWait
            try:
                with trio.move_on_after(patience_s):
                    answers = await self.operated.process.call(lambda house: accept(house, self.principal, drafts, ""))
                    if any(isinstance(answer, Quarantined) for answer in answers):
                        raise ToldToWait
                    return answers
            except (Gone, Overloaded):
                self.faults["retry"] += 1
            await trio.sleep(self.dice.uniform(0.1, min(600.0, 2.0**tries)))
        raise AssertionError("nobody answers")

    async def _cancel(self, order: Instruction) -> None:
        """As CancelPayment does. Too late is an answer, too."""
        payment_id = self.oracle.acknowledged.get((self.principal.tenant, order.idempotency_key))
        if payment_id is None:
            return  # lost with the disk meanwhile

        async def take(house: House) -> list[Stepped]:
            return await house.store.take([Step(payment_id, happening=happenings.cancelled(self.principal.name))])

        try:
            stepped = (await self.operated.process.call(take))[0]
        except Gone:
            return
        if stepped.taken or (stepped.payment and stepped.payment.state is State.CANCELLED):
            self.taken_back.add(payment_id)

    def _strikes(self, fault: str, chance: float) -> bool:
        struck = self.dice.random() < chance
        self.faults[fault] += struck
        return struck


@dataclass(slots=True)
class Watcher:
    """Follows one tenant over any number of connections, each from where the last one was, or from before that."""

    tenant: str
    operated: Operated
    seen: Seen
    dice: random.Random
    faults: Counter[str]
    lag_max: int
    calm: bool = False
    position: int = 0

    async def run(self) -> None:
        while True:
            try:
                await self.operated.process.call(self._follow)
            except (Gone, Overloaded):
                self.faults["watcher_cut_off"] += 1
            await trio.sleep(self.dice.random() * 30)
            if self.dice.random() < 0.3 and self.position:
                self.faults["watcher_resumes_earlier"] += 1
                self.position = max(0, self.position - self.dice.randint(1, self.lag_max))

    async def _follow(self, house: House) -> None:
        everything = frozenset[bytes]()
        feed = self.operated.process.feed
        patience_s = 1e9 if self.calm else self.dice.choice((1.0, 60.0, 7200.0)) * self.dice.random()
        pages = watch(feed, self.tenant, self.position, payment_ids=everything, states=frozenset(), bank="")
        told: dict[bytes, int] = {}
        async with aclosing(pages):
            with trio.move_on_after(patience_s):
                async for facts, looked_at in pages:
                    self.seen.told(facts, told)
                    self.position = looked_at
                    if not self.calm and self.dice.random() < 0.1:
                        await trio.sleep(self.dice.random() * 5)  # a slow reader
