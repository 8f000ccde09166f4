import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Mailbox(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MAILBOX_UNSPECIFIED: _ClassVar[Mailbox]
    MAILBOX_NONE: _ClassVar[Mailbox]
    MAILBOX_UNREAD: _ClassVar[Mailbox]
    MAILBOX_READ: _ClassVar[Mailbox]
MAILBOX_UNSPECIFIED: Mailbox
MAILBOX_NONE: Mailbox
MAILBOX_UNREAD: Mailbox
MAILBOX_READ: Mailbox

class QuarantinedBank(_message.Message):
    __slots__ = ("name", "in_doubt_count", "queued_count", "held_count", "inquiry", "mailbox")
    NAME_FIELD_NUMBER: _ClassVar[int]
    IN_DOUBT_COUNT_FIELD_NUMBER: _ClassVar[int]
    QUEUED_COUNT_FIELD_NUMBER: _ClassVar[int]
    HELD_COUNT_FIELD_NUMBER: _ClassVar[int]
    INQUIRY_FIELD_NUMBER: _ClassVar[int]
    MAILBOX_FIELD_NUMBER: _ClassVar[int]
    name: str
    in_doubt_count: int
    queued_count: int
    held_count: int
    inquiry: bool
    mailbox: Mailbox
    def __init__(self, name: _Optional[str] = ..., in_doubt_count: _Optional[int] = ..., queued_count: _Optional[int] = ..., held_count: _Optional[int] = ..., inquiry: _Optional[bool] = ..., mailbox: _Optional[_Union[Mailbox, str]] = ...) -> None: ...

class UnknownReference(_message.Message):
    __slots__ = ("bank", "wire_reference", "bank_status_code", "time")
    BANK_FIELD_NUMBER: _ClassVar[int]
    WIRE_REFERENCE_FIELD_NUMBER: _ClassVar[int]
    BANK_STATUS_CODE_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    bank: str
    wire_reference: str
    bank_status_code: str
    time: _timestamp_pb2.Timestamp
    def __init__(self, bank: _Optional[str] = ..., wire_reference: _Optional[str] = ..., bank_status_code: _Optional[str] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Quarantine(_message.Message):
    __slots__ = ("active", "restore_time", "restored_by", "backup_sequence", "banks", "unknown_references", "unlisted_count")
    ACTIVE_FIELD_NUMBER: _ClassVar[int]
    RESTORE_TIME_FIELD_NUMBER: _ClassVar[int]
    RESTORED_BY_FIELD_NUMBER: _ClassVar[int]
    BACKUP_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    BANKS_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_REFERENCES_FIELD_NUMBER: _ClassVar[int]
    UNLISTED_COUNT_FIELD_NUMBER: _ClassVar[int]
    active: bool
    restore_time: _timestamp_pb2.Timestamp
    restored_by: str
    backup_sequence: int
    banks: _containers.RepeatedCompositeFieldContainer[QuarantinedBank]
    unknown_references: _containers.RepeatedCompositeFieldContainer[UnknownReference]
    unlisted_count: int
    def __init__(self, active: _Optional[bool] = ..., restore_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., restored_by: _Optional[str] = ..., backup_sequence: _Optional[int] = ..., banks: _Optional[_Iterable[_Union[QuarantinedBank, _Mapping]]] = ..., unknown_references: _Optional[_Iterable[_Union[UnknownReference, _Mapping]]] = ..., unlisted_count: _Optional[int] = ...) -> None: ...

class GetQuarantineRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetQuarantineResponse(_message.Message):
    __slots__ = ("quarantine",)
    QUARANTINE_FIELD_NUMBER: _ClassVar[int]
    quarantine: Quarantine
    def __init__(self, quarantine: _Optional[_Union[Quarantine, _Mapping]] = ...) -> None: ...

class EndQuarantineRequest(_message.Message):
    __slots__ = ("note",)
    NOTE_FIELD_NUMBER: _ClassVar[int]
    note: str
    def __init__(self, note: _Optional[str] = ...) -> None: ...

class EndQuarantineResponse(_message.Message):
    __slots__ = ("quarantine",)
    QUARANTINE_FIELD_NUMBER: _ClassVar[int]
    quarantine: Quarantine
    def __init__(self, quarantine: _Optional[_Union[Quarantine, _Mapping]] = ...) -> None: ...
