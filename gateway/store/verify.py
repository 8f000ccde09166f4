"""The offline verifier: every record, every index in both directions, the counts, the log and its chain.

It reads a page at a time, each in a transaction of its own, so it may run beside the daemon without pinning its
pages. What is compared is always compared inside one transaction. Only the counts need the whole: they are kept
while walking the payments in the order of their ids, and before each page corrected by the facts that have been
written behind the walk since the page before.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Final

import lmdb

from gateway.core.decisions import recorded_by_two
from gateway.core.facts import GENESIS, STORE_ID, Fact, StoreKind, chained
from gateway.core.payment import Payment
from gateway.core.states import IllegalStep, Kind, State, step
from gateway.store import envelope, layout, log
from gateway.store.envelope import CorruptRecord
from gateway.store.environment import Maps, begin_reading, opened_for_reading
from gateway.store.evidence import SHA_BYTES, sha_prefix, unseal_evidence
from gateway.store.reads import View

PAGE: Final = 250
"""Entries looked at in one transaction: some 50 ms, far below READ_TXN_S_MAX."""
FINDINGS_MAX: Final = 1_000


@dataclass(frozen=True, slots=True)
class Finding:
    mapping: str
    key: str
    """In hexadecimal."""
    what: str


@dataclass(slots=True)
class Report:
    """What a verification saw. `findings` holds the first FINDINGS_MAX of `finding_count`."""

    payments: int = 0
    facts: int = 0
    evidence: int = 0
    sequence: int = 0
    head: bytes = GENESIS
    """Hash of the last fact: keep it elsewhere, and no later log can be passed off as the continuation of another."""
    finding_count: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        return self.finding_count == 0

    def found(self, mapping: str, key: bytes, what: str) -> None:
        self.finding_count += 1
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(Finding(mapping, key.hex(), what))


def verify(path: str | Path) -> Report:
    """Looks at everything in a data directory. Raises DataDirectoryUnusable; what is wrong inside is reported."""
    with opened_for_reading(Path(path)) as maps:
        verifier = _Verifier(maps)
        walks = [verifier.meta, verifier.log, verifier.payments]
        walks += [partial(verifier.index, mapping, says_so) for mapping, says_so in verifier.indexes().items()]
        for walk in walks:
            try:
                walk()
            except lmdb.Error as error:
                verifier.report.found("data.mdb", b"", f"LMDB cannot read on: {error}")
        return verifier.report


class _Verifier:
    def __init__(self, maps: Maps) -> None:
        self.report = Report()
        self._maps = maps
        self._counted: Counter[tuple[str, State]] = Counter()
        self._counted_to = 0
        self._lost = False
        """Whether the log has a finding behind which the chain hash is not known: never without a finding."""
        self._rested = b""
        """SHA-256 of evidence found whole for the fact before."""
        self._said: dict[bytes, list[str]] = {}
        """Payment → what banks said of it while its record could not be read; bounded as the facts about it are."""

    # ------------------------------------------------------------ walking

    def _views(self) -> Iterator[View]:
        """A fresh transaction for each turn of the caller's loop."""
        while True:
            with begin_reading(self._maps.env) as txn:
                yield View(self._maps, txn, lambda error: self.report.found(error.mapping, error.key, error.what))

    def _pages(self, mapping: str) -> Iterator[tuple[View, list[tuple[bytes, bytes]]]]:
        """All of a mapping in order, by pages; the last page is empty."""
        start = b""
        for view in self._views():
            page = list(islice(view.items(mapping, start), PAGE))
            yield view, page
            if not page:
                return
            start = page[-1][0] + b"\x00"

    def _payment(self, view: View, payment_id: bytes) -> Payment | None:
        """None where it is missing or corrupt: the walk over the payments reports the corrupt ones."""
        try:
            return view.payment(payment_id)
        except CorruptRecord:
            return None

    # ------------------------------------------------------------ the log

    def meta(self) -> None:
        for _, page in self._pages(layout.META):
            for key, stored in page:
                try:
                    if key == layout.META_FORMAT:
                        envelope.unseal_format(layout.META, key, stored)
                    else:
                        envelope.unseal(layout.META, key, stored)
                except CorruptRecord as error:
                    self.report.found(layout.META, key, error.what)

    def log(self) -> None:
        """The chain from GENESIS to the head that is stored at the moment its end is reached."""
        report = self.report
        for view, page in self._pages(layout.SEQ2FACT):
            for key, stored in page:
                self._link(view, key, stored)
            if not page:
                self._end_of_chain(view)
        report.facts = report.sequence

    def _link(self, view: View, key: bytes, stored: bytes) -> None:
        report, mapping = self.report, layout.SEQ2FACT
        sequence = int.from_bytes(key, "big")
        if sequence != report.sequence + 1:
            report.found(mapping, key, f"{sequence - report.sequence - 1} facts are missing before it")
            self._lost = True
        report.sequence = sequence
        try:
            fact, kept, body = view.unsealed_fact(key, stored)
        except CorruptRecord as error:
            report.found(mapping, key, error.what)
            self._lost = True
            return
        self._chain(key, kept, body)
        if not self._leads_to(view, fact):
            report.found(mapping, key, "payment2seq does not lead to it")
        about_store = isinstance(fact.kind, StoreKind)
        if about_store is not (fact.payment_id == STORE_ID):
            report.found(mapping, key, "speaks of the store and of a payment at once")
        elif not about_store and view.get(layout.PAYMENT2RECORD, fact.payment_id) is None:
            report.found(mapping, key, "speaks of a payment that is not there")
        if fact.kind is StoreKind.UNREADABLE_PAYMENT:
            said = f"{fact.bank} has said {fact.bank_status or 'a word'} of it (evidence {fact.evidence_sha256.hex()})"
            payment_id = view.get(layout.WIRE2PAYMENT, layout.wire_key(fact.bank, fact.wire_reference)) or b""
            self._said.setdefault(payment_id, []).append(said)
        if fact.evidence_sha256 and not self._rests(view, fact.evidence_sha256):
            report.found(mapping, key, "rests on evidence that is not there, or is something else")

    def _rests(self, view: View, sha256_of_fact: bytes) -> bool:
        """Whether the very evidence is there. Many facts in a row may rest on one."""
        if sha256_of_fact == self._rested:
            return True
        try:
            there = view.evidence(sha256_of_fact) is not None
        except CorruptRecord:
            there = False
        self._rested = sha256_of_fact if there else b""
        return there

    def _chain(self, key: bytes, kept: bytes, body: bytes) -> None:
        """One broken link is one finding: behind it the chain is not known again before the next whole hash."""
        report, whole = self.report, len(kept) == log.HASH_BYTES
        if not self._lost:
            report.head = chained(report.head, body)
            if not report.head.startswith(kept):
                report.found(layout.SEQ2FACT, key, "the chain is broken: its hash does not follow from the fact before")
                self._lost = True
        if self._lost and whole:
            report.head, self._lost = kept, False

    def _leads_to(self, view: View, fact: Fact) -> bool:
        key = layout.payment_seq_key(fact.payment_id, fact.version)
        sequences = layout.sequences(view.get(layout.PAYMENT2SEQ, key) or b"")
        place = fact.version - layout.first_version(key)
        return 0 <= place < len(sequences) and sequences[place] == fact.sequence

    def _end_of_chain(self, view: View) -> None:
        try:
            head = view.head()
        except CorruptRecord as error:
            self.report.found(error.mapping, error.key, error.what)
            return
        if head[0] != self.report.sequence or (not self._lost and head[1] != self.report.head):
            self.report.found(layout.META, layout.META_HEAD, f"says {head[0]} facts, the log ends otherwise")

    # ------------------------------------------------------------ the payments

    def payments(self) -> None:
        passed = b""
        for view, page in self._pages(layout.PAYMENT2RECORD):
            if passed:
                self._catch_up(view, passed)
            else:
                self._counted_to = int.from_bytes(view.last(layout.SEQ2FACT) or b"", "big")
            for payment_id, stored in page:
                self._record(view, payment_id, stored)
                passed = payment_id
            if not page:
                self._compare_counts(view)

    def _catch_up(self, view: View, passed: bytes) -> None:
        """Corrects the counts by what has happened, since the last page, to payments already walked over."""
        for key, stored in view.items(layout.SEQ2FACT, layout.number(self._counted_to + 1)):
            self._counted_to = int.from_bytes(key, "big")
            try:
                fact = view.unsealed_fact(key, stored)[0]
            except CorruptRecord:
                continue  # reported by the walk over the log
            if fact.payment_id <= passed and fact.before is not None and fact.after is not None:
                if fact.kind is not Kind.RECEIVED:
                    self._counted[fact.bank, fact.before] -= 1
                self._counted[fact.bank, fact.after] += 1

    def _record(self, view: View, payment_id: bytes, stored: bytes) -> None:
        self.report.payments += 1
        mapping = layout.PAYMENT2RECORD
        try:
            payment = view.unsealed(payment_id, stored)
        except CorruptRecord as error:
            self.report.found(mapping, payment_id, "; ".join([error.what, *self._said.get(payment_id, ())]))
            return
        self._counted[payment.instruction.bank, payment.state] += 1
        for index, key in layout.standing(payment) + layout.moving(payment):
            if view.get(index, key) is None:
                self.report.found(mapping, payment_id, f"{index} has no entry for it")
        key = layout.key_key(payment.tenant, payment.instruction.idempotency_key)
        if view.get(layout.KEY2PAYMENT, key) != payment_id:
            self.report.found(mapping, payment_id, "key2payment does not lead to it")
        for attempt in payment.attempts:
            if view.get(layout.WIRE2PAYMENT, layout.wire_key(attempt.bank, attempt.wire_reference)) != payment_id:
                self.report.found(mapping, payment_id, f"wire2payment does not lead to it (attempt {attempt.number})")
        self._replay(view, payment)

    def _replay(self, view: View, payment: Payment) -> None:
        """The payment is what its facts, taken through the state table, make of it."""
        state, version = State.RECEIVED, 0
        proposed: Fact | None = None
        try:
            for fact in self._facts_of(view, payment.id):
                first = fact.kind is Kind.RECEIVED and version == 0
                if not isinstance(fact.kind, Kind) or fact.after is None:
                    raise CorruptRecord(layout.SEQ2FACT, layout.number(fact.sequence), "is no fact about a payment")
                after = State.RECEIVED if first else step(state, fact.kind)
                if (fact.before, fact.after, fact.version) != (state, after, version + 1):
                    self.report.found(
                        layout.SEQ2FACT, layout.number(fact.sequence), "does not follow its payment's facts"
                    )
                if not recorded_by_two(fact, proposed):
                    self.report.found(layout.SEQ2FACT, layout.number(fact.sequence), "was not decided by two people")
                proposed = fact if fact.kind is Kind.PROPOSED else proposed
                state, version = fact.after, fact.version
        except (IllegalStep, CorruptRecord) as error:
            self.report.found(layout.PAYMENT2RECORD, payment.id, f"its facts cannot be replayed: {error}")
            return
        if (payment.state, payment.version) != (state, version):
            what = f"{payment.state} version {payment.version}, but its facts lead to {state} version {version}"
            self.report.found(layout.PAYMENT2RECORD, payment.id, what)

    def _facts_of(self, view: View, payment_id: bytes) -> Iterator[Fact]:
        for sequence in view.sequences_of(payment_id):
            key = layout.number(sequence)
            stored = view.get(layout.SEQ2FACT, key)
            if stored is None:
                raise CorruptRecord(layout.SEQ2FACT, key, "missing")
            yield view.unsealed_fact(key, stored)[0]

    def _compare_counts(self, view: View) -> None:
        stored = {key: int.from_bytes(value, "big") for key, value in view.items(layout.COUNT, b"")}
        counted = {layout.count_key(bank, state): count for (bank, state), count in self._counted.items()}
        for key in stored.keys() | counted.keys():
            said, is_now = stored.get(key, 0), counted.get(key, 0)
            if said != is_now:
                self.report.found(layout.COUNT, key, f"says {said}, there are {is_now}")

    # ------------------------------------------------------------ from the indexes to the records

    def indexes(self) -> dict[str, Callable[[View, bytes, bytes], bool]]:
        """Mapping → whether what an entry points to says so itself."""
        return {
            layout.KEY2PAYMENT: self._key_confirmed,
            layout.END2PAYMENT: self._standing_confirmed(layout.END2PAYMENT),
            layout.TENANT2PAYMENT: self._standing_confirmed(layout.TENANT2PAYMENT),
            layout.WIRE2PAYMENT: self._wire_confirmed,
            layout.DUE2PAYMENT: self._moving_confirmed(layout.DUE2PAYMENT),
            layout.INQUIRY2PAYMENT: self._moving_confirmed(layout.INQUIRY2PAYMENT),
            layout.DOUBT2PAYMENT: self._moving_confirmed(layout.DOUBT2PAYMENT),
            layout.STATE2PAYMENT: self._moving_confirmed(layout.STATE2PAYMENT),
            layout.PAYMENT2SEQ: self._fact_confirmed,
            layout.EVIDENCE: self._evidence_confirmed,
            layout.SHA2EVIDENCE: self._hash_confirmed,
            layout.NUMBER2PHRASE: self._number_confirmed,
            layout.PHRASE2NUMBER: self._phrase_confirmed,
        }

    def index(self, mapping: str, confirmed: Callable[[View, bytes, bytes], bool]) -> None:
        for view, page in self._pages(mapping):
            for key, value in page:
                try:
                    says_so = confirmed(view, key, value)
                except CorruptRecord:
                    says_so = False
                if not says_so:
                    self.report.found(mapping, key, "what it points to does not say so")

    def _key_confirmed(self, view: View, key: bytes, value: bytes) -> bool:
        payment = self._payment(view, value)
        if payment is None:
            return False
        own_key = layout.key_key(payment.tenant, payment.instruction.idempotency_key)
        return key == own_key

    def _standing_confirmed(self, mapping: str) -> Callable[[View, bytes, bytes], bool]:
        def confirmed(view: View, key: bytes, _: bytes) -> bool:
            payment = self._payment(view, key[-layout.ID_BYTES :])
            return payment is not None and (mapping, key) in layout.standing(payment)

        return confirmed

    def _moving_confirmed(self, mapping: str) -> Callable[[View, bytes, bytes], bool]:
        def confirmed(view: View, key: bytes, _: bytes) -> bool:
            payment = self._payment(view, key[-layout.ID_BYTES :])
            return payment is not None and (mapping, key) in layout.moving(payment)

        return confirmed

    def _wire_confirmed(self, view: View, key: bytes, payment_id: bytes) -> bool:
        payment = self._payment(view, payment_id)
        if payment is None:
            return False
        if any(layout.wire_key(a.bank, a.wire_reference) == key for a in payment.attempts):
            return True
        # A record carries the first and the latest attempts only; the log has them all, and what was suspected.
        facts = [f for f in self._facts_of(view, payment_id) if f.kind in (Kind.MARKED, Kind.SUSPECTED)]
        return any(layout.wire_key(f.bank, f.wire_reference) == key for f in facts)

    def _fact_confirmed(self, view: View, key: bytes, entry: bytes) -> bool:
        versions = enumerate(layout.sequences(entry), layout.first_version(key))
        return all(self._fact_is(view, sequence, key[: layout.ID_BYTES], version) for version, sequence in versions)

    def _fact_is(self, view: View, sequence: int, payment_id: bytes, version: int) -> bool:
        stored = view.get(layout.SEQ2FACT, layout.number(sequence))
        if stored is None:
            return False
        try:
            fact = view.unsealed_fact(layout.number(sequence), stored)[0]
        except CorruptRecord:
            return True  # reported by the walk over the log
        return (fact.payment_id, fact.version) == (payment_id, version)

    def _evidence_confirmed(self, view: View, key: bytes, stored: bytes) -> bool:
        self.report.evidence += 1
        body, _length = unseal_evidence(layout.EVIDENCE, key, stored)
        return view.get(layout.SHA2EVIDENCE, sha_prefix(sha256(body).digest()) + key) is not None

    def _hash_confirmed(self, view: View, key: bytes, _: bytes) -> bool:
        prefix, number = key[:SHA_BYTES], key[SHA_BYTES:]
        stored = view.get(layout.EVIDENCE, number)
        if stored is None:
            return False
        try:
            body, _length = unseal_evidence(layout.EVIDENCE, number, stored)
        except CorruptRecord:
            return True  # reported by the walk over the evidence
        return sha256(body).digest().startswith(prefix)

    def _number_confirmed(self, view: View, key: bytes, stored: bytes) -> bool:
        phrase = envelope.unseal(layout.NUMBER2PHRASE, key, stored)
        return _body(view.get(layout.PHRASE2NUMBER, phrase)) == key

    def _phrase_confirmed(self, view: View, phrase: bytes, stored: bytes) -> bool:
        key = envelope.unseal(layout.PHRASE2NUMBER, phrase, stored)
        return _body(view.get(layout.NUMBER2PHRASE, key)) == phrase


def _body(stored: bytes | None) -> bytes:
    """Of a record whose checksum another walk looks at."""
    return (stored or b"")[envelope.ENVELOPE_BYTES :]
