"""Reading, inside one short transaction. Everything goes by an index; what cannot be read is noted and left out.

A list never fails because of one corrupt record, and never shows it: the payment is neither due nor inquired about,
its corruption is noted, and whoever asks for that payment by name gets CorruptRecord. Whatever limit a caller gives,
no list looks at more than PAGE_SCAN_MAX records.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice, takewhile
from typing import Any, Final

from gateway import limits
from gateway.core.facts import STORE_ID, Fact, StoreKind, quarantined_since
from gateway.core.payment import Payment
from gateway.core.ports import Evidence, LaneCounts, PaymentFilter
from gateway.core.states import State
from gateway.store import codes, envelope, layout, log, records
from gateway.store.envelope import CorruptRecord
from gateway.store.environment import Maps, Transaction
from gateway.store.evidence import evidence_at, sha_prefix
from gateway.store.matching import first_id, last_id, matches
from gateway.store.phrases import Phrase
from gateway.store.recent import Recent

_ID: Final = layout.ID_BYTES
_UNDECIDED: Final = (State.RECEIVED, State.HELD, State.QUEUED, State.SENDING, State.IN_DOUBT)


@dataclass(slots=True)
class Slice:
    """A part of a page: what matched, the last id looked at, how many were looked at, whether the range has ended."""

    payments: list[Payment]
    last: bytes
    looked: int
    ended: bool


class View:
    """One read transaction over the mappings."""

    def __init__(
        self,
        maps: Maps,
        txn: Transaction,
        noted: Callable[[CorruptRecord], None],
        recent: Recent | None = None,
        *,
        durable: bool = True,
    ) -> None:
        """`durable`: whether all that `txn` shows is committed."""
        self._recent = recent or Recent(0)
        self._phrase: Phrase = partial(maps.phrases.spelled, txn, durable=durable)
        self._db = maps.db
        self._txn = txn
        self._noted = noted

    def get(self, mapping: str, key: bytes) -> bytes | None:
        return self._txn.get(key, db=self._db[mapping])

    def payment(self, payment_id: bytes) -> Payment | None:
        """Raises CorruptRecord."""
        if len(payment_id) != _ID:
            return None
        stored = self.get(layout.PAYMENT2RECORD, payment_id)
        return None if stored is None else self.unsealed(payment_id, stored)

    def unsealed(self, payment_id: bytes, stored: bytes) -> Payment:
        """Raises CorruptRecord."""
        return records.unseal_payment(layout.PAYMENT2RECORD, payment_id, stored, self._phrase)

    def unsealed_fact(self, key: bytes, stored: bytes) -> tuple[Fact, bytes, bytes]:
        """As log.unseal_fact. Raises CorruptRecord."""
        return log.unseal_fact(layout.SEQ2FACT, key, stored, self._phrase)

    def keys(self, mapping: str, start: bytes, prefix: bytes = b"") -> Iterator[bytes]:
        """The keys of a range, from `start` on while they have the prefix."""
        cursor = self._txn.cursor(db=self._db[mapping])
        if not cursor.set_range(start or prefix) if start or prefix else not cursor.first():
            return
        for key in cursor.iternext(keys=True, values=False):
            if not key.startswith(prefix):
                return
            yield key

    def items(self, mapping: str, start: bytes, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        cursor: Any = self._txn.cursor(db=self._db[mapping])
        if not cursor.set_range(start or prefix) if start or prefix else not cursor.first():
            return
        for key, value in cursor.iternext():
            if not key.startswith(prefix):
                return
            yield key, value

    def last(self, mapping: str) -> bytes | None:
        """The highest key of a mapping; None where it is empty."""
        cursor = self._txn.cursor(db=self._db[mapping])
        return bytes(cursor.key()) if cursor.last() else None

    # ------------------------------------------------------------ one payment

    def by_key(self, tenant: str, idempotency_key: str) -> Payment | None:
        owner = self.get(layout.KEY2PAYMENT, layout.key_key(tenant, idempotency_key))
        return None if owner is None else self.payment(owner[-_ID:])

    def by_wire(self, bank: str, wire_reference: str) -> Payment | None:
        owner = self.get(layout.WIRE2PAYMENT, layout.wire_key(bank, wire_reference))
        return None if owner is None else self.payment(owner)

    def by_end_to_end_id(self, tenant: str, end_to_end_id: str, limit: int) -> list[Payment]:
        found = self._readable(self._end_ids(tenant, end_to_end_id, b""))
        return list(islice((payment for payment in found if payment.instruction.end_to_end_id == end_to_end_id), limit))

    def _end_ids(self, tenant: str, end_to_end_id: str, after: bytes) -> Iterator[bytes]:
        """Ids, in order, of all that have it and perhaps of one more: whose idempotency key is spelled the same."""
        owner = self.get(layout.KEY2PAYMENT, layout.key_key(tenant, end_to_end_id))
        by_key = iter((owner,) if owner is not None and owner > after else ())
        return heapq.merge(by_key, self._ids(layout.END2PAYMENT, layout.end_prefix(tenant, end_to_end_id), after))

    # ------------------------------------------------------------ lists

    def in_state(self, state: State, after: bytes, limit: int) -> list[Payment]:
        ids = self._ids(layout.STATE2PAYMENT, layout.state_prefix(state), after)
        return list(islice(self._readable(ids), limit))

    def due(self, bank: str, now_ns: int, limit: int, without: Container[bytes] = frozenset()) -> list[Payment]:
        instant = self._keys_of(layout.due_prefix(bank, layout.INSTANT))
        at_once = self._keys_of(layout.due_prefix(bank, layout.NOW))
        later = self._keys_of(layout.due_prefix(bank, layout.LATER))
        ripe = takewhile(lambda key: layout.moment_of(key) <= now_ns, later)
        others = heapq.merge(at_once, ripe, key=lambda key: key[-_ID - 8 :])
        keys = (key for key in chain(instant, others) if key[-_ID:] not in without)
        return list(islice(self._named(layout.DUE2PAYMENT, keys), limit))

    def next_due_ns(self, bank: str, after_ns: int) -> int:
        """What has no back-off is due whatever the clock says, so only the others can become due later."""
        prefix = layout.due_prefix(bank, layout.LATER)
        keys = self.keys(layout.DUE2PAYMENT, prefix + layout.number(after_ns + 1), prefix)
        return next((payment.send_after_ns for payment in self._named(layout.DUE2PAYMENT, keys)), 0)

    def inquiries_due(self, bank: str, now_ns: int, limit: int) -> list[Payment]:
        def ripe(why: int) -> Iterator[bytes]:
            return takewhile(lambda key: layout.moment_of(key) <= now_ns, self._inquiry_keys(bank, why))

        keys = chain(ripe(layout.DOUBT), ripe(layout.FOLLOW_UP))
        return list(islice(self._named(layout.INQUIRY2PAYMENT, keys), limit))

    def next_inquiry_ns(self, bank: str) -> int:
        firsts = []
        for why in (layout.DOUBT, layout.FOLLOW_UP):
            planned = self._named(layout.INQUIRY2PAYMENT, self._inquiry_keys(bank, why))
            firsts.append(next((payment.inquire_at_ns for payment in planned), 0))
        return min(filter(None, firsts), default=0)

    def counts(self, bank: str) -> LaneCounts:
        def count(state: State) -> int:
            return int.from_bytes(self.get(layout.COUNT, layout.count_key(bank, state)) or b"", "big")

        return LaneCounts(
            queued=count(State.QUEUED),
            sending=count(State.SENDING),
            in_doubt=count(State.IN_DOUBT),
            accepted=count(State.ACCEPTED),
            held=count(State.HELD),
        )

    def undecided(self) -> dict[str, int]:
        """Bank → payments not sent or in doubt, where there are any: over every bank that ever had one."""
        undecided = {codes.STATES[state] for state in _UNDECIDED}
        found: Counter[str] = Counter()
        for key, count in self.items(layout.COUNT, b""):
            bank, code = layout.bank_and_state(key)
            if code in undecided:
                found[bank] += int.from_bytes(count, "big")
        return {bank: count for bank, count in found.items() if count}

    def slice(self, which: PaymentFilter, after: bytes, limit: int, look: int) -> Slice:
        """The next part of a page: looks at no more than `look` payments and returns no more than `limit`."""
        part = Slice([], after, 0, ended=True)
        for payment_id in islice(self._candidates(which, after), look):
            part.last = payment_id
            part.looked += 1
            payment = self._readable_one(payment_id)
            if payment is not None and matches(which, payment):
                part.payments.append(payment)
                if len(part.payments) == limit:
                    part.ended = False
                    return part
        part.ended = part.looked < look
        return part

    def doubts(self, which: PaymentFilter, after: bytes, limit: int, look: int) -> Slice:
        """As `slice`, in the order of doubts; `after` and `last` are places in it (layout.DOUBT_PLACE_BYTES)."""
        part = Slice([], after, 0, ended=True)
        for key in islice(self._doubt_keys(which.bank, after), look):
            part.last = key[-layout.DOUBT_PLACE_BYTES :]
            part.looked += 1
            for payment in self._named(layout.DOUBT2PAYMENT, iter((key,))):
                if matches(which, payment):
                    part.payments.append(payment)
            if len(part.payments) == limit:
                part.ended = False
                return part
        part.ended = part.looked < look
        return part

    def oldest_doubt_ns(self, bank: str) -> int:
        prefix = layout.prefix(bank)
        return next(map(layout.moment_of, self.keys(layout.DOUBT2PAYMENT, prefix, prefix)), 0)

    def _doubt_keys(self, bank: str, after: bytes) -> Iterator[bytes]:
        """Of one bank, or of all that have doubts, in the order of their ends, above `after`."""
        prefixes = [layout.prefix(name) for name in ((bank,) if bank else self._doubtful_banks())]
        ranges = [self.keys(layout.DOUBT2PAYMENT, prefix + after, prefix) for prefix in prefixes]
        merged = heapq.merge(*ranges, key=_place)
        return (key for key in merged if _place(key) > after)

    def _doubtful_banks(self) -> list[str]:
        code = codes.STATES[State.IN_DOUBT]
        found = [(layout.bank_and_state(key), value) for key, value in self.items(layout.COUNT, b"")]
        return [bank for (bank, state), value in found if state == code and any(value)]

    def _candidates(self, which: PaymentFilter, after: bytes) -> Iterator[bytes]:
        """Ids in their order, by the index that leaves out the most."""
        start, end = max(after, first_id(which)), last_id(which)
        if which.end_to_end_id and which.tenant:
            ids = self._end_ids(which.tenant, which.end_to_end_id, start)
        elif which.states and State.SETTLED not in which.states:
            ranges = [self._ids(layout.STATE2PAYMENT, layout.state_prefix(state), start) for state in which.states]
            ids = heapq.merge(*ranges)
        elif which.tenant:
            ids = self._ids(layout.TENANT2PAYMENT, layout.prefix(which.tenant), start)
        else:
            ids = self._ids(layout.PAYMENT2RECORD, b"", start)
        return takewhile(lambda payment_id: payment_id < end, (found for found in ids if found > after))

    # ------------------------------------------------------------ the log

    def facts(self, after: int, limit: int) -> list[Fact]:
        """Raises CorruptRecord: a log with a hole is not shown as if it had none."""
        items = islice(self.items(layout.SEQ2FACT, layout.number(after + 1)), min(limit, limits.PAGE_SCAN_MAX))
        return [self.unsealed_fact(key, value)[0] for key, value in items]

    def facts_of(self, payment_id: bytes, limit: int) -> list[Fact]:
        if len(payment_id) != _ID:
            return []
        found = islice(self.sequences_of(payment_id), min(limit, limits.PAGE_SCAN_MAX))
        facts = [self._fact(sequence) for sequence in found]
        if any(fact.payment_id != payment_id for fact in facts):
            raise CorruptRecord(layout.PAYMENT2SEQ, payment_id, "leads to facts of another")
        return facts

    def sequences_of(self, payment_id: bytes) -> Iterator[int]:
        """The sequences of its facts, in the order of their versions."""
        for _, entry in self.items(layout.PAYMENT2SEQ, payment_id, payment_id):
            yield from layout.sequences(entry)

    def _fact(self, sequence: int) -> Fact:
        key = layout.number(sequence)
        stored = self.get(layout.SEQ2FACT, key)
        if stored is None:
            raise CorruptRecord(layout.SEQ2FACT, key, "missing")
        return self.unsealed_fact(key, stored)[0]

    def quarantine(self) -> list[Fact]:
        """The newest facts about the store back to the one that decides. Raises CorruptRecord, also where none of
        PAGE_SCAN_MAX of them does: a quarantine that cannot be ruled out is in force."""
        newest: list[Fact] = []
        for sequence in islice(self._store_sequences(), limits.PAGE_SCAN_MAX):
            newest.append(self._fact(sequence))
            if newest[-1].kind in (StoreKind.RESTORED, StoreKind.QUARANTINE_ENDED):
                return quarantined_since(newest)
        if len(newest) == limits.PAGE_SCAN_MAX:
            raise CorruptRecord(layout.PAYMENT2SEQ, STORE_ID, "too many facts about the store since its restore")
        return []

    def unreadable_words(self) -> list[Fact]:
        """What banks said of payments that could not be read, newest first, as far back as for a quarantine."""
        words = []
        for sequence in islice(self._store_sequences(), limits.PAGE_SCAN_MAX):
            try:
                fact = self._fact(sequence)
            except CorruptRecord as error:
                self._noted(error)
                continue
            if fact.kind is StoreKind.UNREADABLE_PAYMENT:
                words.append(fact)
        return words

    def bank_of(self, payment_id: bytes) -> str:
        """Of a payment whose record cannot be read, as its first fact has it; "" where that cannot be read either."""
        try:
            return next((fact.bank for fact in self.facts_of(payment_id, 1)), "")
        except CorruptRecord as error:
            self._noted(error)
            return ""

    def _store_sequences(self) -> Iterator[int]:
        """Of the facts about the store, newest first."""
        cursor: Any = self._txn.cursor(db=self._db[layout.PAYMENT2SEQ])
        beyond = cursor.set_range(layout.part_key(STORE_ID, layout.LAST_PART))
        found = cursor.prev() if beyond else cursor.last()
        while found and cursor.key().startswith(STORE_ID):
            yield from reversed(layout.sequences(cursor.value()))
            found = cursor.prev()

    def head(self) -> tuple[int, bytes]:
        """(last sequence, its chain hash). Raises CorruptRecord."""
        stored = self.get(layout.META, layout.META_HEAD)
        if stored is None:
            raise CorruptRecord(layout.META, layout.META_HEAD, "missing")
        return log.unseal_head(layout.META, layout.META_HEAD, stored)

    def check_head(self) -> None:
        """Raises CorruptRecord unless the log ends where the head of its chain says."""
        sequence, chain_hash = self.head()
        key = layout.number(sequence)
        if sequence:
            stored = self.get(layout.SEQ2FACT, key)
            if stored is None:
                raise CorruptRecord(layout.SEQ2FACT, key, "missing, though it is the head of the chain")
            if self.unsealed_fact(key, stored)[1] != log.kept_hash(sequence, chain_hash):
                raise CorruptRecord(layout.SEQ2FACT, key, "is not what the head of the chain says")
        for beyond in self.keys(layout.SEQ2FACT, layout.number(sequence + 1)):
            raise CorruptRecord(layout.SEQ2FACT, beyond, "lies beyond the head of the chain")

    def evidence(self, sha256: bytes) -> Evidence | None:
        """Raises CorruptRecord, also where what is kept in its place is something else."""
        if len(sha256) != log.HASH_BYTES:
            return None
        prefix = sha_prefix(sha256)
        places = (key[len(prefix) :] for key in self.keys(layout.SHA2EVIDENCE, prefix, prefix))
        return evidence_at(places, sha256, partial(self.get, layout.EVIDENCE))

    def has_evidence(self, sha256: bytes) -> bool:
        """Whether the very bytes are there, and can be read."""
        try:
            return self.evidence(sha256) is not None
        except CorruptRecord:
            return False

    def cursor(self, bank: str) -> str:
        key = layout.cursor_key(bank)
        stored = self.get(layout.META, key)
        return "" if stored is None else envelope.unseal(layout.META, key, stored).decode()

    # ------------------------------------------------------------ from keys to payments

    def _keys_of(self, prefix: bytes) -> Iterator[bytes]:
        return self.keys(layout.DUE2PAYMENT, prefix, prefix)

    def _inquiry_keys(self, bank: str, why: int) -> Iterator[bytes]:
        prefix = layout.inquiry_prefix(bank, why)
        return self.keys(layout.INQUIRY2PAYMENT, prefix, prefix)

    def _ids(self, mapping: str, prefix: bytes, after: bytes) -> Iterator[bytes]:
        """The ids at the end of a mapping's keys, above `after`, in order."""
        ids = (key[len(prefix) :] for key in self.keys(mapping, prefix + after, prefix))
        return (payment_id for payment_id in ids if payment_id > after)

    def _named(self, mapping: str, keys: Iterator[bytes]) -> Iterator[Payment]:
        """The payments of keys that move with the state. An entry that its record does not confirm is noted and left
        out: what is sent rests on the record, never on the index alone."""
        for key in islice(keys, limits.PAGE_SCAN_MAX):
            known = self._recent.get(key[-_ID:])
            if known is not None and (mapping, key) in layout.moving(known.payment):
                yield known.payment
                continue
            payment = self._readable_one(key[-_ID:])
            if payment is None:
                continue
            if (mapping, key) in layout.moving(payment):
                yield payment
            else:
                self._noted(CorruptRecord(mapping, key, "its payment's record says otherwise"))

    def _readable(self, ids: Iterator[bytes]) -> Iterator[Payment]:
        for payment_id in islice(ids, limits.PAGE_SCAN_MAX):
            payment = self._readable_one(payment_id)
            if payment is not None:
                yield payment

    def _readable_one(self, payment_id: bytes) -> Payment | None:
        try:
            payment = self.payment(payment_id)
        except CorruptRecord as error:
            self._noted(error)
            return None
        if payment is None:
            self._noted(CorruptRecord(layout.PAYMENT2RECORD, payment_id, "missing, though an index names it"))
        return payment


def _place(key: bytes) -> bytes:
    return key[-layout.DOUBT_PLACE_BYTES :]
