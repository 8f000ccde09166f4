"""A Store in memory with the semantics of the real one; tests/contract holds both to the same claims.

Every write is "durable" when it returns, and is its own commit. Nothing is lost but by the end of the process.
"""

import hashlib
import heapq
from collections import Counter, defaultdict
from collections.abc import Container, Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice, takewhile
from typing import Final

import trio

from gateway import limits
from gateway.core import happenings
from gateway.core.decisions import Objection
from gateway.core.facts import STORE_ID, Fact, StoreHappening, quarantined_since, store_fact
from gateway.core.happenings import Happening, wire_named
from gateway.core.life import after as after_happening
from gateway.core.life import fact
from gateway.core.payment import Payment, Rail
from gateway.core.ports import (
    Admission,
    Admitted,
    CommitListener,
    Evidence,
    LaneCounts,
    PaymentFilter,
    Step,
    Stepped,
    WallClock,
)
from gateway.core.states import IllegalStep, State, step
from gateway.core.taking import happening_of
from gateway.store.matching import matches
from tests.fakes.ordered import Ordered

INSTANT: Final = 0
NOW: Final = 1
LATER: Final = 2
Moments = Ordered[tuple[int, bytes]]
"""(Unix nanoseconds, payment id)."""


class MemoryStore:
    """For the tests of other rooms. `failed` is never set unless a test sets it."""

    def __init__(self, clock: WallClock) -> None:
        self.failed = trio.Event()
        self._clock = clock
        self._payments: dict[bytes, Payment] = {}
        self._keys: dict[tuple[str, str], bytes] = {}
        self._wires: dict[tuple[str, str], bytes] = {}
        self._facts: list[Fact] = []
        self._facts_of: defaultdict[bytes, list[Fact]] = defaultdict(list)
        self._ids: Ordered[bytes] = Ordered()
        self._by_state: defaultdict[State, Ordered[bytes]] = defaultdict(Ordered)
        self._counts: Counter[tuple[str, State]] = Counter()
        self._queued: defaultdict[tuple[str, int], Moments] = defaultdict(Ordered)
        self._planned: defaultdict[tuple[str, bool], Moments] = defaultdict(Ordered)
        self.evidence_kept: dict[bytes, bytes] = {}
        self._evidence_bytes: dict[bytes, int] = {}
        self._cursors: dict[str, str] = {}
        self._listeners: list[CommitListener] = []

    # ------------------------------------------------------------ writes

    def check_room(self, admissions: int) -> int:
        """There always is room."""
        return admissions

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
        self._put(payment)
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
        happening = happening_of(payment, one, self._clock.now_ns())
        if isinstance(happening, Objection):
            return Stepped(payment, taken=False, objection=happening)
        if happening is None or not self._has_reference(payment, happening):
            return Stepped(payment, taken=False)
        try:
            moved = self._step(payment, happening)
        except IllegalStep:
            return Stepped(payment, taken=False)
        self._put(moved)
        return Stepped(moved, taken=True)

    def _put(self, payment: Payment) -> None:
        """The record and every index change together."""
        was = self._payments.get(payment.id)
        if was is None:
            self._ids.add(payment.id)
        else:
            self._by_state[was.state].remove(was.id)
            self._counts[was.instruction.bank, was.state] -= 1
            for index, moment_ns in self._moments(was):
                index.remove((moment_ns, was.id))
        self._payments[payment.id] = payment
        self._by_state[payment.state].add(payment.id)
        self._counts[payment.instruction.bank, payment.state] += 1
        for index, moment_ns in self._moments(payment):
            index.add((moment_ns, payment.id))

    def _moments(self, payment: Payment) -> Iterator[tuple[Moments, int]]:
        bank = payment.instruction.bank
        if payment.state is State.QUEUED:
            at_once = INSTANT if payment.instruction.rail is Rail.INSTANT else NOW
            when = LATER if payment.send_after_ns else at_once
            yield self._queued[bank, when], payment.send_after_ns or payment.received_at_ns
        if payment.inquire_at_ns:
            yield self._planned[bank, payment.state is State.IN_DOUBT], payment.inquire_at_ns

    def _has_reference(self, payment: Payment, happening: Happening) -> bool:
        named = wire_named(payment, happening)
        return named is None or self._wires.get(named, payment.id) == payment.id

    def _step(self, payment: Payment, happening: Happening) -> Payment:
        moved = after_happening(payment, happening, self._clock.now_ns())
        if happening.evidence:
            happening = replace(happening, evidence=self._kept(happening.evidence))
        named = wire_named(payment, happening)
        if named is not None:
            self._wires[named] = payment.id
        self._log(moved, payment.state, happening)
        return moved

    def _kept(self, evidence: bytes) -> bytes:
        kept = evidence[: limits.EVIDENCE_BYTES_MAX]
        sha256 = hashlib.sha256(kept).digest()
        self.evidence_kept.setdefault(sha256, kept)
        self._evidence_bytes.setdefault(sha256, len(evidence))
        return kept

    def _log(self, payment: Payment, before: State, happening: Happening) -> None:
        entry = fact(payment, before, happening, len(self._facts) + 1)
        self._facts.append(entry)
        self._facts_of[payment.id].append(entry)

    async def log(self, happenings: Sequence[StoreHappening]) -> None:
        await trio.lowlevel.checkpoint()
        told = len(self._facts)
        self._log_store(happenings)
        self._tell(told)

    def _log_store(self, happenings: Sequence[StoreHappening]) -> None:
        for happening in happenings:
            if happening.evidence:
                happening = replace(happening, evidence=self._kept(happening.evidence))
            version = len(self._facts_of[STORE_ID]) + 1
            entry = store_fact(happening, len(self._facts) + 1, version, self._clock.now_ns())
            self._facts.append(entry)
            self._facts_of[STORE_ID].append(entry)

    async def quarantine(self) -> list[Fact]:
        await trio.lowlevel.checkpoint()
        return quarantined_since(self._facts_of[STORE_ID][::-1])

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

    def _in_order(self, after: bytes = b"") -> Iterator[Payment]:
        return (self._payments[payment_id] for payment_id in self._ids.above(after))

    async def page(self, which: PaymentFilter, *, after: bytes = b"", limit: int) -> tuple[list[Payment], bytes]:
        await trio.lowlevel.checkpoint()
        found: list[Payment] = []
        candidates = self._in_order(after)
        if which.states:
            ids = heapq.merge(*(self._by_state[state].above(after) for state in which.states))
            candidates = (self._payments[payment_id] for payment_id in ids)
        for looked, payment in enumerate(candidates):
            if looked == limits.PAGE_SCAN_MAX or len(found) == limit:
                return found, after
            after = payment.id
            if matches(which, payment):
                found.append(payment)
        return found, after if len(found) == limit else b""

    async def due(self, bank: str, now_ns: int, limit: int, without: Container[bytes] = frozenset()) -> list[Payment]:
        await trio.lowlevel.checkpoint()
        ripe = takewhile(lambda entry: entry[0] <= now_ns, self._queued[bank, LATER])
        turns = chain(self._queued[bank, INSTANT], heapq.merge(self._queued[bank, NOW], ripe))
        return [self._payments[one] for one in islice((one for _, one in turns if one not in without), limit)]

    async def next_due_ns(self, bank: str, after_ns: int) -> int:
        await trio.lowlevel.checkpoint()
        return next((moment_ns for moment_ns, _ in self._queued[bank, LATER].above((after_ns, b"\xff" * 17))), 0)

    async def doubts(self, which: PaymentFilter, *, after: bytes = b"", limit: int) -> tuple[list[Payment], bytes]:
        await trio.lowlevel.checkpoint()
        there = [self._payments[payment_id] for payment_id in self._by_state[State.IN_DOUBT].above(b"")]
        places = sorted((one.doubt_since_ns.to_bytes(8, "big") + one.id, one) for one in there)
        found: list[Payment] = []
        which = replace(which, states=frozenset())
        for looked, (place, payment) in enumerate((place, one) for place, one in places if place > after):
            if looked == limits.PAGE_SCAN_MAX or len(found) == limit:
                return found, after
            after = place
            if matches(which, payment):
                found.append(payment)
        return found, after if len(found) == limit else b""

    async def oldest_doubt_ns(self, bank: str) -> int:
        found, _ = await self.doubts(PaymentFilter(bank=bank), limit=1)
        return found[0].doubt_since_ns if found else 0

    async def inquiries_due(self, bank: str, now_ns: int, limit: int) -> list[Payment]:
        await trio.lowlevel.checkpoint()
        planned = (self._planned[bank, in_doubt] for in_doubt in (True, False))
        ripe = chain.from_iterable(takewhile(lambda entry: entry[0] <= now_ns, entries) for entries in planned)
        return [self._payments[payment_id] for _, payment_id in islice(ripe, limit)]

    async def next_inquiry_ns(self, bank: str) -> int:
        await trio.lowlevel.checkpoint()
        moments = heapq.merge(self._planned[bank, True], self._planned[bank, False])
        return next((moment_ns for moment_ns, _ in moments), 0)

    async def in_state(self, state: State, *, after: bytes = b"", limit: int) -> list[Payment]:
        await trio.lowlevel.checkpoint()
        ids = self._by_state[state].above(after)
        return [self._payments[payment_id] for payment_id in islice(ids, limit)]

    async def counts(self, bank: str) -> LaneCounts:
        await trio.lowlevel.checkpoint()
        return LaneCounts(
            queued=self._counts[bank, State.QUEUED],
            sending=self._counts[bank, State.SENDING],
            in_doubt=self._counts[bank, State.IN_DOUBT],
            accepted=self._counts[bank, State.ACCEPTED],
            held=self._counts[bank, State.HELD],
        )

    # ------------------------------------------------------------ the log and cursors

    async def facts(self, after: int, limit: int) -> list[Fact]:
        await trio.lowlevel.checkpoint()
        return self._facts[after : after + min(limit, limits.PAGE_SCAN_MAX)]

    async def facts_of(self, payment_id: bytes, limit: int) -> list[Fact]:
        await trio.lowlevel.checkpoint()
        return self._facts_of[payment_id][:limit] if payment_id in self._facts_of else []

    async def evidence(self, sha256: bytes) -> Evidence | None:
        await trio.lowlevel.checkpoint()
        body = self.evidence_kept.get(sha256)
        return None if body is None else Evidence(body, self._evidence_bytes.get(sha256, len(body)))

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
