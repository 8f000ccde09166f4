"""Defects to put into a run, so that the oracle is proved able to find them. Each is what somebody might well write."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from gateway.core import happenings
from gateway.core.errors import MaybeSent, NotSent
from gateway.core.facts import StoreHappening, StoreKind
from gateway.core.payment import Payment
from gateway.core.ports import (
    Admission,
    Admitted,
    LinkSnapshot,
    Step,
    Stepped,
    Store,
    WallClock,
    WireAnswer,
    WireRequest,
    always,
)
from gateway.core.reasons import Reason
from gateway.core.states import Kind, State
from gateway.house import Bank
from gateway.store.recover import recover
from gateway.store.restore import Told
from gateway.store.store import LmdbStore
from tests.fakes.bank import FakeAdapter
from tests.sim.link import SimLink
from tests.sim.store import SimStore


@dataclass(slots=True)
class HopefulLink:
    """Takes an exchange that may have arrived for one that did not."""

    inner: SimLink

    def snapshot(self) -> LinkSnapshot:
        return self.inner.snapshot()

    async def exchange(
        self, request: WireRequest, *, timeout_s: float, wanted: Callable[[], bool] = always
    ) -> WireAnswer:
        try:
            return await self.inner.exchange(request, timeout_s=timeout_s, wanted=wanted)
        except MaybeSent as error:
            raise NotSent(Reason.CONNECT_FAILED) from error


@dataclass(slots=True)
class HeedlessLink:
    """Sends what is not wanted any more."""

    inner: SimLink

    def snapshot(self) -> LinkSnapshot:
        return self.inner.snapshot()

    async def exchange(
        self, request: WireRequest, *, timeout_s: float, wanted: Callable[[], bool] = always
    ) -> WireAnswer:
        return await self.inner.exchange(request, timeout_s=timeout_s)


class EagerStore(SimStore):
    """Acknowledges before the commit."""

    async def admit(self, admissions: Sequence[Admission]) -> list[Admitted]:
        self._handed_over(lambda: [self._admit(one) for one in admissions])
        return [Admitted(one.payment) for one in admissions]


class ForgetfulStore(SimStore):
    """Lets a key expire at once."""

    def _admit(self, admission: Admission) -> Admitted:
        self._keys.pop((admission.payment.tenant, admission.payment.instruction.idempotency_key), None)
        return super()._admit(admission)


class DeafStore(SimStore):
    """Lets a lane send what it was refused to mark."""

    async def take(self, steps: Sequence[Step]) -> list[Stepped]:
        answers = await super().take(steps)
        marks = [step.happening is not None and step.happening.kind is Kind.MARKED for step in steps]
        return [replace(one, taken=one.taken or mark) for one, mark in zip(answers, marks, strict=True)]


class LateStore(SimStore):
    """Commits the mark while the message is already on its way."""

    async def take(self, steps: Sequence[Step]) -> list[Stepped]:
        if not all(step.happening is not None and step.happening.kind is Kind.MARKED for step in steps):
            return await super().take(steps)
        self._handed_over(lambda: [self._take(one) for one in steps])
        return [Stepped(self._payments[step.payment_id], taken=True) for step in steps]


class LossyStore(SimStore):
    """Changes a record now and then without its fact."""

    def _take(self, one: Step) -> Stepped:
        stepped = super()._take(one)
        marked = one.happening is not None and one.happening.kind is Kind.MARKED
        if stepped.taken and not marked and self._hazards.dice.random() < 0.1:
            self._facts.pop()
        return stepped


async def recover_by_sending_again(store: Store, clock: WallClock, inquire_after_s: float) -> object:
    """Takes what was cut off for what was never sent."""

    def again(payment: Payment) -> Step:
        return Step(payment.id, happening=happenings.not_sent(Reason.NEVER_WRITTEN, clock.now_ns()))

    return await store.take([again(one) for one in await store.in_state(State.SENDING, limit=1_000)])


async def believe_the_backup(store: LmdbStore, manifest: bytes, clock: WallClock, actor: str, told: Told) -> object:
    """Takes for unsent what was unsent when the backup was taken."""
    await store.log([StoreHappening(StoreKind.RESTORED, actor=actor, evidence=manifest)])
    return await recover(store, clock, 0.0)


def impatient(bank: Bank) -> Bank:
    """Believes a denial from the first second on."""
    if not isinstance(bank.adapter, FakeAdapter):
        return bank
    declaration = replace(bank.adapter.declaration, visibility_s=0.0, not_found_is_proof=True)
    return replace(bank, adapter=FakeAdapter(declaration))


def nagging(bank: Bank) -> Bank:
    """Asks without a budget."""
    policy = bank.profile.inquiry.model_copy(update={"per_payment_max": 100, "again_after_s": 5.0})
    return replace(bank, profile=bank.profile.model_copy(update={"inquiry": policy}))


def crowding(bank: Bank) -> Bank:
    """Knows no bound on messages in flight."""
    lane = bank.profile.lane.model_copy(update={"in_flight_max": 100})
    return replace(bank, profile=bank.profile.model_copy(update={"lane": lane}))
