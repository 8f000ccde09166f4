import datetime

from causeway.v1 import payment_pb2 as _payment_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Decision(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DECISION_UNSPECIFIED: _ClassVar[Decision]
    DECISION_HELD_BY_BANK: _ClassVar[Decision]
    DECISION_SETTLED: _ClassVar[Decision]
    DECISION_REJECTED: _ClassVar[Decision]
    DECISION_NOT_HELD: _ClassVar[Decision]
    DECISION_ABANDONED: _ClassVar[Decision]

class EvidenceSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVIDENCE_SOURCE_UNSPECIFIED: _ClassVar[EvidenceSource]
    EVIDENCE_SOURCE_BANK: _ClassVar[EvidenceSource]
    EVIDENCE_SOURCE_NOTE: _ClassVar[EvidenceSource]
DECISION_UNSPECIFIED: Decision
DECISION_HELD_BY_BANK: Decision
DECISION_SETTLED: Decision
DECISION_REJECTED: Decision
DECISION_NOT_HELD: Decision
DECISION_ABANDONED: Decision
EVIDENCE_SOURCE_UNSPECIFIED: EvidenceSource
EVIDENCE_SOURCE_BANK: EvidenceSource
EVIDENCE_SOURCE_NOTE: EvidenceSource

class Proposal(_message.Message):
    __slots__ = ("decision", "proposer", "propose_time", "digest", "own")
    DECISION_FIELD_NUMBER: _ClassVar[int]
    PROPOSER_FIELD_NUMBER: _ClassVar[int]
    PROPOSE_TIME_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    OWN_FIELD_NUMBER: _ClassVar[int]
    decision: Decision
    proposer: str
    propose_time: _timestamp_pb2.Timestamp
    digest: str
    own: bool
    def __init__(self, decision: _Optional[_Union[Decision, str]] = ..., proposer: _Optional[str] = ..., propose_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., digest: _Optional[str] = ..., own: _Optional[bool] = ...) -> None: ...

class Doubt(_message.Message):
    __slots__ = ("payment", "age", "attempt_count", "inquiry_count", "inquiries_left", "proposal")
    PAYMENT_FIELD_NUMBER: _ClassVar[int]
    AGE_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_COUNT_FIELD_NUMBER: _ClassVar[int]
    INQUIRY_COUNT_FIELD_NUMBER: _ClassVar[int]
    INQUIRIES_LEFT_FIELD_NUMBER: _ClassVar[int]
    PROPOSAL_FIELD_NUMBER: _ClassVar[int]
    payment: _payment_pb2.Payment
    age: _duration_pb2.Duration
    attempt_count: int
    inquiry_count: int
    inquiries_left: int
    proposal: Proposal
    def __init__(self, payment: _Optional[_Union[_payment_pb2.Payment, _Mapping]] = ..., age: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., attempt_count: _Optional[int] = ..., inquiry_count: _Optional[int] = ..., inquiries_left: _Optional[int] = ..., proposal: _Optional[_Union[Proposal, _Mapping]] = ...) -> None: ...

class Evidence(_message.Message):
    __slots__ = ("source", "fact_sequence", "fact_kind", "time", "actor", "content", "original_bytes")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    FACT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    FACT_KIND_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    ORIGINAL_BYTES_FIELD_NUMBER: _ClassVar[int]
    source: EvidenceSource
    fact_sequence: int
    fact_kind: str
    time: _timestamp_pb2.Timestamp
    actor: str
    content: bytes
    original_bytes: int
    def __init__(self, source: _Optional[_Union[EvidenceSource, str]] = ..., fact_sequence: _Optional[int] = ..., fact_kind: _Optional[str] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., actor: _Optional[str] = ..., content: _Optional[bytes] = ..., original_bytes: _Optional[int] = ...) -> None: ...

class ListDoubtsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "bank")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    BANK_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    bank: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., bank: _Optional[str] = ...) -> None: ...

class ListDoubtsResponse(_message.Message):
    __slots__ = ("doubts", "next_page_token")
    DOUBTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    doubts: _containers.RepeatedCompositeFieldContainer[Doubt]
    next_page_token: str
    def __init__(self, doubts: _Optional[_Iterable[_Union[Doubt, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetDoubtRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class GetDoubtResponse(_message.Message):
    __slots__ = ("doubt", "history", "evidence", "evidence_cut")
    DOUBT_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_CUT_FIELD_NUMBER: _ClassVar[int]
    doubt: Doubt
    history: _containers.RepeatedCompositeFieldContainer[_payment_pb2.Fact]
    evidence: _containers.RepeatedCompositeFieldContainer[Evidence]
    evidence_cut: bool
    def __init__(self, doubt: _Optional[_Union[Doubt, _Mapping]] = ..., history: _Optional[_Iterable[_Union[_payment_pb2.Fact, _Mapping]]] = ..., evidence: _Optional[_Iterable[_Union[Evidence, _Mapping]]] = ..., evidence_cut: _Optional[bool] = ...) -> None: ...

class ProposeResolutionRequest(_message.Message):
    __slots__ = ("id", "decision", "note")
    ID_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    id: str
    decision: Decision
    note: str
    def __init__(self, id: _Optional[str] = ..., decision: _Optional[_Union[Decision, str]] = ..., note: _Optional[str] = ...) -> None: ...

class ProposeResolutionResponse(_message.Message):
    __slots__ = ("doubt",)
    DOUBT_FIELD_NUMBER: _ClassVar[int]
    doubt: Doubt
    def __init__(self, doubt: _Optional[_Union[Doubt, _Mapping]] = ...) -> None: ...

class ConfirmResolutionRequest(_message.Message):
    __slots__ = ("id", "proposal_digest", "note")
    ID_FIELD_NUMBER: _ClassVar[int]
    PROPOSAL_DIGEST_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    id: str
    proposal_digest: str
    note: str
    def __init__(self, id: _Optional[str] = ..., proposal_digest: _Optional[str] = ..., note: _Optional[str] = ...) -> None: ...

class ConfirmResolutionResponse(_message.Message):
    __slots__ = ("payment",)
    PAYMENT_FIELD_NUMBER: _ClassVar[int]
    payment: _payment_pb2.Payment
    def __init__(self, payment: _Optional[_Union[_payment_pb2.Payment, _Mapping]] = ...) -> None: ...
