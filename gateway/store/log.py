"""Records of the log: facts, the hash that each continues the chain with, and the head of the chain.

The chain hash of a fact is SHA-256 over the one before and the fact's bytes, from GENESIS on (law 10): a protobuf
message that begins with tenant and bank, by their names. Stored is the number of that beginning (phrases.py) and what
follows. Whoever has the facts can compute it, so it need not be stored to be proven: the head has the last one in full,
and a fact that was altered, exchanged, lost or put in changes it. What is kept beside each fact is the beginning of its
hash, by which the verifier names the fact where a chain breaks, and beside each CHECKPOINT_EVERY-th the whole, from
which it goes on.
"""

from functools import lru_cache
from typing import Final

from causeway.store.v1 import record_pb2 as pb
from gateway.core.facts import Fact
from gateway.store import codes, phrases
from gateway.store.envelope import ENVELOPE_BYTES, CorruptRecord, decoded, seal, unseal
from gateway.store.phrases import Phrase
from gateway.store.spelling import packed_reference, packed_traceparent, reference_of, traceparent_of

HASH_BYTES: Final = 32
TAG_BYTES: Final = 4
"""Of its chain hash beside a fact: an altered fact goes unnamed once in 4 billion, and unfound never."""
CHECKPOINT_EVERY: Final = 64
"""Facts between two whole hashes: so many at most are not held against the chain behind one that cannot be read."""


BEGINNINGS_KEPT_MAX: Final = 4_096  # encoded: some 1 MB


@lru_cache(BEGINNINGS_KEPT_MAX)
def beginning(tenant: str, bank: str) -> bytes:
    """What a fact's bytes begin with."""
    return pb.Fact(tenant=tenant, bank=bank).SerializeToString()


def fact_body(fact: Fact) -> bytes:
    """The bytes of a fact: what the chain is computed over. Its sequence is its place in the chain."""
    return beginning(fact.tenant, fact.bank) + rest_of(fact)


def rest_of(fact: Fact) -> bytes:
    """The bytes of a fact behind its beginning."""
    m = pb.Fact()
    m.payment_id = fact.payment_id
    m.version = fact.version
    m.at_ns = fact.at_ns
    m.kind = codes.KINDS[fact.kind]
    m.before = codes.STATE_OR_NONE[fact.before]
    m.after = codes.STATE_OR_NONE[fact.after]
    if fact.reason is not None:
        m.reason = codes.REASONS[fact.reason]
    if fact.attempt:
        m.attempt = fact.attempt
    if fact.wire_reference:
        m.wire = packed_reference(fact.wire_reference)
        if not m.wire:
            m.wire_reference = fact.wire_reference
    if fact.bank_status or fact.bank_reason:
        m.bank_status = fact.bank_status
        m.bank_reason = fact.bank_reason
    if fact.evidence_sha256:
        m.evidence_sha256 = fact.evidence_sha256
    if fact.traceparent:
        m.trace = packed_traceparent(fact.traceparent)
        if not m.trace:
            m.traceparent = fact.traceparent
    if fact.holds:
        m.holds.extend(fact.holds)
    if fact.actor:
        m.actor = fact.actor
    if fact.decision is not None:
        m.decision = codes.DECISIONS[fact.decision]
        m.proposer = fact.proposer
        m.proposal_sha256 = fact.proposal_sha256
    return m.SerializeToString()


def kept_hash(sequence: int, chain_hash: bytes) -> bytes:
    """What of a fact's chain hash is stored beside it."""
    return chain_hash[: HASH_BYTES if sequence % CHECKPOINT_EVERY == 0 else TAG_BYTES]


def seal_fact(key: bytes, chain_hash: bytes, begins: bytes, rest: bytes, number: int = phrases.SPELLED_OUT) -> bytes:
    """`begins` is the fact's `beginning`, and `number` that of the phrase."""
    kept = kept_hash(int.from_bytes(key, "big"), chain_hash) + phrases.number_key(number)
    return seal(key, kept + rest, begins) if number else seal(key, kept + begins + rest)


def unseal_fact(mapping: str, key: bytes, stored: bytes, phrase: Phrase = phrases.none) -> tuple[Fact, bytes, bytes]:
    """(the fact, what is kept of its chain hash, its bytes). Raises CorruptRecord, also where its phrase cannot be
    read."""
    sequence = int.from_bytes(key, "big")
    kept_bytes = TAG_BYTES if sequence % CHECKPOINT_EVERY else HASH_BYTES
    begins = phrases.before(mapping, key, stored, ENVELOPE_BYTES + kept_bytes, phrase)
    sealed = unseal(mapping, key, stored, begins)
    body = begins + sealed[kept_bytes + phrases.NUMBER_BYTES :]
    return decoded(mapping, key, lambda of: _fact(sequence, of), body), sealed[:kept_bytes], body


def _fact(sequence: int, body: bytes) -> Fact:
    m = pb.Fact.FromString(body)
    return Fact(
        sequence=sequence,
        payment_id=m.payment_id,
        tenant=m.tenant,
        version=m.version,
        at_ns=m.at_ns,
        kind=codes.KIND_OF[m.kind],
        before=codes.STATE_OR_NONE_OF[m.before],
        after=codes.STATE_OR_NONE_OF[m.after],
        reason=codes.REASON_OF[m.reason],
        bank=m.bank,
        attempt=m.attempt,
        wire_reference=reference_of(m.wire) if m.wire else m.wire_reference,
        bank_status=m.bank_status,
        bank_reason=m.bank_reason,
        holds=tuple(m.holds),
        actor=m.actor,
        traceparent=traceparent_of(m.trace) if m.trace else m.traceparent,
        evidence_sha256=m.evidence_sha256,
        decision=codes.DECISION_OF[m.decision],
        proposer=m.proposer,
        proposal_sha256=m.proposal_sha256,
    )


def seal_head(key: bytes, sequence: int, chain_hash: bytes) -> bytes:
    return seal(key, sequence.to_bytes(8, "big") + chain_hash)


def unseal_head(mapping: str, key: bytes, stored: bytes) -> tuple[int, bytes]:
    """(last sequence, its chain hash); (0, GENESIS) in a new store. Raises CorruptRecord."""
    body = unseal(mapping, key, stored)
    if len(body) != 8 + HASH_BYTES:
        raise CorruptRecord(mapping, key, f"a head of {len(body)} bytes")
    return int.from_bytes(body[:8], "big"), body[8:]
