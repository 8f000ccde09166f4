from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor

class ErrorReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ERROR_REASON_UNSPECIFIED: _ClassVar[ErrorReason]
    ERROR_REASON_INSTRUCTION_INVALID: _ClassVar[ErrorReason]
    ERROR_REASON_REQUEST_INVALID: _ClassVar[ErrorReason]
    ERROR_REASON_IDEMPOTENCY_KEY_REUSED: _ClassVar[ErrorReason]
    ERROR_REASON_BANK_UNKNOWN: _ClassVar[ErrorReason]
    ERROR_REASON_PAYMENT_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_AMBIGUOUS_END_TO_END_ID: _ClassVar[ErrorReason]
    ERROR_REASON_TOO_LATE_TO_CANCEL: _ClassVar[ErrorReason]
    ERROR_REASON_OVERLOADED: _ClassVar[ErrorReason]
    ERROR_REASON_STORE_FAILED: _ClassVar[ErrorReason]
    ERROR_REASON_NO_CERTIFICATE: _ClassVar[ErrorReason]
    ERROR_REASON_PRINCIPAL_UNKNOWN: _ClassVar[ErrorReason]
    ERROR_REASON_BANK_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_ROLE_REQUIRED: _ClassVar[ErrorReason]
    ERROR_REASON_NOT_IN_DOUBT: _ClassVar[ErrorReason]
    ERROR_REASON_NO_PROPOSAL: _ClassVar[ErrorReason]
    ERROR_REASON_PROPOSAL_VOID: _ClassVar[ErrorReason]
    ERROR_REASON_OWN_PROPOSAL: _ClassVar[ErrorReason]
    ERROR_REASON_QUARANTINED: _ClassVar[ErrorReason]
    ERROR_REASON_NOT_QUARANTINED: _ClassVar[ErrorReason]
    ERROR_REASON_QUARANTINE_UNDECIDED: _ClassVar[ErrorReason]
ERROR_REASON_UNSPECIFIED: ErrorReason
ERROR_REASON_INSTRUCTION_INVALID: ErrorReason
ERROR_REASON_REQUEST_INVALID: ErrorReason
ERROR_REASON_IDEMPOTENCY_KEY_REUSED: ErrorReason
ERROR_REASON_BANK_UNKNOWN: ErrorReason
ERROR_REASON_PAYMENT_NOT_FOUND: ErrorReason
ERROR_REASON_AMBIGUOUS_END_TO_END_ID: ErrorReason
ERROR_REASON_TOO_LATE_TO_CANCEL: ErrorReason
ERROR_REASON_OVERLOADED: ErrorReason
ERROR_REASON_STORE_FAILED: ErrorReason
ERROR_REASON_NO_CERTIFICATE: ErrorReason
ERROR_REASON_PRINCIPAL_UNKNOWN: ErrorReason
ERROR_REASON_BANK_NOT_FOUND: ErrorReason
ERROR_REASON_ROLE_REQUIRED: ErrorReason
ERROR_REASON_NOT_IN_DOUBT: ErrorReason
ERROR_REASON_NO_PROPOSAL: ErrorReason
ERROR_REASON_PROPOSAL_VOID: ErrorReason
ERROR_REASON_OWN_PROPOSAL: ErrorReason
ERROR_REASON_QUARANTINED: ErrorReason
ERROR_REASON_NOT_QUARANTINED: ErrorReason
ERROR_REASON_QUARANTINE_UNDECIDED: ErrorReason
