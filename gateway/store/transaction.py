"""One write transaction while it is filled: what an admission and a step change, decided and written together.

The caller begins, fills, calls `finish` and commits, or aborts: nothing here outlives an abort, so the same writes
can be filled again into another transaction. Steps of one batch see each other's payments through `_now`; records
and moving indexes are written once per payment, in `finish`, as the difference to what was stored before.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from gateway import limits
from gateway.core import happenings
from gateway.core.decisions import Objection
from gateway.core.facts import STORE_ID, Fact, StoreHappening, StoreKind, chained, store_fact
from gateway.core.happenings import Happening, wire_named
from gateway.core.life import after, fact
from gateway.core.outcome import Outcome
from gateway.core.payment import Payment
from gateway.core.ports import Admission, Admitted, Step, Stepped
from gateway.core.states import IllegalStep, State
from gateway.core.taking import happening_of
from gateway.store import envelope, layout, log, phrases, records
from gateway.store.envelope import CorruptRecord
from gateway.store.environment import Maps, Transaction
from gateway.store.evidence import bounded_evidence, evidence_key, seal_evidence, sha_prefix
from gateway.store.reads import View
from gateway.store.recent import Known, Recent
from gateway.store.records import Standing

_RECEIVED = happenings.received()
_ID_TAKEN = "a payment id is given to two instructions"


class Batch:
    """The writes of one transaction. `facts`: what it makes durable, in order. `corrupt`: what it could not read.
    `recent` holds what earlier ones have committed."""

    def __init__(self, maps: Maps, txn: Transaction, recent: Recent) -> None:
        self.facts: list[Fact] = []
        self.written: list[Known] = []
        """What `finish` wrote: for `recent`, once it is durable."""
        self._recent = recent
        self.corrupt: list[CorruptRecord] = []
        self._maps = maps
        self._db = maps.db
        self._txn = txn
        stored = txn.get(layout.META_HEAD, db=maps.db[layout.META])
        if stored is None:
            raise CorruptRecord(layout.META, layout.META_HEAD, "missing")
        self._sequence, self._hash = log.unseal_head(layout.META, layout.META_HEAD, stored)
        self._was: dict[bytes, Payment | None] = {}
        self._now: dict[bytes, Payment] = {}
        self._counts: Counter[tuple[str, State]] = Counter()
        self._entries: list[tuple[bytes, bytes]] = []
        """Of seq2fact, in their order. This and the next ones `finish` writes."""
        self._new: list[tuple[bytes, bytes]] = []
        """Of payment2record, as `_changed`: id and record."""
        self._changed: list[tuple[bytes, bytes]] = []
        self._leading: dict[bytes, bytes] = {}
        """Of payment2seq: key → as this batch leaves it so far."""
        self._keys: dict[bytes, bytes] = {}
        """Of key2payment: what this batch adds."""
        self._appeared: defaultdict[str, list[bytes]] = defaultdict(list)
        """Mapping → new keys of index entries."""
        self._begun: dict[tuple[str, str], tuple[bytes, int]] = {}
        """Tenant and bank → the beginning of their facts, and its number."""
        self._shelved: set[bytes] = set()
        """SHA-256 of evidence that is there."""
        self._hashes: Any = None
        """A cursor over sha2evidence; made when there is evidence, and then kept: making one costs more than a look."""
        self._evidence = 0
        """The number that was last given to evidence; looked up when there is some."""
        self._coined: dict[bytes, int] = {}
        """Phrases to which this batch has given a number."""
        self._words: set[tuple[str, str, bytes]] | None = None
        """What the log has of banks' words about unreadable payments; looked up when there is a new one."""

    def admit(self, admission: Admission, now_ns: int) -> Admitted:
        """Law 2: the look-up and the payment are one transaction.

        Raises CorruptRecord where the key's payment cannot be read, ValueError (also from `finish`) where the id is
        taken or the record is too large, IllegalStep; the transaction must then be aborted.
        """
        payment = admission.payment
        key = layout.key_key(payment.tenant, payment.instruction.idempotency_key)
        owner = self._keys.get(key) or self._txn.get(key, db=self._db[layout.KEY2PAYMENT])
        if owner is not None:
            return self._known(key, owner, payment.fingerprint)
        if payment.id in self._now:
            raise ValueError(_ID_TAKEN)
        self._keys[key] = payment.id
        self._was[payment.id] = None
        self._append(fact(payment, payment.state, _RECEIVED, self._sequence + 1))
        for happening in admission.then:
            payment = self._step(payment, happening, now_ns, _wire(payment, happening))
        self._now[payment.id] = payment
        return Admitted(payment)

    def take(self, step: Step, now_ns: int) -> Stepped:
        """A step that the table refuses, that says nothing new or that comes too late changes nothing."""
        payment_id = step.payment_id or self._by_wire(*step.wire)
        try:
            payment = self.payment(payment_id) if payment_id else None
        except CorruptRecord as error:
            self.corrupt.append(error)
            if step.outcome is not None:
                self._note_unreadable(payment_id, step.outcome, now_ns)
            return Stepped(None, taken=False, unreadable=True)
        if payment is None:
            return Stepped(None, taken=False)
        happening = happening_of(payment, step, now_ns)
        if isinstance(happening, Objection):
            return Stepped(payment, taken=False, objection=happening)
        if happening is None:
            return Stepped(payment, taken=False)
        wire = _wire(payment, happening)
        # The reference that it is sent or suspected under may be its own: never another's.
        if wire and self._txn.get(wire, db=self._db[layout.WIRE2PAYMENT]) not in (None, payment.id):
            return Stepped(payment, taken=False)
        try:
            moved = self._step(payment, happening, now_ns, wire)
        except IllegalStep:
            return Stepped(payment, taken=False)
        self._now[moved.id] = moved
        return Stepped(moved, taken=True)

    def log(self, happening: StoreHappening, now_ns: int) -> None:
        """A fact about the store itself."""
        if happening.evidence:
            happening = replace(happening, evidence=self.keep(happening.evidence))
        self._append(store_fact(happening, self._sequence + 1, self._store_version() + 1, now_ns))

    def set_cursor(self, bank: str, cursor: str) -> None:
        key = layout.cursor_key(bank)
        self._txn.put(key, envelope.seal(key, cursor.encode()), db=self._db[layout.META])

    def payment(self, payment_id: bytes) -> Payment | None:
        """The payment as this batch leaves it so far. Raises CorruptRecord."""
        payment = self._now.get(payment_id)
        if payment is not None:
            return payment
        known = self._recent.get(payment_id)
        if known is not None:
            self._was[payment_id] = self._now[payment_id] = known.payment
            return known.payment
        stored = self._stored(payment_id) if len(payment_id) == layout.ID_BYTES else None
        if stored is None:
            return None
        payment = records.unseal_payment(layout.PAYMENT2RECORD, payment_id, stored, self._phrase)
        self._was[payment_id] = self._now[payment_id] = payment
        return payment

    def finish(self) -> None:
        """Writes what the steps have led to. To be called once, last."""
        # In the order of their keys: new ones then come behind all others, and LMDB fills its pages instead of halving
        # them. Sequences only grow, so the log is written at its end: half the price of a search from the root.
        for payment_id, payment in sorted(self._now.items()):
            was = self._was[payment_id]
            if payment is not was:
                self._write(was, payment)
        if self._put(layout.PAYMENT2RECORD, self._new, overwrite=False) < len(self._new):
            raise ValueError(_ID_TAKEN)
        self._put(layout.PAYMENT2RECORD, self._changed)
        self._put(layout.SEQ2FACT, self._entries, append=True)
        self._put(layout.PAYMENT2SEQ, sorted(self._leading.items()))
        self._put(layout.KEY2PAYMENT, sorted(self._keys.items()))
        for mapping, keys in self._appeared.items():
            self._put(mapping, [(key, b"") for key in sorted(keys)])
        self._write_counts()
        if self.facts:
            head = log.seal_head(layout.META_HEAD, self._sequence, self._hash)
            self._txn.put(layout.META_HEAD, head, db=self._db[layout.META])

    def _put(self, mapping: str, items: list[tuple[bytes, bytes]], **how: bool) -> int:
        """All of them in one call, which costs half of one call for each. Returns how many are new."""
        if not items:
            return 0
        _, added = self._txn.cursor(db=self._db[mapping]).putmulti(items, **how)
        return int(added)

    def _stored(self, payment_id: bytes) -> bytes | None:
        return self._txn.get(payment_id, db=self._db[layout.PAYMENT2RECORD])

    def _known(self, key: bytes, owner: bytes, fingerprint: bytes) -> Admitted:
        payment = self.payment(owner)
        if payment is None:
            raise CorruptRecord(layout.KEY2PAYMENT, key, "names a payment that is not there")
        same = payment.fingerprint == fingerprint
        return Admitted(payment, replay=same, key_reused=not same)

    def _by_wire(self, bank: str, wire_reference: str) -> bytes:
        return self._txn.get(layout.wire_key(bank, wire_reference), db=self._db[layout.WIRE2PAYMENT]) or b""

    def _step(self, payment: Payment, happening: Happening, now_ns: int, wire: bytes) -> Payment:
        """`wire`: the key of the reference that the happening names, b"" where it names none."""
        moved = after(payment, happening, now_ns)
        if happening.evidence:
            happening = self._kept(happening)
        if wire:
            self._txn.put(wire, payment.id, db=self._db[layout.WIRE2PAYMENT])
        self._append(fact(moved, payment.state, happening, self._sequence + 1))
        return moved

    def _kept(self, happening: Happening) -> Happening:
        kept = self.keep(happening.evidence)
        return happening if len(kept) == len(happening.evidence) else replace(happening, evidence=kept)

    def keep(self, evidence: bytes) -> bytes:
        """Stores a bank's bytes under their SHA-256, once for all that rests on them, and returns them as kept: cut
        to the bound."""
        body = bounded_evidence(evidence)
        sha256 = hashlib.sha256(body).digest()
        if sha256 not in self._shelved and not self._has_evidence(sha256):
            self._put_evidence(sha256, body, len(evidence))
        self._shelved.add(sha256)
        return body

    def _has_evidence(self, sha256: bytes) -> bool:
        if self._hashes is None:
            self._hashes = self._txn.cursor(db=self._db[layout.SHA2EVIDENCE])
        prefix = sha_prefix(sha256)
        begins_alike = self._hashes.set_range(prefix) and self._hashes.key().startswith(prefix)
        return begins_alike and self._view().has_evidence(sha256)

    def _put_evidence(self, sha256: bytes, body: bytes, original_bytes: int) -> None:
        kept = self._db[layout.EVIDENCE]
        if not self._evidence:
            self._evidence = int.from_bytes(self._view().last(layout.EVIDENCE) or b"", "big")
        self._evidence += 1
        key = evidence_key(self._evidence)
        self._txn.put(key, seal_evidence(key, body, original_bytes), append=True, db=kept)
        self._appeared[layout.SHA2EVIDENCE].append(sha_prefix(sha256) + key)

    def _view(self) -> View:
        return View(self._maps, self._txn, self.corrupt.append, durable=False)

    def _phrase(self, number: int) -> bytes:
        return self._maps.phrases.spelled(self._txn, number, durable=number not in self._coined.values())

    def _note_unreadable(self, payment_id: bytes, outcome: Outcome, now_ns: int) -> None:
        """What a bank says of a payment that cannot be read is kept and named: it will not say it again. Once for the
        same word, and at most UNREADABLE_WORDS_MAX of them, or a bank could fill the log with a torn page of ours."""
        said = f"{outcome.word} {outcome.bank_status} {outcome.bank_reason}".strip().encode()
        view = self._view()
        happening = StoreHappening(
            StoreKind.UNREADABLE_PAYMENT,
            bank=view.bank_of(payment_id),
            wire_reference=outcome.wire_reference,
            bank_status=outcome.bank_status,
            evidence=self.keep(outcome.evidence or said),
        )
        entry = store_fact(happening, self._sequence + 1, self._store_version() + 1, now_ns)
        word = _word(entry)
        if self._words is None:
            self._words = {_word(fact) for fact in view.unreadable_words()}
        if word not in self._words and len(self._words) < limits.UNREADABLE_WORDS_MAX:
            self._words.add(word)
            self._append(entry)

    def _append(self, entry: Fact) -> None:
        self._sequence = entry.sequence
        begun = self._begun.get((entry.tenant, entry.bank))
        beginning, number = begun or self._begin(entry.tenant, entry.bank)
        rest = log.rest_of(entry)
        self._hash = chained(self._hash, beginning + rest)
        key = layout.number(self._sequence)
        self._entries.append((key, log.seal_fact(key, self._hash, beginning, rest, number)))
        self._lead_to(entry)
        self.facts.append(entry)

    def _begin(self, tenant: str, bank: str) -> tuple[bytes, int]:
        beginning = log.beginning(tenant, bank)
        begun = beginning, self._maps.phrases.number(self._txn, beginning, self._coined)
        self._begun[tenant, bank] = begun
        return begun

    def _lead_to(self, fact: Fact) -> None:
        key = layout.payment_seq_key(fact.payment_id, fact.version)
        entry = self._leading.get(key)
        if entry is None:
            entry = self._sequences(key, fact)
        self._leading[key] = layout.with_sequence(entry, fact.sequence)

    def _sequences(self, key: bytes, fact: Fact) -> bytes:
        """The entry of payment2seq before this fact; empty where the fact is its first."""
        if fact.version % layout.PART_FACTS == 1:
            return b""
        known = self._recent.get(fact.payment_id)
        if known is not None and known.payment.version == fact.version - 1 and known.sequences:
            return known.sequences
        return self._txn.get(key, db=self._db[layout.PAYMENT2SEQ]) or b""

    def _store_version(self) -> int:
        """How many facts about the store there are."""
        of_batch = [key for key in self._leading if key.startswith(STORE_ID)]
        cursor = self._txn.cursor(db=self._db[layout.PAYMENT2SEQ])
        beyond = cursor.set_range(layout.part_key(STORE_ID, layout.LAST_PART))
        found = cursor.prev() if beyond else cursor.last()
        stored = bytes(cursor.key()) if found else b""
        key = max([*of_batch, stored] if stored.startswith(STORE_ID) else of_batch, default=b"")
        if not key:
            return 0
        entry = self._leading.get(key) or bytes(cursor.value())
        return layout.first_version(key) - 1 + len(layout.sequences(entry))

    def _write(self, was: Payment | None, payment: Payment) -> None:
        known = self._recent.get(payment.id)
        if known is not None and was is not known.payment:
            known = None
        standing = known.standing if known else self._standing(payment)
        sealed = records.seal_payment(payment, standing)
        if was is None and len(sealed) > records.NEW_RECORD_BYTES_MAX:
            raise ValueError(f"a record of {len(sealed)} bytes, new ones have at most {records.NEW_RECORD_BYTES_MAX}")
        (self._new if was is None else self._changed).append((payment.id, sealed))
        sequences = self._leading[layout.payment_seq_key(payment.id, payment.version)]
        entries = layout.moving(payment)
        self.written.append(Known(payment, standing, sequences, entries))
        self._counts[payment.instruction.bank, payment.state] += 1
        if was is None:
            self._appear(layout.standing(payment) + entries)
            return
        self._counts[was.instruction.bank, was.state] -= 1
        gone = known.moving if known else layout.moving(was)
        for entry in gone:
            if entry not in entries:
                self._txn.delete(entry[1], db=self._db[entry[0]])
        self._appear([entry for entry in entries if entry not in gone])

    def _appear(self, entries: Iterable[layout.Entry]) -> None:
        for mapping, key in entries:
            self._appeared[mapping].append(key)

    def _standing(self, payment: Payment) -> Standing:
        beginning, most = records.beginning(payment), phrases.PHRASES_OF_PAYMENTS_MAX
        return records.standing_of(payment, self._maps.phrases.number(self._txn, beginning, self._coined, most))

    def _write_counts(self) -> None:
        counts = self._db[layout.COUNT]
        for (bank, state), change in self._counts.items():
            if change:
                key = layout.count_key(bank, state)
                total = int.from_bytes(self._txn.get(key, db=counts) or b"", "big") + change
                self._txn.put(key, layout.number(total), db=counts)


def _wire(payment: Payment, happening: Happening) -> bytes:
    """The key of wire2payment under which the payment is found from this happening on; b"" where it adds none."""
    named = wire_named(payment, happening)
    return layout.wire_key(*named) if named else b""


def _word(fact: Fact) -> tuple[str, str, bytes]:
    return fact.bank, fact.wire_reference, fact.evidence_sha256
