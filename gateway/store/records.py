"""Records of payments: core's dataclass as bytes and back. Envelope: see envelope.py; beginning: see phrases.py.

A record is three parts of one protobuf message, one behind the other: what many payments share (a phrase), what stands
from the admission on, and what moves.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Final

from causeway.store.v1 import record_pb2 as pb
from gateway import limits
from gateway.core.payment import (
    Account,
    Address,
    Attempt,
    Instruction,
    Money,
    Party,
    Payment,
    Uptime,
    wire_reference,
)
from gateway.core.proposal import Decision, Proposal
from gateway.store import codes, phrases
from gateway.store.envelope import ENVELOPE_BYTES, decoded, seal_seeded, seed, unseal
from gateway.store.phrases import Phrase
from gateway.store.spelling import packed_reference, packed_traceparent, reference_of, traceparent_of

NEW_RECORD_BYTES_MAX: Final = limits.RECORD_BYTES_MAX // 2
"""A new payment's record; the other half is for its life: attempts (life.ATTEMPTS_KEPT), holds, the bank's words."""

MOVING_BYTES: Final = 84
"""What the part of a record that moves is filled up to: an attempt, its end, a plan and the bank's word are a little
less. A record that is written again in the same length stays where it is, and pages stay as full as they were."""

BEGINNINGS_KEPT_MAX: Final = 4_096  # encoded: some 1 MB


@dataclass(frozen=True, slots=True)
class Standing:
    """The part of a record that is the same from the admission on, made once in a payment's life and not at each of
    its steps."""

    seed: int
    """Of the checksum (envelope.seed): the payment's id and, unless it is spelled out, its beginning."""
    body: bytes


def seal_payment(payment: Payment, standing: Standing | None = None) -> bytes:
    """The record of a payment. `standing` saves making it anew; without, nothing is a phrase."""
    stands = standing or standing_of(payment)
    return seal_seeded(stands.seed, stands.body + _moving_bytes(payment))


def unseal_payment(mapping: str, payment_id: bytes, stored: bytes, phrase: Phrase = phrases.none) -> Payment:
    """Raises CorruptRecord, also where its phrase cannot be read."""
    begins = phrases.before(mapping, payment_id, stored, ENVELOPE_BYTES, phrase)
    body = begins + unseal(mapping, payment_id, stored, begins)[phrases.NUMBER_BYTES :]
    return decoded(mapping, payment_id, lambda of: _payment(payment_id, of), body)


def beginning(payment: Payment) -> bytes:
    """What it shares with most payments of its tenant."""
    told = payment.instruction
    return beginning_of(payment.tenant, payment.principal, told.bank, told.amount.currency, told.debtor)


@lru_cache(BEGINNINGS_KEPT_MAX)
def beginning_of(tenant: str, principal: str, bank: str, currency: str, debtor: Party) -> bytes:
    """Encoded once for all of them."""
    m = pb.Payment(tenant=tenant, principal=principal)
    m.instruction.bank = bank
    m.instruction.currency = currency
    _fill_party(m.instruction.debtor, debtor)
    return m.SerializeToString()


def standing_of(payment: Payment, number: int = phrases.SPELLED_OUT) -> Standing:
    """`number` is that of its beginning."""
    # Attributes are set one by one: faster than keyword arguments, and defaults are not stored anyway.
    m = pb.Payment()
    m.fingerprint = payment.fingerprint
    m.received_at_ns = payment.received_at_ns
    if payment.traceparent:
        m.trace = packed_traceparent(payment.traceparent)
        if not m.trace:
            m.traceparent = payment.traceparent
    _fill_instruction(m.instruction, payment.instruction)
    begins, rest = beginning(payment), m.SerializeToString()
    if number:
        return Standing(seed(payment.id, begins), phrases.number_key(number) + rest)
    return Standing(seed(payment.id), phrases.number_key(number) + begins + rest)


def _moving_bytes(payment: Payment) -> bytes:
    m = pb.Payment()
    m.state = codes.STATES[payment.state]
    m.version = payment.version
    m.updated_after_ns = payment.updated_at_ns - payment.received_at_ns
    if payment.holds:
        m.holds.extend(payment.holds)
    for attempt in payment.attempts:
        _fill_attempt(m.attempts.add(), attempt, payment)
    if payment.send_after_ns:
        m.send_after_ns = payment.send_after_ns
    if payment.doubt_since_ns:
        m.doubt_since_ns = payment.doubt_since_ns
    if payment.inquiries:
        m.inquiries = payment.inquiries
    if payment.inquire_at_ns:
        m.inquire_after_ns = payment.inquire_at_ns - payment.updated_at_ns
    if payment.bank_status or payment.bank_reason:
        m.bank_status = payment.bank_status
        m.bank_reason = payment.bank_reason
    if payment.contradiction:
        m.contradiction = payment.contradiction
    if payment.missing_since is not None:
        m.missing_since.boot = payment.missing_since.boot
        m.missing_since.ns = payment.missing_since.ns
    if payment.proposal is not None:
        _fill_proposal(m.proposal, payment.proposal)
    return _with_room(m.SerializeToString())


_ROOM_TAG_BYTES: Final = 2  # field 15 and a length below 128
_ROOMS: Final = tuple(pb.Payment(room=bytes(size)).SerializeToString() for size in range(1, MOVING_BYTES - 1))

assert MOVING_BYTES <= 128


def _with_room(moving: bytes) -> bytes:
    """Filled up to MOVING_BYTES where there is place for the field that fills it."""
    size = MOVING_BYTES - len(moving) - _ROOM_TAG_BYTES
    return moving + _ROOMS[size - 1] if size > 0 else moving


def _fill_instruction(m: pb.Instruction, instruction: Instruction) -> None:
    """What is not in the beginning."""
    m.idempotency_key = instruction.idempotency_key
    if instruction.end_to_end_id != instruction.idempotency_key:
        m.end_to_end_id = instruction.end_to_end_id
    m.amount = str(instruction.amount.value)
    _fill_party(m.creditor, instruction.creditor)
    if instruction.requested_execution_date is not None:
        m.requested_execution_date = instruction.requested_execution_date.isoformat()
    m.purpose = instruction.purpose
    m.remittance = instruction.remittance
    m.creditor_reference = instruction.creditor_reference
    m.charge_bearer = codes.BEARERS[instruction.charge_bearer]
    m.rail = codes.RAILS[instruction.rail]
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


def _fill_attempt(m: pb.Attempt, attempt: Attempt, payment: Payment) -> None:
    m.number = attempt.number
    if attempt.bank != payment.instruction.bank:
        m.bank = attempt.bank
    if attempt.wire_reference != payment.wire_reference:
        m.wire = packed_reference(attempt.wire_reference)
        if not m.wire:
            m.wire_reference = attempt.wire_reference
    if attempt.message_reference != attempt.wire_reference:
        m.message = packed_reference(attempt.message_reference)
        if not m.message:
            m.message_reference = attempt.message_reference
    m.payload_sha256 = attempt.payload_sha256
    m.marked_after_ns = attempt.marked_at_ns - payment.received_at_ns
    m.lasts_ns = attempt.deadline_ns - attempt.marked_at_ns
    m.ended = codes.ENDS[attempt.ended]
    m.reason = codes.REASONS[attempt.reason]


def _fill_proposal(m: pb.Proposal, proposal: Proposal) -> None:
    m.decision = codes.DECISIONS[proposal.decision]
    m.actor = proposal.actor
    m.at_ns = proposal.at_ns
    m.digest = proposal.digest


def _payment(payment_id: bytes, body: bytes) -> Payment:
    m = pb.Payment.FromString(body)
    told = m.instruction
    updated_at_ns = m.received_at_ns + m.updated_after_ns
    return Payment(
        id=payment_id,
        tenant=m.tenant,
        principal=m.principal,
        instruction=_instruction(told),
        fingerprint=m.fingerprint,
        state=codes.STATE_OF[m.state],
        version=m.version,
        received_at_ns=m.received_at_ns,
        updated_at_ns=updated_at_ns,
        traceparent=traceparent_of(m.trace) if m.trace else m.traceparent,
        holds=tuple(m.holds),
        attempts=_attempts(m) if m.attempts else (),
        send_after_ns=m.send_after_ns,
        doubt_since_ns=m.doubt_since_ns,
        inquiries=m.inquiries,
        inquire_at_ns=updated_at_ns + m.inquire_after_ns if m.HasField("inquire_after_ns") else 0,
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
        end_to_end_id=m.end_to_end_id if m.HasField("end_to_end_id") else m.idempotency_key,
        amount=Money(m.currency, Decimal(m.amount)),
        debtor=_party(m.debtor),
        creditor=_party(m.creditor),
        bank=m.bank,
        requested_execution_date=date.fromisoformat(day) if day else None,
        purpose=m.purpose,
        remittance=m.remittance,
        creditor_reference=m.creditor_reference,
        charge_bearer=codes.BEARER_OF[m.charge_bearer],
        rail=codes.RAIL_OF[m.rail],
        labels=tuple([(label.key, label.value) for label in m.labels]),
    )


_NO_ADDRESS: Final = Address()


def _party(m: pb.Party) -> Party:
    address = _NO_ADDRESS
    if m.HasField("address"):
        a = m.address
        address = Address(a.street, a.building, a.postal_code, a.town, a.country)
    return Party(m.name, Account(m.iban, m.other), m.agent_bic, address)


def _attempts(m: pb.Payment) -> tuple[Attempt, ...]:
    told = m.instruction
    own = wire_reference(m.tenant, told.idempotency_key, m.fingerprint, told.bank)
    return tuple([_attempt(attempt, told.bank, own, m.received_at_ns) for attempt in m.attempts])


def _attempt(m: pb.Attempt, bank: str, own_reference: str, received_at_ns: int) -> Attempt:
    wire = reference_of(m.wire) if m.wire else m.wire_reference or own_reference
    marked_at_ns = received_at_ns + m.marked_after_ns
    return Attempt(
        number=m.number,
        bank=m.bank if m.HasField("bank") else bank,
        wire_reference=wire,
        message_reference=(reference_of(m.message) if m.message else m.message_reference) or wire,
        payload_sha256=m.payload_sha256,
        marked_at_ns=marked_at_ns,
        deadline_ns=marked_at_ns + m.lasts_ns,
        ended=codes.ENDED_OF[m.ended],
        reason=codes.REASON_OF[m.reason],
    )


def _proposal(m: pb.Proposal) -> Proposal:
    return Proposal(decision=_decision(m.decision), actor=m.actor, at_ns=m.at_ns, digest=m.digest)


def _decision(code: int) -> Decision:
    decision = codes.DECISION_OF[code]
    if decision is None:
        raise ValueError("a proposal of nothing")
    return decision
