"""People of the house: two who end doubts, officers who hold and release, and who ends a quarantine."""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, cast

import trio

from causeway.v1.quarantine_service_pb2 import EndQuarantineRequest
from gateway.core import happenings
from gateway.core.decisions import Confirming, Proposing
from gateway.core.happenings import Happening
from gateway.core.payment import Payment, Principal
from gateway.core.ports import Step
from gateway.core.proposal import Decision
from gateway.core.roles import Role
from gateway.core.states import ENDS, Kind, State
from gateway.house import House
from gateway.ingress.call import Call
from gateway.ingress.principals import Principals
from gateway.ingress.quarantine import QuarantineService
from gateway.rpc.status import RpcError
from tests.sim.oracle import Oracle
from tests.sim.outsiders import Operated
from tests.sim.process import Gone

DOUBTS_MAX: Final = 100
"""Doubts two people look at in one sitting."""
LIST_MAX: Final = 50
"""Payments an officer looks at in one go."""
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
    earnest: bool = False
    """Whether they let no doubt lie that nobody asks about any more: somebody waits for the end of a quarantine."""
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
                if payment.inquire_at_ns == 0 and (self.earnest or self.dice.random() < 0.5):
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


@dataclass(slots=True)
class Officers:
    """Compliance: they place holds and release them, each looking at a list that may be old, and refuse what is theirs
    to refuse. Gone home, they place nothing and let nothing lie."""

    operated: Operated
    oracle: Oracle
    dice: random.Random
    faults: Counter[str]
    every_s: float
    gone_home: bool = False

    async def run(self) -> None:
        while True:
            await trio.sleep(self.dice.random() * self.every_s)
            try:
                await self.operated.process.call(self._look)
            except Gone:
                self.faults["officer_cut_off"] += 1

    async def _look(self, house: House) -> None:
        queued = [] if self.gone_home else await house.store.in_state(State.QUEUED, limit=LIST_MAX)
        held = await house.store.in_state(State.HELD, limit=LIST_MAX)
        await trio.sleep(self.dice.choice((0.0, 0.05, 60.0)) * self.dice.random())  # the list grows old
        for payment in queued:
            if self.dice.random() < 0.3:
                await self._act(house, payment, self._placed())
        for payment in held:
            if self.gone_home or self.dice.random() < 0.7:
                await self._act(house, payment, self._decided(payment))

    def _placed(self) -> Happening:
        if self.dice.random() < 0.1:
            return Happening(Kind.EXPIRED, actor="cleo")
        hold = self.dice.choice(("sanctions", "risk", "operator"))
        return Happening(Kind.HOLD_PLACED, holds=(hold,), actor="cleo")

    def _decided(self, payment: Payment) -> Happening:
        """By what the list shows of its holds: the house refuses it where there are others by now."""
        choice = self.dice.random()
        if choice < 0.2 or "adapter_defect" in payment.holds:
            kind = self.dice.choice((Kind.REFUSED, Kind.EXPIRED, Kind.CANCELLED))
            return Happening(kind, actor="cleo")
        if choice < 0.4 and not self.gone_home:
            return self._placed()
        if len(payment.holds) > 1:
            return Happening(Kind.HOLD_RELEASED, holds=payment.holds[:1], actor="cleo")
        return Happening(Kind.HOLDS_CLEARED, holds=payment.holds, actor="cleo")

    async def _act(self, house: House, payment: Payment, happening: Happening) -> None:
        [stepped] = await house.store.take([Step(payment.id, happening=happening)])
        self.faults[f"officer_{happening.kind.value}" if stepped.taken else "officer_too_late"] += 1


@dataclass(slots=True)
class Restorer:
    """The operator after a restore: has what was cancelled after the backup cancelled again, and ends the quarantine
    once the house lets it."""

    operated: Operated
    dice: random.Random
    faults: Counter[str]
    cancel_again: set[bytes] = field(default_factory=set)
    """Payments whose cancellation was confirmed after the backup: lost with the disk, and told by their clients."""
    gone_home: bool = False

    async def run(self) -> None:
        while True:
            await trio.sleep(self.dice.random() * 600)
            try:
                await self.operated.process.call(self._end)
            except Gone:
                self.faults["operator_cut_off"] += 1

    async def _end(self, house: House) -> None:
        if not house.quarantine.active or await self._uncancelled(house):
            return
        service = QuarantineService(house, cast(Principals, Anyone()))
        try:
            await service.EndQuarantine(EndQuarantineRequest(note="compared with the statements"), cast(Call, NoCall()))
        except RpcError:
            self.faults["quarantine_undecided"] += 1
        else:
            self.faults["quarantine_ended"] += 1

    async def _uncancelled(self, house: House) -> bool:
        """Whether something is still to be cancelled again; one in doubt cannot be yet."""
        steps = [Step(one, happening=happenings.cancelled("erp")) for one in sorted(self.cancel_again)]
        for stepped in await house.store.take(steps):
            assert stepped.payment is not None
            if stepped.payment.state in ENDS or stepped.payment.state is State.ACCEPTED:
                self.cancel_again.discard(stepped.payment.id)
        return bool(self.cancel_again)


class Anyone:
    """Principals who all may do it."""

    def with_role(self, certificate: bytes | None, role: Role) -> Principal:
        return Principal("bea", "house", frozenset({role}))


class NoCall:
    peer_certificate = None
