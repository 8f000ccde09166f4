import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Breaker(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BREAKER_UNSPECIFIED: _ClassVar[Breaker]
    BREAKER_CLOSED: _ClassVar[Breaker]
    BREAKER_OPEN: _ClassVar[Breaker]
    BREAKER_HALF_OPEN: _ClassVar[Breaker]
BREAKER_UNSPECIFIED: Breaker
BREAKER_CLOSED: Breaker
BREAKER_OPEN: Breaker
BREAKER_HALF_OPEN: Breaker

class ListBanksRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListBanksResponse(_message.Message):
    __slots__ = ("banks",)
    BANKS_FIELD_NUMBER: _ClassVar[int]
    banks: _containers.RepeatedCompositeFieldContainer[Bank]
    def __init__(self, banks: _Optional[_Iterable[_Union[Bank, _Mapping]]] = ...) -> None: ...

class GetBankRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetBankResponse(_message.Message):
    __slots__ = ("bank",)
    BANK_FIELD_NUMBER: _ClassVar[int]
    bank: Bank
    def __init__(self, bank: _Optional[_Union[Bank, _Mapping]] = ...) -> None: ...

class Bank(_message.Message):
    __slots__ = ("name", "display_name", "protocol", "queued_count", "sending_count", "in_doubt_count", "accepted_count", "held_count", "breaker", "session_count", "exchange_count", "certificate_expire_time", "last_failure")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_NAME_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    QUEUED_COUNT_FIELD_NUMBER: _ClassVar[int]
    SENDING_COUNT_FIELD_NUMBER: _ClassVar[int]
    IN_DOUBT_COUNT_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_COUNT_FIELD_NUMBER: _ClassVar[int]
    HELD_COUNT_FIELD_NUMBER: _ClassVar[int]
    BREAKER_FIELD_NUMBER: _ClassVar[int]
    SESSION_COUNT_FIELD_NUMBER: _ClassVar[int]
    EXCHANGE_COUNT_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    LAST_FAILURE_FIELD_NUMBER: _ClassVar[int]
    name: str
    display_name: str
    protocol: str
    queued_count: int
    sending_count: int
    in_doubt_count: int
    accepted_count: int
    held_count: int
    breaker: Breaker
    session_count: int
    exchange_count: int
    certificate_expire_time: _timestamp_pb2.Timestamp
    last_failure: str
    def __init__(self, name: _Optional[str] = ..., display_name: _Optional[str] = ..., protocol: _Optional[str] = ..., queued_count: _Optional[int] = ..., sending_count: _Optional[int] = ..., in_doubt_count: _Optional[int] = ..., accepted_count: _Optional[int] = ..., held_count: _Optional[int] = ..., breaker: _Optional[_Union[Breaker, str]] = ..., session_count: _Optional[int] = ..., exchange_count: _Optional[int] = ..., certificate_expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_failure: _Optional[str] = ...) -> None: ...
