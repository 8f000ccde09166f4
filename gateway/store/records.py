"""Records: core's dataclasses as bytes and back, in an envelope that is checked at every read.

The envelope is version (1 byte), length of the body (4), CRC-32 over key and body (4), body. The key is in the
checksum, so a whole record under another payment's key is as corrupt as a torn one. What the checksum cannot show
(somebody rewrote a record and its checksum) the fact chain shows: see verify.
"""

import struct
import zlib
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Final, TypeVar

from google.protobuf.message import DecodeError

from causeway.store.v1 import record_pb2 as pb
from gateway import limits
from gateway.core.facts import Fact, StoreKind
from gateway.core.payment import (
    Account,
    Address,
    Attempt,
    ChargeBearer,
    Ended,
    Instruction,
    Money,
    Party,
    Payment,
    Rail,
    Uptime,
)
from gateway.core.proposal import Decision, Proposal
from gateway.core.reasons import Reason
from gateway.core.states import Kind, State

ENVELOPE_VERSION: Final = 1
HASH_BYTES: Final = 32
NEW_RECORD_BYTES_MAX: Final = limits.RECORD_BYTES_MAX // 2
"""A new payment's record; the other half is for its life: attempts (life.ATTEMPTS_KEPT), holds, the bank's words."""

_ENVELOPE = struct.Struct(">BII")
_REASONS: Final[dict[str, Reason | None]] = {"": None, **{reason.value: reason for reason in Reason}}
_STATES: Final = {state.value: state for state in State}
_KINDS: Final[dict[str, Kind | StoreKind]] = {kind.value: kind for kind in (*Kind, *StoreKind)}
_STATES_OF_FACTS: Final[dict[str, State | None]] = {"": None, **_STATES}
_BEARERS: Final = {bearer.value: bearer for bearer in ChargeBearer}
_RAILS: Final = {rail.value: rail for rail in Rail}
_DECISIONS: Final[dict[str, Decision | None]] = {"": None, **{decision.value: decision for decision in Decision}}
_ENDED: Final = {ended.value: ended for ended in Ended}

_T = TypeVar("_T")


class CorruptRecord(Exception):
    """A stored record that is torn, altered or unreadable. Its payment can never be sent: a send needs a mark, a
    mark needs the record."""

    def __init__(self, mapping: str, key: bytes, what: str) -> None:
        super().__init__(f"{mapping} {key.hex()}: {what}")
        self.mapping = mapping
        self.key = key
        self.what = what


def seal(key: bytes, body: bytes) -> bytes:
    """The body in its envelope, to be stored under `key`."""
    return _ENVELOPE.pack(ENVELOPE_VERSION, len(body), zlib.crc32(body, zlib.crc32(key))) + body


def unseal(mapping: str, key: bytes, stored: bytes) -> bytes:
    """The body. Raises CorruptRecord, naming the mapping and the key."""
    if len(stored) < _ENVELOPE.size:
        raise CorruptRecord(mapping, key, f"only {len(stored)} bytes")
    version, length, checksum = _ENVELOPE.unpack_from(stored)
    body = stored[_ENVELOPE.size :]
    if version != ENVELOPE_VERSION:
        raise CorruptRecord(mapping, key, f"envelope version {version}, this Causeway reads {ENVELOPE_VERSION}")
    if length != len(body):
        raise CorruptRecord(mapping, key, f"{len(body)} bytes where {length} were written")
    if checksum != zlib.crc32(body, zlib.crc32(key)):
        raise CorruptRecord(mapping, key, "checksum does not match")
    return body


def _decoded(mapping: str, key: bytes, read: Callable[[bytes], _T], body: bytes) -> _T:
    try:
        return read(body)
    except (DecodeError, KeyError, ValueError, ArithmeticError) as error:
        # The text names the kind of error only: the bytes hold names and accounts (law 11).
        raise CorruptRecord(mapping, key, f"whole, but cannot be read ({type(error).__name__})") from error


# ---------------------------------------------------------------- payments


def seal_payment(payment: Payment, standing: bytes = b"") -> bytes:
    """The record of a payment. `standing` saves making `standing_bytes` of it anew."""
    return seal(payment.id, (standing or standing_bytes(payment)) + _moving_bytes(payment))


def unseal_payment(mapping: str, payment_id: bytes, stored: bytes) -> Payment:
    """Raises CorruptRecord, also where the record speaks of another payment."""
    payment = _decoded(mapping, payment_id, _payment, unseal(mapping, payment_id, stored))
    if payment.id != payment_id:
        raise CorruptRecord(mapping, payment_id, "holds another payment")
    return payment


def standing_bytes(payment: Payment) -> bytes:
    """The part of a record that is the same from the admission on. Two parts of a protobuf message, one behind the
    other, are the message: so it is made once in a payment's life and not at each of its steps."""
    # Attributes are set one by one: faster than keyword arguments, and defaults are not stored anyway.
    m = pb.Payment()
    m.id = payment.id
    m.tenant = payment.tenant
    m.principal = payment.principal
    m.fingerprint = payment.fingerprint
    m.received_at_ns = payment.received_at_ns
    m.traceparent = payment.traceparent
    _fill_instruction(m.instruction, payment.instruction)
    return m.SerializeToString()


def _moving_bytes(payment: Payment) -> bytes:
    m = pb.Payment()
    m.state = payment.state
    m.version = payment.version
    m.updated_at_ns = payment.updated_at_ns
    if payment.holds:
        m.holds.extend(payment.holds)
    for attempt in payment.attempts:
        _fill_attempt(m.attempts.add(), attempt)
    m.send_after_ns = payment.send_after_ns
    m.doubt_since_ns = payment.doubt_since_ns
    m.inquiries = payment.inquiries
    m.inquire_at_ns = payment.inquire_at_ns
    m.bank_status = payment.bank_status
    m.bank_reason = payment.bank_reason
    m.contradiction = payment.contradiction
    if payment.missing_since is not None:
        m.missing_since.boot = payment.missing_since.boot
        m.missing_since.ns = payment.missing_since.ns
    if payment.proposal is not None:
        _fill_proposal(m.proposal, payment.proposal)
    return m.SerializeToString()


def _fill_instruction(m: pb.Instruction, instruction: Instruction) -> None:
    m.idempotency_key = instruction.idempotency_key
    m.end_to_end_id = instruction.end_to_end_id
    m.currency = instruction.amount.currency
    m.amount = str(instruction.amount.value)
    _fill_party(m.debtor, instruction.debtor)
    _fill_party(m.creditor, instruction.creditor)
    m.bank = instruction.bank
    if instruction.requested_execution_date is not None:
        m.requested_execution_date = instruction.requested_execution_date.isoformat()
    m.purpose = instruction.purpose
    m.remittance = instruction.remittance
    m.creditor_reference = instruction.creditor_reference
    m.charge_bearer = instruction.charge_bearer
    m.rail = instruction.rail
    for key, value in instruction.labels:
        m.labels.add(key=key, value=value)


def _fill_party(m: pb.Party, party: Party) -> None:
    m.name = party.name
    m.iban = party.account.iban
    m.other = party.account.other
    m.agent_bic = party.agent_bic
    address = party.address
    if address:
        a = m.address
        a.street = address.street
        a.building = address.building
        a.postal_code = address.postal_code
        a.town = address.town
        a.country = address.country


def _fill_attempt(m: pb.Attempt, attempt: Attempt) -> None:
    m.number = attempt.number
    m.bank = attempt.bank
    m.wire_reference = attempt.wire_reference
    if attempt.message_reference != attempt.wire_reference:
        m.message_reference = attempt.message_reference
    m.payload_sha256 = attempt.payload_sha256
    m.marked_at_ns = attempt.marked_at_ns
    m.deadline_ns = attempt.deadline_ns
    m.ended = attempt.ended
    if attempt.reason is not None:
        m.reason = attempt.reason


def _fill_proposal(m: pb.Proposal, proposal: Proposal) -> None:
    m.decision = proposal.decision
    m.actor = proposal.actor
    m.at_ns = proposal.at_ns
    m.digest = proposal.digest


def _payment(body: bytes) -> Payment:
    m = pb.Payment.FromString(body)
    return Payment(
        id=m.id,
        tenant=m.tenant,
        principal=m.principal,
        instruction=_instruction(m.instruction),
        fingerprint=m.fingerprint,
        state=_STATES[m.state],
        version=m.version,
        received_at_ns=m.received_at_ns,
        updated_at_ns=m.updated_at_ns,
        traceparent=m.traceparent,
        holds=tuple(m.holds),
        attempts=tuple([_attempt(a) for a in m.attempts]),
        send_after_ns=m.send_after_ns,
        doubt_since_ns=m.doubt_since_ns,
        inquiries=m.inquiries,
        inquire_at_ns=m.inquire_at_ns,
        bank_status=m.bank_status,
        bank_reason=m.bank_reason,
        contradiction=m.contradiction,
        proposal=_proposal(m.proposal) if m.HasField("proposal") else None,
        missing_since=Uptime(m.missing_since.boot, m.missing_since.ns) if m.HasField("missing_since") else None,
    )


def _instruction(m: pb.Instruction) -> Instruction:
    day = m.requested_execution_date
    return Instruction(
        idempotency_key=m.idempotency_key,
        end_to_end_id=m.end_to_end_id,
        amount=Money(m.currency, Decimal(m.amount)),
        debtor=_party(m.debtor),
        creditor=_party(m.creditor),
        bank=m.bank,
        requested_execution_date=date.fromisoformat(day) if day else None,
        purpose=m.purpose,
        remittance=m.remittance,
        creditor_reference=m.creditor_reference,
        charge_bearer=_BEARERS[m.charge_bearer],
        rail=_RAILS[m.rail],
        labels=tuple([(label.key, label.value) for label in m.labels]),
    )


_NO_ADDRESS: Final = Address()


def _party(m: pb.Party) -> Party:
    address = _NO_ADDRESS
    if m.HasField("address"):
        a = m.address
        address = Address(a.street, a.building, a.postal_code, a.town, a.country)
    return Party(m.name, Account(m.iban, m.other), m.agent_bic, address)


def _attempt(m: pb.Attempt) -> Attempt:
    return Attempt(
        number=m.number,
        bank=m.bank,
        wire_reference=m.wire_reference,
        message_reference=m.message_reference or m.wire_reference,
        payload_sha256=m.payload_sha256,
        marked_at_ns=m.marked_at_ns,
        deadline_ns=m.deadline_ns,
        ended=_ENDED[m.ended],
        reason=_REASONS[m.reason],
    )


def _proposal(m: pb.Proposal) -> Proposal:
    return Proposal(decision=Decision(m.decision), actor=m.actor, at_ns=m.at_ns, digest=m.digest)


# ---------------------------------------------------------------- facts


def fact_body(fact: Fact) -> bytes:
    """The stored bytes of a fact: what the chain is computed over."""
    m = pb.Fact()
    m.sequence = fact.sequence
    m.payment_id = fact.payment_id
    m.tenant = fact.tenant
    m.version = fact.version
    m.at_ns = fact.at_ns
    m.kind = fact.kind
    m.before = fact.before or ""
    m.after = fact.after or ""
    if fact.reason is not None:
        m.reason = fact.reason
    m.bank = fact.bank
    m.attempt = fact.attempt
    m.wire_reference = fact.wire_reference
    m.bank_status = fact.bank_status
    m.bank_reason = fact.bank_reason
    if fact.holds:
        m.holds.extend(fact.holds)
    m.actor = fact.actor
    m.traceparent = fact.traceparent
    m.evidence_sha256 = fact.evidence_sha256
    if fact.decision is not None:
        m.decision = fact.decision
        m.proposer = fact.proposer
        m.proposal_sha256 = fact.proposal_sha256
    return m.SerializeToString()


def seal_fact(key: bytes, chain_hash: bytes, body: bytes) -> bytes:
    return seal(key, chain_hash + body)


def unseal_fact(mapping: str, key: bytes, stored: bytes) -> tuple[Fact, bytes, bytes]:
    """(the fact, its chain hash, its stored bytes). Raises CorruptRecord."""
    whole = unseal(mapping, key, stored)
    chain_hash, body = whole[:HASH_BYTES], whole[HASH_BYTES:]
    fact = _decoded(mapping, key, _fact, body)
    if fact.sequence != int.from_bytes(key, "big"):
        raise CorruptRecord(mapping, key, "holds another fact")
    return fact, chain_hash, body


def _fact(body: bytes) -> Fact:
    m = pb.Fact.FromString(body)
    return Fact(
        sequence=m.sequence,
        payment_id=m.payment_id,
        tenant=m.tenant,
        version=m.version,
        at_ns=m.at_ns,
        kind=_KINDS[m.kind],
        before=_STATES_OF_FACTS[m.before],
        after=_STATES_OF_FACTS[m.after],
        reason=_REASONS[m.reason],
        bank=m.bank,
        attempt=m.attempt,
        wire_reference=m.wire_reference,
        bank_status=m.bank_status,
        bank_reason=m.bank_reason,
        holds=tuple(m.holds),
        actor=m.actor,
        traceparent=m.traceparent,
        evidence_sha256=m.evidence_sha256,
        decision=_DECISIONS[m.decision],
        proposer=m.proposer,
        proposal_sha256=m.proposal_sha256,
    )


# ---------------------------------------------------------------- the head of the chain, evidence, cursors


def seal_head(key: bytes, sequence: int, chain_hash: bytes) -> bytes:
    return seal(key, sequence.to_bytes(8, "big") + chain_hash)


def unseal_head(mapping: str, key: bytes, stored: bytes) -> tuple[int, bytes]:
    """(last sequence, its chain hash); (0, GENESIS) in a new store."""
    body = unseal(mapping, key, stored)
    if len(body) != 8 + HASH_BYTES:
        raise CorruptRecord(mapping, key, f"a head of {len(body)} bytes")
    return int.from_bytes(body[:8], "big"), body[8:]


def bounded_evidence(evidence: bytes) -> bytes:
    """The part of a bank's answer that is kept: at most limits.EVIDENCE_BYTES_MAX, its beginning."""
    return evidence[: limits.EVIDENCE_BYTES_MAX]


def seal_evidence(key: bytes, body: bytes, original_bytes: int) -> bytes:
    return seal(key, pb.Evidence(body=body, original_bytes=original_bytes).SerializeToString())


def unseal_evidence(mapping: str, key: bytes, stored: bytes) -> tuple[bytes, int]:
    """(the kept bytes, the length of the whole answer: larger where it was cut)."""

    def read(body: bytes) -> tuple[bytes, int]:
        m = pb.Evidence.FromString(body)
        return m.body, m.original_bytes

    return _decoded(mapping, key, read, unseal(mapping, key, stored))
