"""People of the house: two who end doubts, officers who hold and release, and who ends a quarantine."""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import trio

from gateway.core.decisions import Confirming, Proposing
from gateway.core.payment import Payment
from gateway.core.ports import Step
from gateway.core.proposal import Decision
from gateway.core.states import State
from gateway.house import House
from tests.sim.oracle import Oracle
from tests.sim.outsiders import Operated
from tests.sim.process import Gone

DOUBTS_MAX: Final = 100
"""Doubts two people look at in one sitting."""
SITTING_S_MAX: Final = 600.0
"""Longest from a proposal to its confirmation."""


@dataclass(slots=True)
class Clerks:
    """Two people who end doubts that nobody asks about any more. They look into the bank's own portal, so what they say
    is true; now and then one of them tries it alone."""

    operated: Operated
    holds: Callable[[str, str], bool]
    oracle: Oracle
    dice: random.Random
    faults: Counter[str]
    every_s: float
    gone_home: bool = False

    async def run(self) -> None:
        while True:
            await trio.sleep(self.dice.random() * self.every_s)
            if self.gone_home:
                return
            try:
                await self.operated.process.call(self._look)
            except Gone:
                self.faults["clerk_cut_off"] += 1

    async def _look(self, house: House) -> None:
        async with trio.open_nursery() as sitting:
            for payment in await house.store.in_state(State.IN_DOUBT, limit=DOUBTS_MAX):
                if payment.inquire_at_ns == 0 and self.dice.random() < 0.5:
                    sitting.start_soon(self._decide, house, payment)

    async def _decide(self, house: House, payment: Payment) -> None:
        held = self.holds(payment.instruction.bank, payment.wire_reference)
        decision = Decision.HELD_BY_BANK if held else self.dice.choice((Decision.NOT_HELD, Decision.ABANDONED))
        [proposed] = await house.store.take([Step(payment.id, act=Proposing(decision, "ann", "seen in the portal"))])
        open_one = proposed.payment.proposal if proposed.payment else None
        if not proposed.taken or open_one is None:
            return
        if self._strikes("confirms_own", 0.3):
            own = Step(payment.id, act=Confirming(open_one.digest, "ann", "me again"))
            self.oracle.must(
                not (await house.store.take([own]))[0].taken, "nobody confirms their own (law 9)", payment.id
            )
        await trio.sleep(self.dice.random() * SITTING_S_MAX)  # the other one has to be found; evidence may come first
        self.faults["decided_by_two"] += 1
        await house.store.take([Step(payment.id, act=Confirming(open_one.digest, "bob", "seen, too"))])

    def _strikes(self, fault: str, chance: float) -> bool:
        struck = self.dice.random() < chance
        self.faults[fault] += struck
        return struck
