"""A Store in memory with the semantics of the real one; tests/contract holds both to the same claims.

Every write is "durable" when it returns, and is its own commit. Nothing is lost but by the end of the process.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

import trio

from gateway import limits
from gateway.core import happenings
from gateway.core.facts import Fact
from gateway.core.happenings import Happening
from gateway.core.life import after as after_happening
from gateway.core.life import fact
from gateway.core.outcome import concluded
from gateway.core.payment import Payment
from gateway.core.ports import (
    Admission,
    Admitted,
    CommitListener,
    LaneCounts,
    PaymentFilter,
    Step,
    Stepped,
    WallClock,
)
from gateway.core.states import IllegalStep, Kind, State, step
from gateway.store.matching import matches


class MemoryStore:
    """For the tests of other rooms. `failed` is never set unless a test sets it."""

    def __init__(self, clock: WallClock) -> None:
        self.failed = trio.Event()
        self._clock = clock
        self._payments: dict[bytes, Payment] = {}
        self._keys: dict[tuple[str, str], bytes] = {}
        self._wires: dict[tuple[str, str], bytes] = {}
        self._facts: list[Fact] = []
        self.evidence_kept: dict[bytes, bytes] = {}
        self._cursors: dict[str, str] = {}
        self._listeners: list[CommitListener] = []

    # ------------------------------------------------------------ writes

    async def admit(self, admissions: Sequence[Admission]) -> list[Admitted]:
        for admission in admissions:
            _check(admission)
        await trio.lowlevel.checkpoint()
        told = len(self._facts)
        answers = [self._admit(admission) for admission in admissions]
        self._tell(told)
        return answers

    def _admit(self, admission: Admission) -> Admitted:
        payment = admission.payment
        key = (payment.tenant, payment.instruction.idempotency_key)
        if key in self._keys:
            first = self._payments[self._keys[key]]
            same = first.fingerprint == payment.fingerprint
            return Admitted(first, replay=same, key_reused=not same)
        if payment.id in self._payments:
            raise ValueError("a payment id is given to two instructions")
        self._keys[key] = payment.id
        self._log(payment, payment.state, happenings.received())
        for happening in admission.then:
            payment = self._step(payment, happening)
        self._payments[payment.id] = payment
        return Admitted(payment)

    async def take(self, steps: Sequence[Step]) -> list[Stepped]:
        await trio.lowlevel.checkpoint()
        told = len(self._facts)
        answers = [self._take(one) for one in steps]
        self._tell(told)
        return answers

    def _take(self, one: Step) -> Stepped:
        payment = self._payments.get(one.payment_id or self._wires.get(one.wire, b""))
        if payment is None:
            return Stepped(None, taken=False)
        happening = one.happening
        if one.expected_version not in (0, payment.version):
            return Stepped(payment, taken=False)
        if happening is None:
            assert one.outcome is not None
            happening = concluded(payment, one.outcome, self._clock.now_ns(), inquire_at_ns=one.inquire_at_ns)
        if happening is None or not self._has_reference(payment, happening):
            return Stepped(payment, taken=False)
        try:
            moved = self._step(payment, happening)
        except IllegalStep:
            return Stepped(payment, taken=False)
        self._payments[moved.id] = moved
        return Stepped(moved, taken=True)

    def _has_reference(self, payment: Payment, happening: Happening) -> bool:
        attempt = happening.attempt
        if happening.kind is not Kind.MARKED or attempt is None:
            return True
        return self._wires.get((attempt.bank, attempt.wire_reference), payment.id) == payment.id

    def _step(self, payment: Payment, happening: Happening) -> Payment:
        moved = after_happening(payment, happening, self._clock.now_ns())
        if happening.evidence:
            happening = replace(happening, evidence=happening.evidence[: limits.EVIDENCE_BYTES_MAX])
            self.evidence_kept[hashlib.sha256(happening.evidence).digest()] = happening.evidence
        if happening.kind is Kind.MARKED and happening.attempt is not None:
            self._wires[happening.attempt.bank, happening.attempt.wire_reference] = payment.id
        self._log(moved, payment.state, happening)
        return moved

    def _log(self, payment: Payment, before: State, happening: Happening) -> None:
        self._facts.append(fact(payment, before, happening, len(self._facts) + 1))

    def _tell(self, since: int) -> None:
        new = self._facts[since:]
        for told in self._listeners if new else ():
            told(new)

    async def set_cursor(self, bank: str, cursor: str, kept: Sequence[bytes] = ()) -> None:
        await trio.lowlevel.checkpoint()
        self._cursors[bank] = cursor
        self.evidence_kept.update({hashlib.sha256(document).digest(): document for document in kept})

    def on_commit(self, told: CommitListener) -> None:
        self._listeners.append(told)

    # ------------------------------------------------------------ one payment

    async def get(self, payment_id: bytes) -> Payment | None:
        await trio.lowlevel.checkpoint()
        return self._payments.get(payment_id)

    async def get_many(self, payment_ids: Sequence[bytes]) -> list[Payment | None]:
        await trio.lowlevel.checkpoint()
        return [self._payments.get(payment_id) for payment_id in payment_ids]

    async def by_key(self, tenant: str, idempotency_key: str) -> Payment | None:
        return await self.get(self._keys.get((tenant, idempotency_key), b""))

    async def by_wire(self, bank: str, wire_reference: str) -> Payment | None:
        return await self.get(self._wires.get((bank, wire_reference), b""))

    async def by_end_to_end_id(self, tenant: str, end_to_end_id: str, limit: int) -> list[Payment]:
        which = PaymentFilter(tenant=tenant, end_to_end_id=end_to_end_id)
        await trio.lowlevel.checkpoint()
        return [payment for payment in self._in_order() if matches(which, payment)][:limit]

    # ------------------------------------------------------------ lists

    def _in_order(self, after: bytes = b"") -> list[Payment]:
        return [self._payments[payment_id] for payment_id in sorted(self._payments) if payment_id > after]

    async def page(self, which: PaymentFilter, *, after: bytes = b"", limit: int) -> tuple[list[Payment], bytes]:
        await trio.lowlevel.checkpoint()
        found: list[Payment] = []
        for looked, payment in enumerate(self._in_order(after)):
            if looked == limits.PAGE_SCAN_MAX or len(found) == limit:
                return found, after
            after = payment.id
            if matches(which, payment):
                found.append(payment)
        return found, after if len(found) == limit else b""

    async def due(self, bank: str, now_ns: int, limit: int) -> list[Payment]:
        await trio.lowlevel.checkpoint()
        ripe = [payment for payment in self._queued(bank) if payment.send_after_ns <= now_ns]
        return sorted(ripe, key=lambda payment: (payment.send_after_ns or payment.received_at_ns, payment.id))[:limit]

    async def next_due_ns(self, bank: str, after_ns: int) -> int:
        await trio.lowlevel.checkpoint()
        waits = [payment.send_after_ns for payment in self._queued(bank) if payment.send_after_ns > after_ns]
        return min(waits, default=0)

    def _queued(self, bank: str) -> list[Payment]:
        return [p for p in self._in_order() if p.state is State.QUEUED and p.instruction.bank == bank]

    async def inquiries_due(self, bank: str, now_ns: int, limit: int) -> list[Payment]:
        await trio.lowlevel.checkpoint()
        ripe = [payment for payment in self._planned(bank) if payment.inquire_at_ns <= now_ns]
        return sorted(ripe, key=lambda payment: payment.state is not State.IN_DOUBT)[:limit]

    async def next_inquiry_ns(self, bank: str) -> int:
        await trio.lowlevel.checkpoint()
        return next((payment.inquire_at_ns for payment in self._planned(bank)), 0)

    def _planned(self, bank: str) -> list[Payment]:
        planned = [p for p in self._payments.values() if p.inquire_at_ns and p.instruction.bank == bank]
        return sorted(planned, key=lambda payment: (payment.inquire_at_ns, payment.id))

    async def in_state(self, state: State, *, after: bytes = b"", limit: int) -> list[Payment]:
        await trio.lowlevel.checkpoint()
        return list(islice((payment for payment in self._in_order(after) if payment.state is state), limit))

    async def counts(self, bank: str) -> LaneCounts:
        await trio.lowlevel.checkpoint()
        states = [payment.state for payment in self._payments.values() if payment.instruction.bank == bank]
        return LaneCounts(
            queued=states.count(State.QUEUED),
            sending=states.count(State.SENDING),
            in_doubt=states.count(State.IN_DOUBT),
            accepted=states.count(State.ACCEPTED),
            held=states.count(State.HELD),
        )

    # ------------------------------------------------------------ the log and cursors

    async def facts(self, after: int, limit: int) -> list[Fact]:
        await trio.lowlevel.checkpoint()
        return self._facts[after : after + min(limit, limits.PAGE_SCAN_MAX)]

    async def facts_of(self, payment_id: bytes, limit: int) -> list[Fact]:
        await trio.lowlevel.checkpoint()
        return [entry for entry in self._facts if entry.payment_id == payment_id][:limit]

    async def last_sequence(self) -> int:
        await trio.lowlevel.checkpoint()
        return len(self._facts)

    async def cursor(self, bank: str) -> str:
        await trio.lowlevel.checkpoint()
        return self._cursors.get(bank, "")


def _check(admission: Admission) -> None:
    payment = admission.payment
    if payment.state is not State.RECEIVED or payment.version != 1 or len(payment.id) != 16:
        raise ValueError("an admission is a payment with an id of 16 bytes, RECEIVED, of version 1")
    state: State = payment.state
    for happening in admission.then:
        state = step(state, happening.kind)
