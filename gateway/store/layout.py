"""The LMDB map on one screen: every mapping, its key bytes, its value, who writes it and who reads it.

Numbers in keys are big-endian, so that LMDB's byte order is the order of time and of sequence. Every text carries
its length in one byte: no tenant, bank or key can be spelled so that it falls into another's range. Texts are kept as
they are, because clients count upwards: their keys then fall on pages that are being written anyway. A long one is
hashed, so that all keys stay below LMDB's 511 bytes.

mapping          key                                   value                     written by           read by
number2phrase    number                                sealed phrase             admit, take, log     everybody
phrase2number    phrase                                sealed number             admit, take, log     admit, take, log
key2payment      tenant, idempotency key               id                        admit                admit, by_key
payment2record   id                                    sealed Payment            admit, take          everybody
end2payment      tenant, EndToEndId, id  (where it is  –                         admit                by_end_to_end_id
                 not the idempotency key)
tenant2payment   tenant, id                            –                         admit                page
wire2payment     bank, wire reference                  id                        take (MARKED,         take, by_wire
                                                                                 SUSPECTED)
due2payment      bank, class, moment, id  (the outbox) –                         while QUEUED         due, next_due_ns
inquiry2payment  bank, class, moment, id               –                         while planned        inquiries_due
doubt2payment    bank, since, id                       –                         while IN_DOUBT       doubts
state2payment    state, id  (not the SETTLED)          –                         admit, take          in_state, page
count            bank, state                           payments in it            admit, take          counts
seq2fact         sequence                              chain hash, sealed Fact   admit, take, log     facts
payment2seq      id (or STORE_ID), part                sequences of its facts    admit, take, log     facts_of, store
evidence         number                                sealed Evidence           take, log            evidence
sha2evidence     beginning of the body's SHA-256,      –                         take, log            evidence
                 number of the evidence
meta             "format" | "head" | "cursor" bank     see records               open, writer         open, writer

`standing` and `moving` say which index entries a payment has; the writer stores the difference between before and
after, and the verifier holds the same two functions against what is there. key2payment and wire2payment are never
deleted: an idempotency key lives as long as its payment (law 2), and a bank's late word must always find the payment
it means.

Evidence has numbers because they grow: by its hash it would fall on any page, and leave a third of each empty.

What nothing asks for is not kept twice. An EndToEndId that is the idempotency key is found by that. SETTLED is what
nearly every payment becomes, so a list of those is a list of all payments, filtered; every other state has its index.
"""

import hashlib
from functools import lru_cache
from typing import Final

from gateway.core.payment import Payment, Rail
from gateway.core.states import State
from gateway.store import codes
from gateway.store.spelling import packed_reference

FORMAT: Final = 4
"""Version of this map and of the records in it. Any other is refused at the door: nothing was released under format 1
(inquiry2payment without its class, wire references made from ids, no word of "not found" on the record), 2 (states and
reasons by their names, an entry for each fact in payment2seq) or 3 (no phrases, evidence by its hash), so nothing
converts them."""

NUMBER2PHRASE: Final = "number2phrase"
PHRASE2NUMBER: Final = "phrase2number"

KEY2PAYMENT: Final = "key2payment"
PAYMENT2RECORD: Final = "payment2record"
END2PAYMENT: Final = "end2payment"
TENANT2PAYMENT: Final = "tenant2payment"
WIRE2PAYMENT: Final = "wire2payment"
DUE2PAYMENT: Final = "due2payment"
INQUIRY2PAYMENT: Final = "inquiry2payment"
DOUBT2PAYMENT: Final = "doubt2payment"
STATE2PAYMENT: Final = "state2payment"
COUNT: Final = "count"
SEQ2FACT: Final = "seq2fact"
PAYMENT2SEQ: Final = "payment2seq"
EVIDENCE: Final = "evidence"
SHA2EVIDENCE: Final = "sha2evidence"
META: Final = "meta"

MAPPINGS: Final = (
    NUMBER2PHRASE,
    PHRASE2NUMBER,
    KEY2PAYMENT,
    PAYMENT2RECORD,
    END2PAYMENT,
    TENANT2PAYMENT,
    WIRE2PAYMENT,
    DUE2PAYMENT,
    INQUIRY2PAYMENT,
    DOUBT2PAYMENT,
    STATE2PAYMENT,
    COUNT,
    SEQ2FACT,
    PAYMENT2SEQ,
    EVIDENCE,
    SHA2EVIDENCE,
    META,
)

META_FORMAT: Final = b"format"
META_HEAD: Final = b"head"

ID_BYTES: Final = 16
KEY_BYTES_MAX: Final = 511  # LMDB's own, as it is compiled
PREFIX_TEXT_BYTES_MAX: Final = 255  # one length byte
TEXT_BYTES_MAX: Final = 200  # an idempotency key of 128 characters is rarely longer, an EndToEndId never
_HASHED: Final = b"\xff"
"""In place of a length, above TEXT_BYTES_MAX: the hash of a text follows."""

assert 1 + PREFIX_TEXT_BYTES_MAX + 1 + TEXT_BYTES_MAX + ID_BYTES < KEY_BYTES_MAX
assert _HASHED[0] > TEXT_BYTES_MAX

INSTANT: Final = 0
"""Class of an outbox entry whose rail gives it seconds: before every other that is not in back-off."""
NOW: Final = 1
"""Class of an outbox entry that may be sent whatever the clock says; its moment only gives its turn."""
LATER: Final = 2
"""Class of an outbox entry that waits for its moment (back-off)."""

DOUBT: Final = 0
"""Class of an inquiry about a payment in doubt: asked before every other, or follow-ups would starve it."""
FOLLOW_UP: Final = 1
"""Class of an inquiry about an accepted payment."""

Entry = tuple[str, bytes]
"""(mapping, key)."""


def number(value: int) -> bytes:
    """A sequence or a moment in Unix nanoseconds, as 8 bytes in the order of its value."""
    return value.to_bytes(8, "big")


PREFIXES_KEPT_MAX: Final = 4_096  # tenants and banks, some 0.5 MB: each is asked for at every step of a payment


@lru_cache(PREFIXES_KEPT_MAX)
def prefix(text: str) -> bytes:
    """A tenant or bank before other parts. ValueError when it is longer than PREFIX_TEXT_BYTES_MAX."""
    raw = text.encode()
    if len(raw) > PREFIX_TEXT_BYTES_MAX:
        raise ValueError(f"a tenant or bank name has at most {PREFIX_TEXT_BYTES_MAX} bytes")
    return bytes((len(raw),)) + raw


def text(value: str) -> bytes:
    """A client's or a bank's text of any length, in at most TEXT_BYTES_MAX + 1 bytes."""
    raw = value.encode()
    if len(raw) <= TEXT_BYTES_MAX:
        return bytes((len(raw),)) + raw
    return _HASHED + hashlib.blake2b(raw, digest_size=32).digest()


def key_key(tenant: str, idempotency_key: str) -> bytes:
    return prefix(tenant) + text(idempotency_key)


def end_prefix(tenant: str, end_to_end_id: str) -> bytes:
    return prefix(tenant) + text(end_to_end_id)


_PACKED: Final = b"\xfe"
"""In place of a length: a reference of ours, packed."""

assert TEXT_BYTES_MAX < _PACKED[0] < _HASHED[0]


def wire_key(bank: str, wire_reference: str) -> bytes:
    packed = packed_reference(wire_reference)
    return prefix(bank) + (_PACKED + packed if packed else text(wire_reference))


def state_prefix(state: State) -> bytes:
    return bytes((codes.STATES[state],))


def due_prefix(bank: str, when: int) -> bytes:
    """`when` is INSTANT, NOW or LATER."""
    return prefix(bank) + bytes((when,))


def due_key(payment: Payment) -> bytes:
    """A payment without back-off is due at once and takes its turn by its age; one with back-off at its moment."""
    if payment.send_after_ns:
        when, moment = LATER, payment.send_after_ns
    else:
        when = INSTANT if payment.instruction.rail is Rail.INSTANT else NOW
        moment = payment.received_at_ns
    return due_prefix(payment.instruction.bank, when) + number(moment) + payment.id


def inquiry_prefix(bank: str, why: int) -> bytes:
    """`why` is DOUBT or FOLLOW_UP."""
    return prefix(bank) + bytes((why,))


def inquiry_key(payment: Payment) -> bytes:
    why = DOUBT if payment.state is State.IN_DOUBT else FOLLOW_UP
    return inquiry_prefix(payment.instruction.bank, why) + number(payment.inquire_at_ns) + payment.id


def doubt_key(payment: Payment) -> bytes:
    """By the doubt's age, not the payment's: who has waited longest for an answer comes first."""
    return prefix(payment.instruction.bank) + number(payment.doubt_since_ns) + payment.id


DOUBT_PLACE_BYTES: Final = 8 + ID_BYTES
"""The end of a doubt_key: the place in the order of doubts over all banks."""


def count_key(bank: str, state: State) -> bytes:
    return prefix(bank) + state_prefix(state)


SEQUENCE_BYTES: Final = 6
"""Of the first in an entry of payment2seq: 280 million million facts."""
PART_FACTS: Final = 64
"""Versions whose sequences are in one entry of payment2seq: 1 to 64 are in part 0."""
PART_BYTES: Final = 4
LAST_PART: Final = (1 << 8 * PART_BYTES) - 1
ENTRY_BYTES_USUAL: Final = 16
"""Received, cleared, marked, accepted, settled: the first entry has room for them, so that it stays where it is."""


def payment_seq_key(payment_id: bytes, version: int) -> bytes:
    """The entry of payment2seq that has the sequence of this version's fact; versions begin with 1."""
    return payment_id if version <= PART_FACTS else part_key(payment_id, (version - 1) // PART_FACTS)


def part_key(payment_id: bytes, part: int) -> bytes:
    """Of part 0 the id alone: hardly any payment has another."""
    return payment_id + part.to_bytes(PART_BYTES, "big") if part else payment_id


def first_version(key: bytes) -> int:
    """Of an entry of payment2seq."""
    return int.from_bytes(key[ID_BYTES:], "big") * PART_FACTS + 1


def with_sequence(entry: bytes, sequence: int) -> bytes:
    """An entry of payment2seq with one more fact, which comes behind the others.

    The first sequence is there as it is, each other as its distance to the first, seven bits to a byte, the lowest
    first, and the highest bit says that more follow. Zeros at the end are room: no distance ends with one. An entry
    that says it begins behind this fact was damaged, and begins anew: the log has all facts, the verifier names it.
    """
    distance = sequence - int.from_bytes(entry[:SEQUENCE_BYTES], "big")
    if not entry or distance <= 0:
        return sequence.to_bytes(SEQUENCE_BYTES, "big").ljust(ENTRY_BYTES_USUAL, b"\x00")
    digits = bytearray()
    while distance > 0x7F:
        digits.append(distance & 0x7F | 0x80)
        distance >>= 7
    digits.append(distance)
    first, others = entry[:SEQUENCE_BYTES], entry[SEQUENCE_BYTES:].rstrip(b"\x00")
    return (first + others + digits).ljust(ENTRY_BYTES_USUAL, b"\x00")


def sequences(entry: bytes) -> list[int]:
    """In the order of their versions. What an entry that was cut or altered says need not be so: whoever reads a fact
    looks at whose it is."""
    if not entry:
        return []
    found = [first := int.from_bytes(entry[:SEQUENCE_BYTES], "big")]
    distance = shift = 0
    for digit in entry[SEQUENCE_BYTES:].rstrip(b"\x00"):
        distance |= (digit & 0x7F) << shift
        shift += 7
        if not digit & 0x80:
            found.append(first + distance)
            distance = shift = 0
    return found


def bank_and_state(key: bytes) -> tuple[str, int]:
    """Back from a count_key: the bank's name and the state's code."""
    return key[1 : 1 + key[0]].decode(), key[-1]


def cursor_key(bank: str) -> bytes:
    return b"cursor" + prefix(bank)


def moment_of(key: bytes) -> int:
    """The moment in a key of due2payment or inquiry2payment: the 8 bytes before the id."""
    return int.from_bytes(key[-ID_BYTES - 8 : -ID_BYTES], "big")


def standing(payment: Payment) -> tuple[Entry, ...]:
    """The index entries a payment has from its admission on, whatever becomes of it."""
    instruction = payment.instruction
    of_tenant = (TENANT2PAYMENT, prefix(payment.tenant) + payment.id)
    if instruction.end_to_end_id == instruction.idempotency_key:
        return (of_tenant,)
    return ((END2PAYMENT, end_prefix(payment.tenant, instruction.end_to_end_id) + payment.id), of_tenant)


def moving(payment: Payment) -> tuple[Entry, ...]:
    """The index entries that follow a payment's state."""
    if payment.state is State.SETTLED:
        return ()
    state = (STATE2PAYMENT, state_prefix(payment.state) + payment.id)
    if payment.state is State.QUEUED:
        return (state, (DUE2PAYMENT, due_key(payment)))
    entries = (state, (DOUBT2PAYMENT, doubt_key(payment))) if payment.state is State.IN_DOUBT else (state,)
    if payment.inquire_at_ns and payment.state in (State.IN_DOUBT, State.ACCEPTED):
        return (*entries, (INQUIRY2PAYMENT, inquiry_key(payment)))
    return entries
