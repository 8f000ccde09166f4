from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Address(_message.Message):
    __slots__ = ("street", "building", "postal_code", "town", "country")
    STREET_FIELD_NUMBER: _ClassVar[int]
    BUILDING_FIELD_NUMBER: _ClassVar[int]
    POSTAL_CODE_FIELD_NUMBER: _ClassVar[int]
    TOWN_FIELD_NUMBER: _ClassVar[int]
    COUNTRY_FIELD_NUMBER: _ClassVar[int]
    street: str
    building: str
    postal_code: str
    town: str
    country: str
    def __init__(self, street: _Optional[str] = ..., building: _Optional[str] = ..., postal_code: _Optional[str] = ..., town: _Optional[str] = ..., country: _Optional[str] = ...) -> None: ...

class Party(_message.Message):
    __slots__ = ("name", "iban", "other", "agent_bic", "address")
    NAME_FIELD_NUMBER: _ClassVar[int]
    IBAN_FIELD_NUMBER: _ClassVar[int]
    OTHER_FIELD_NUMBER: _ClassVar[int]
    AGENT_BIC_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    name: str
    iban: str
    other: str
    agent_bic: str
    address: Address
    def __init__(self, name: _Optional[str] = ..., iban: _Optional[str] = ..., other: _Optional[str] = ..., agent_bic: _Optional[str] = ..., address: _Optional[_Union[Address, _Mapping]] = ...) -> None: ...

class Label(_message.Message):
    __slots__ = ("key", "value")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    key: str
    value: str
    def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...

class Instruction(_message.Message):
    __slots__ = ("idempotency_key", "end_to_end_id", "currency", "amount", "debtor", "creditor", "bank", "requested_execution_date", "purpose", "remittance", "creditor_reference", "charge_bearer", "rail", "labels")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    END_TO_END_ID_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    DEBTOR_FIELD_NUMBER: _ClassVar[int]
    CREDITOR_FIELD_NUMBER: _ClassVar[int]
    BANK_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_EXECUTION_DATE_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    REMITTANCE_FIELD_NUMBER: _ClassVar[int]
    CREDITOR_REFERENCE_FIELD_NUMBER: _ClassVar[int]
    CHARGE_BEARER_FIELD_NUMBER: _ClassVar[int]
    RAIL_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    end_to_end_id: str
    currency: str
    amount: str
    debtor: Party
    creditor: Party
    bank: str
    requested_execution_date: str
    purpose: str
    remittance: str
    creditor_reference: str
    charge_bearer: int
    rail: int
    labels: _containers.RepeatedCompositeFieldContainer[Label]
    def __init__(self, idempotency_key: _Optional[str] = ..., end_to_end_id: _Optional[str] = ..., currency: _Optional[str] = ..., amount: _Optional[str] = ..., debtor: _Optional[_Union[Party, _Mapping]] = ..., creditor: _Optional[_Union[Party, _Mapping]] = ..., bank: _Optional[str] = ..., requested_execution_date: _Optional[str] = ..., purpose: _Optional[str] = ..., remittance: _Optional[str] = ..., creditor_reference: _Optional[str] = ..., charge_bearer: _Optional[int] = ..., rail: _Optional[int] = ..., labels: _Optional[_Iterable[_Union[Label, _Mapping]]] = ...) -> None: ...

class Attempt(_message.Message):
    __slots__ = ("number", "bank", "wire", "wire_reference", "message", "message_reference", "payload_sha256", "marked_after_ns", "lasts_ns", "ended", "reason")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    BANK_FIELD_NUMBER: _ClassVar[int]
    WIRE_FIELD_NUMBER: _ClassVar[int]
    WIRE_REFERENCE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_REFERENCE_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_SHA256_FIELD_NUMBER: _ClassVar[int]
    MARKED_AFTER_NS_FIELD_NUMBER: _ClassVar[int]
    LASTS_NS_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    number: int
    bank: str
    wire: bytes
    wire_reference: str
    message: bytes
    message_reference: str
    payload_sha256: bytes
    marked_after_ns: int
    lasts_ns: int
    ended: int
    reason: int
    def __init__(self, number: _Optional[int] = ..., bank: _Optional[str] = ..., wire: _Optional[bytes] = ..., wire_reference: _Optional[str] = ..., message: _Optional[bytes] = ..., message_reference: _Optional[str] = ..., payload_sha256: _Optional[bytes] = ..., marked_after_ns: _Optional[int] = ..., lasts_ns: _Optional[int] = ..., ended: _Optional[int] = ..., reason: _Optional[int] = ...) -> None: ...

class Payment(_message.Message):
    __slots__ = ("tenant", "principal", "instruction", "fingerprint", "received_at_ns", "trace", "state", "version", "updated_after_ns", "attempts", "inquire_after_ns", "bank_status", "bank_reason", "holds", "room", "send_after_ns", "doubt_since_ns", "inquiries", "contradiction", "proposal", "missing_since", "traceparent")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    INSTRUCTION_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_AT_NS_FIELD_NUMBER: _ClassVar[int]
    TRACE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AFTER_NS_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    INQUIRE_AFTER_NS_FIELD_NUMBER: _ClassVar[int]
    BANK_STATUS_FIELD_NUMBER: _ClassVar[int]
    BANK_REASON_FIELD_NUMBER: _ClassVar[int]
    HOLDS_FIELD_NUMBER: _ClassVar[int]
    ROOM_FIELD_NUMBER: _ClassVar[int]
    SEND_AFTER_NS_FIELD_NUMBER: _ClassVar[int]
    DOUBT_SINCE_NS_FIELD_NUMBER: _ClassVar[int]
    INQUIRIES_FIELD_NUMBER: _ClassVar[int]
    CONTRADICTION_FIELD_NUMBER: _ClassVar[int]
    PROPOSAL_FIELD_NUMBER: _ClassVar[int]
    MISSING_SINCE_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    principal: str
    instruction: Instruction
    fingerprint: bytes
    received_at_ns: int
    trace: bytes
    state: int
    version: int
    updated_after_ns: int
    attempts: _containers.RepeatedCompositeFieldContainer[Attempt]
    inquire_after_ns: int
    bank_status: str
    bank_reason: str
    holds: _containers.RepeatedScalarFieldContainer[str]
    room: bytes
    send_after_ns: int
    doubt_since_ns: int
    inquiries: int
    contradiction: str
    proposal: Proposal
    missing_since: Uptime
    traceparent: str
    def __init__(self, tenant: _Optional[str] = ..., principal: _Optional[str] = ..., instruction: _Optional[_Union[Instruction, _Mapping]] = ..., fingerprint: _Optional[bytes] = ..., received_at_ns: _Optional[int] = ..., trace: _Optional[bytes] = ..., state: _Optional[int] = ..., version: _Optional[int] = ..., updated_after_ns: _Optional[int] = ..., attempts: _Optional[_Iterable[_Union[Attempt, _Mapping]]] = ..., inquire_after_ns: _Optional[int] = ..., bank_status: _Optional[str] = ..., bank_reason: _Optional[str] = ..., holds: _Optional[_Iterable[str]] = ..., room: _Optional[bytes] = ..., send_after_ns: _Optional[int] = ..., doubt_since_ns: _Optional[int] = ..., inquiries: _Optional[int] = ..., contradiction: _Optional[str] = ..., proposal: _Optional[_Union[Proposal, _Mapping]] = ..., missing_since: _Optional[_Union[Uptime, _Mapping]] = ..., traceparent: _Optional[str] = ...) -> None: ...

class Uptime(_message.Message):
    __slots__ = ("boot", "ns")
    BOOT_FIELD_NUMBER: _ClassVar[int]
    NS_FIELD_NUMBER: _ClassVar[int]
    boot: bytes
    ns: int
    def __init__(self, boot: _Optional[bytes] = ..., ns: _Optional[int] = ...) -> None: ...

class Proposal(_message.Message):
    __slots__ = ("decision", "actor", "at_ns", "digest")
    DECISION_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    AT_NS_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    decision: int
    actor: str
    at_ns: int
    digest: bytes
    def __init__(self, decision: _Optional[int] = ..., actor: _Optional[str] = ..., at_ns: _Optional[int] = ..., digest: _Optional[bytes] = ...) -> None: ...

class Fact(_message.Message):
    __slots__ = ("payment_id", "tenant", "version", "at_ns", "kind", "before", "after", "reason", "bank", "attempt", "wire", "bank_status", "bank_reason", "evidence_sha256", "trace", "holds", "actor", "decision", "proposer", "proposal_sha256", "wire_reference", "traceparent")
    PAYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    AT_NS_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    BANK_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    WIRE_FIELD_NUMBER: _ClassVar[int]
    BANK_STATUS_FIELD_NUMBER: _ClassVar[int]
    BANK_REASON_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_SHA256_FIELD_NUMBER: _ClassVar[int]
    TRACE_FIELD_NUMBER: _ClassVar[int]
    HOLDS_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    PROPOSER_FIELD_NUMBER: _ClassVar[int]
    PROPOSAL_SHA256_FIELD_NUMBER: _ClassVar[int]
    WIRE_REFERENCE_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    payment_id: bytes
    tenant: str
    version: int
    at_ns: int
    kind: int
    before: int
    after: int
    reason: int
    bank: str
    attempt: int
    wire: bytes
    bank_status: str
    bank_reason: str
    evidence_sha256: bytes
    trace: bytes
    holds: _containers.RepeatedScalarFieldContainer[str]
    actor: str
    decision: int
    proposer: str
    proposal_sha256: bytes
    wire_reference: str
    traceparent: str
    def __init__(self, payment_id: _Optional[bytes] = ..., tenant: _Optional[str] = ..., version: _Optional[int] = ..., at_ns: _Optional[int] = ..., kind: _Optional[int] = ..., before: _Optional[int] = ..., after: _Optional[int] = ..., reason: _Optional[int] = ..., bank: _Optional[str] = ..., attempt: _Optional[int] = ..., wire: _Optional[bytes] = ..., bank_status: _Optional[str] = ..., bank_reason: _Optional[str] = ..., evidence_sha256: _Optional[bytes] = ..., trace: _Optional[bytes] = ..., holds: _Optional[_Iterable[str]] = ..., actor: _Optional[str] = ..., decision: _Optional[int] = ..., proposer: _Optional[str] = ..., proposal_sha256: _Optional[bytes] = ..., wire_reference: _Optional[str] = ..., traceparent: _Optional[str] = ...) -> None: ...

class Evidence(_message.Message):
    __slots__ = ("body", "original_bytes", "deflated", "dictionary")
    BODY_FIELD_NUMBER: _ClassVar[int]
    ORIGINAL_BYTES_FIELD_NUMBER: _ClassVar[int]
    DEFLATED_FIELD_NUMBER: _ClassVar[int]
    DICTIONARY_FIELD_NUMBER: _ClassVar[int]
    body: bytes
    original_bytes: int
    deflated: bytes
    dictionary: int
    def __init__(self, body: _Optional[bytes] = ..., original_bytes: _Optional[int] = ..., deflated: _Optional[bytes] = ..., dictionary: _Optional[int] = ...) -> None: ...
