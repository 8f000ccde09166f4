import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.type import date_pb2 as _date_pb2
from google.type import money_pb2 as _money_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ChargeBearer(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CHARGE_BEARER_UNSPECIFIED: _ClassVar[ChargeBearer]
    CHARGE_BEARER_SLEV: _ClassVar[ChargeBearer]
    CHARGE_BEARER_SHAR: _ClassVar[ChargeBearer]
    CHARGE_BEARER_DEBT: _ClassVar[ChargeBearer]
    CHARGE_BEARER_CRED: _ClassVar[ChargeBearer]

class Rail(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RAIL_UNSPECIFIED: _ClassVar[Rail]
    RAIL_NORMAL: _ClassVar[Rail]
    RAIL_INSTANT: _ClassVar[Rail]
    RAIL_URGENT: _ClassVar[Rail]

class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STATE_UNSPECIFIED: _ClassVar[State]
    STATE_RECEIVED: _ClassVar[State]
    STATE_HELD: _ClassVar[State]
    STATE_QUEUED: _ClassVar[State]
    STATE_SENDING: _ClassVar[State]
    STATE_IN_DOUBT: _ClassVar[State]
    STATE_ACCEPTED: _ClassVar[State]
    STATE_SETTLED: _ClassVar[State]
    STATE_REFUSED: _ClassVar[State]
    STATE_REJECTED: _ClassVar[State]
    STATE_CANCELLED: _ClassVar[State]
    STATE_EXPIRED: _ClassVar[State]
    STATE_RETURNED: _ClassVar[State]

class AttemptResult(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ATTEMPT_RESULT_UNSPECIFIED: _ClassVar[AttemptResult]
    ATTEMPT_RESULT_NOT_SENT: _ClassVar[AttemptResult]
    ATTEMPT_RESULT_ANSWERED: _ClassVar[AttemptResult]
    ATTEMPT_RESULT_MAYBE_SENT: _ClassVar[AttemptResult]
CHARGE_BEARER_UNSPECIFIED: ChargeBearer
CHARGE_BEARER_SLEV: ChargeBearer
CHARGE_BEARER_SHAR: ChargeBearer
CHARGE_BEARER_DEBT: ChargeBearer
CHARGE_BEARER_CRED: ChargeBearer
RAIL_UNSPECIFIED: Rail
RAIL_NORMAL: Rail
RAIL_INSTANT: Rail
RAIL_URGENT: Rail
STATE_UNSPECIFIED: State
STATE_RECEIVED: State
STATE_HELD: State
STATE_QUEUED: State
STATE_SENDING: State
STATE_IN_DOUBT: State
STATE_ACCEPTED: State
STATE_SETTLED: State
STATE_REFUSED: State
STATE_REJECTED: State
STATE_CANCELLED: State
STATE_EXPIRED: State
STATE_RETURNED: State
ATTEMPT_RESULT_UNSPECIFIED: AttemptResult
ATTEMPT_RESULT_NOT_SENT: AttemptResult
ATTEMPT_RESULT_ANSWERED: AttemptResult
ATTEMPT_RESULT_MAYBE_SENT: AttemptResult

class Instruction(_message.Message):
    __slots__ = ("idempotency_key", "end_to_end_id", "amount", "debtor", "creditor", "purpose_code", "unstructured_remittance", "creditor_reference", "requested_execution_date", "charge_bearer", "rail", "bank", "labels")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    END_TO_END_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    DEBTOR_FIELD_NUMBER: _ClassVar[int]
    CREDITOR_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_CODE_FIELD_NUMBER: _ClassVar[int]
    UNSTRUCTURED_REMITTANCE_FIELD_NUMBER: _ClassVar[int]
    CREDITOR_REFERENCE_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_EXECUTION_DATE_FIELD_NUMBER: _ClassVar[int]
    CHARGE_BEARER_FIELD_NUMBER: _ClassVar[int]
    RAIL_FIELD_NUMBER: _ClassVar[int]
    BANK_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    end_to_end_id: str
    amount: _money_pb2.Money
    debtor: Party
    creditor: Party
    purpose_code: str
    unstructured_remittance: str
    creditor_reference: str
    requested_execution_date: _date_pb2.Date
    charge_bearer: ChargeBearer
    rail: Rail
    bank: str
    labels: _containers.ScalarMap[str, str]
    def __init__(self, idempotency_key: _Optional[str] = ..., end_to_end_id: _Optional[str] = ..., amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., debtor: _Optional[_Union[Party, _Mapping]] = ..., creditor: _Optional[_Union[Party, _Mapping]] = ..., purpose_code: _Optional[str] = ..., unstructured_remittance: _Optional[str] = ..., creditor_reference: _Optional[str] = ..., requested_execution_date: _Optional[_Union[_date_pb2.Date, _Mapping]] = ..., charge_bearer: _Optional[_Union[ChargeBearer, str]] = ..., rail: _Optional[_Union[Rail, str]] = ..., bank: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ...) -> None: ...

class Party(_message.Message):
    __slots__ = ("name", "account", "agent_bic", "address")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    AGENT_BIC_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    name: str
    account: Account
    agent_bic: str
    address: Address
    def __init__(self, name: _Optional[str] = ..., account: _Optional[_Union[Account, _Mapping]] = ..., agent_bic: _Optional[str] = ..., address: _Optional[_Union[Address, _Mapping]] = ...) -> None: ...

class Account(_message.Message):
    __slots__ = ("iban", "other")
    IBAN_FIELD_NUMBER: _ClassVar[int]
    OTHER_FIELD_NUMBER: _ClassVar[int]
    iban: str
    other: str
    def __init__(self, iban: _Optional[str] = ..., other: _Optional[str] = ...) -> None: ...

class Address(_message.Message):
    __slots__ = ("street_name", "building_number", "postal_code", "town_name", "country_code")
    STREET_NAME_FIELD_NUMBER: _ClassVar[int]
    BUILDING_NUMBER_FIELD_NUMBER: _ClassVar[int]
    POSTAL_CODE_FIELD_NUMBER: _ClassVar[int]
    TOWN_NAME_FIELD_NUMBER: _ClassVar[int]
    COUNTRY_CODE_FIELD_NUMBER: _ClassVar[int]
    street_name: str
    building_number: str
    postal_code: str
    town_name: str
    country_code: str
    def __init__(self, street_name: _Optional[str] = ..., building_number: _Optional[str] = ..., postal_code: _Optional[str] = ..., town_name: _Optional[str] = ..., country_code: _Optional[str] = ...) -> None: ...

class Payment(_message.Message):
    __slots__ = ("id", "instruction", "state", "version", "receive_time", "update_time", "holds", "attempts", "wire_reference", "bank_status_code", "bank_reason_code", "doubt_time", "inquiry_count", "next_inquiry_time", "send_after_time", "traceparent", "contradiction")
    ID_FIELD_NUMBER: _ClassVar[int]
    INSTRUCTION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    RECEIVE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    HOLDS_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    WIRE_REFERENCE_FIELD_NUMBER: _ClassVar[int]
    BANK_STATUS_CODE_FIELD_NUMBER: _ClassVar[int]
    BANK_REASON_CODE_FIELD_NUMBER: _ClassVar[int]
    DOUBT_TIME_FIELD_NUMBER: _ClassVar[int]
    INQUIRY_COUNT_FIELD_NUMBER: _ClassVar[int]
    NEXT_INQUIRY_TIME_FIELD_NUMBER: _ClassVar[int]
    SEND_AFTER_TIME_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    CONTRADICTION_FIELD_NUMBER: _ClassVar[int]
    id: str
    instruction: Instruction
    state: State
    version: int
    receive_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    holds: _containers.RepeatedScalarFieldContainer[str]
    attempts: _containers.RepeatedCompositeFieldContainer[Attempt]
    wire_reference: str
    bank_status_code: str
    bank_reason_code: str
    doubt_time: _timestamp_pb2.Timestamp
    inquiry_count: int
    next_inquiry_time: _timestamp_pb2.Timestamp
    send_after_time: _timestamp_pb2.Timestamp
    traceparent: str
    contradiction: str
    def __init__(self, id: _Optional[str] = ..., instruction: _Optional[_Union[Instruction, _Mapping]] = ..., state: _Optional[_Union[State, str]] = ..., version: _Optional[int] = ..., receive_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., holds: _Optional[_Iterable[str]] = ..., attempts: _Optional[_Iterable[_Union[Attempt, _Mapping]]] = ..., wire_reference: _Optional[str] = ..., bank_status_code: _Optional[str] = ..., bank_reason_code: _Optional[str] = ..., doubt_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., inquiry_count: _Optional[int] = ..., next_inquiry_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., send_after_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., traceparent: _Optional[str] = ..., contradiction: _Optional[str] = ...) -> None: ...

class Attempt(_message.Message):
    __slots__ = ("number", "bank", "message_reference", "mark_time", "deadline_time", "result", "reason")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    BANK_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_REFERENCE_FIELD_NUMBER: _ClassVar[int]
    MARK_TIME_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_TIME_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    number: int
    bank: str
    message_reference: str
    mark_time: _timestamp_pb2.Timestamp
    deadline_time: _timestamp_pb2.Timestamp
    result: AttemptResult
    reason: str
    def __init__(self, number: _Optional[int] = ..., bank: _Optional[str] = ..., message_reference: _Optional[str] = ..., mark_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., deadline_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., result: _Optional[_Union[AttemptResult, str]] = ..., reason: _Optional[str] = ...) -> None: ...

class Fact(_message.Message):
    __slots__ = ("sequence", "payment_id", "version", "time", "kind", "previous_state", "state", "reason", "bank", "attempt", "wire_reference", "bank_status_code", "bank_reason_code", "holds", "actor", "traceparent", "decision", "proposer")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_STATE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    BANK_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    WIRE_REFERENCE_FIELD_NUMBER: _ClassVar[int]
    BANK_STATUS_CODE_FIELD_NUMBER: _ClassVar[int]
    BANK_REASON_CODE_FIELD_NUMBER: _ClassVar[int]
    HOLDS_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    PROPOSER_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    payment_id: str
    version: int
    time: _timestamp_pb2.Timestamp
    kind: str
    previous_state: State
    state: State
    reason: str
    bank: str
    attempt: int
    wire_reference: str
    bank_status_code: str
    bank_reason_code: str
    holds: _containers.RepeatedScalarFieldContainer[str]
    actor: str
    traceparent: str
    decision: str
    proposer: str
    def __init__(self, sequence: _Optional[int] = ..., payment_id: _Optional[str] = ..., version: _Optional[int] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., kind: _Optional[str] = ..., previous_state: _Optional[_Union[State, str]] = ..., state: _Optional[_Union[State, str]] = ..., reason: _Optional[str] = ..., bank: _Optional[str] = ..., attempt: _Optional[int] = ..., wire_reference: _Optional[str] = ..., bank_status_code: _Optional[str] = ..., bank_reason_code: _Optional[str] = ..., holds: _Optional[_Iterable[str]] = ..., actor: _Optional[str] = ..., traceparent: _Optional[str] = ..., decision: _Optional[str] = ..., proposer: _Optional[str] = ...) -> None: ...
