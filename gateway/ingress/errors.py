"""What a caller is told: every error of the house as a gRPC status with google.rpc details (AIP-193).

One table in one place. Texts and metadata hold no account data and no names (law 11).
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Final, get_args

from google.protobuf.any_pb2 import Any as AnyProto
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc import StatusCode

from causeway.v1.error_reason_pb2 import ErrorReason
from gateway.core.decisions import Objection
from gateway.core.errors import (
    Ambiguous,
    BankUnknown,
    InvalidInstruction,
    KeyReused,
    NotFound,
    Overloaded,
    Quarantined,
    StoreFailed,
    Violation,
)
from gateway.core.payment import text_id
from gateway.core.roles import Role
from gateway.core.states import State
from gateway.rpc.status import RpcError

DOMAIN: Final = "causeway.v1"
DESCRIPTION_BYTES_MAX: Final = 3_072
"""Descriptions of violations in one error. Details travel in trailers, in base64, of which clients take 8 KiB; what
is over it comes without a description, its field and reason still say what is wrong."""
MESSAGE_VIOLATIONS_MAX: Final = 3  # violations spelled out in the message for people
RESTART_S: Final = 1.0  # an orchestrator needs about as long to start the next daemon


class InvalidRequest(Exception):
    """A field of a request, other than the instruction's, is wrong."""

    def __init__(self, *violations: Violation) -> None:
        super().__init__(f"{len(violations)} violations")
        self.violations = violations


class TooLateToCancel(Exception):
    """The payment has gone on; `state` says where it stands."""

    def __init__(self, state: State) -> None:
        super().__init__(f"the payment is {state.value}")
        self.state = state


class ActRefused(Exception):
    """A person's act about a payment in doubt or held was not taken; `state` says where the payment stands."""

    def __init__(self, objection: Objection, state: State) -> None:
        super().__init__(objection.value)
        self.objection = objection
        self.state = state


class NotQuarantined(Exception):
    """There is no quarantine to end."""


class QuarantineUndecided(Exception):
    """Payments are in doubt, or mailboxes of banks were not read to their end."""

    def __init__(self, in_doubt: int, unread: Sequence[str]) -> None:
        super().__init__(f"{in_doubt} in doubt, {len(unread)} mailboxes unread")
        self.in_doubt = in_doubt
        self.unread = tuple(unread)


class BankNotFound(Exception):
    """No bank of this name is configured. The text says which are."""


class NoCertificate(Exception):
    """The caller showed no certificate."""


class PrincipalUnknown(Exception):
    """The certificate belongs to no configured principal."""


class RoleRequired(Exception):
    """The principal's configuration does not give it this role."""

    def __init__(self, role: Role) -> None:
        super().__init__(role.value)
        self.role = role


Known = (
    InvalidInstruction
    | InvalidRequest
    | KeyReused
    | BankUnknown
    | BankNotFound
    | NotFound
    | Ambiguous
    | TooLateToCancel
    | ActRefused
    | Quarantined
    | NotQuarantined
    | QuarantineUndecided
    | Overloaded
    | StoreFailed
    | NoCertificate
    | PrincipalUnknown
    | RoleRequired
)
"""The errors that a caller may be told about. Any other is a fault of ours and stays inside."""
_KNOWN: Final = get_args(Known)


_OBJECTIONS: Final = {
    Objection.NOT_IN_DOUBT: "The payment is {state}: there is no doubt to end.",
    Objection.NO_PROPOSAL: "Nothing is proposed about this payment; propose a decision first.",
    Objection.PROPOSAL_VOID: "The payment is {state} and has moved on, or another proposal took the place of the one "
    "that was looked at: look at it again.",
    Objection.OWN_PROPOSAL: "Nobody confirms what they proposed: another principal has to.",
    Objection.HOLD_NOT_RELEASABLE: "This hold is not released by hand.",
    Objection.HOLD_NOT_OPEN: "The payment is {state} and is not held by this.",
    Objection.OWN_PAYMENT: "Nobody releases a payment that they made: another principal has to.",
}


class _Answered:
    """Stateless, and a class: a generator for every call costs more than all that it does."""

    __slots__ = ()

    def __enter__(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, frames: TracebackType | None
    ) -> None:
        if isinstance(error, _KNOWN):
            raise as_rpc_error(error) from error


_ANSWERED: Final = _Answered()


def answered() -> AbstractContextManager[None]:
    """Turns the house's errors into the call's end."""
    return _ANSWERED


def as_rpc_error(error: Known) -> RpcError:
    """The status of an error: code, a sentence for people, details for programs."""
    match error:
        case InvalidInstruction():
            return _invalid("INSTRUCTION_INVALID", "The instruction is not valid", error.violations)
        case InvalidRequest():
            return _invalid("REQUEST_INVALID", "The request is not valid", error.violations)
        case KeyReused():
            said = "This idempotency key belongs to another instruction. Use a new key for a new payment."
            named = {"payment_id": text_id(error.payment_id)}
            return _told(StatusCode.ALREADY_EXISTS, "IDEMPOTENCY_KEY_REUSED", said, named)
        case BankUnknown():
            return _told(StatusCode.FAILED_PRECONDITION, "BANK_UNKNOWN", str(error))
        case BankNotFound():
            return _told(StatusCode.NOT_FOUND, "BANK_NOT_FOUND", str(error))
        case NotFound():
            return _told(StatusCode.NOT_FOUND, "PAYMENT_NOT_FOUND", "There is no such payment.")
        case Ambiguous():
            return _told(StatusCode.FAILED_PRECONDITION, "AMBIGUOUS_END_TO_END_ID", str(error))
        case TooLateToCancel():
            said = f"The payment is {error.state.value} and can no longer be taken back."
            return _told(StatusCode.FAILED_PRECONDITION, "TOO_LATE_TO_CANCEL", said, {"state": error.state.value})
        case ActRefused():
            said = _OBJECTIONS[error.objection].format(state=error.state.value)
            return _told(StatusCode.FAILED_PRECONDITION, error.objection.value, said, {"state": error.state.value})
        case Quarantined() | NotQuarantined() | QuarantineUndecided():
            return _about_quarantine(error)
        case Overloaded():
            said = f"Too much at once: {error}. Try again later."
            return _told(StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", said, {}, _retry(error.retry_after_s))
        case StoreFailed():
            said = "Nobody can say whether this was stored. Send it again with the same idempotency key."
            return _told(StatusCode.UNAVAILABLE, "STORE_FAILED", said, {}, _retry(RESTART_S))
        case NoCertificate():
            return _told(StatusCode.UNAUTHENTICATED, "NO_CERTIFICATE", "A client certificate is required.")
        case PrincipalUnknown():
            said = "This certificate belongs to no principal of the configuration."
            return _told(StatusCode.PERMISSION_DENIED, "PRINCIPAL_UNKNOWN", said)
        case RoleRequired():
            said = f"This needs the role {error.role.value}, which the configuration does not give this principal."
            return _told(StatusCode.PERMISSION_DENIED, "ROLE_REQUIRED", said, {"role": error.role.value})


def _about_quarantine(error: Quarantined | NotQuarantined | QuarantineUndecided) -> RpcError:
    match error:
        case Quarantined():
            said = (
                "The store was restored from a backup: nothing is admitted until an operator ends the quarantine. "
                "Do not send it again by itself: what was acknowledged after the backup is unknown here."
            )
            return _told(StatusCode.FAILED_PRECONDITION, "QUARANTINED", said)
        case NotQuarantined():
            return _told(StatusCode.FAILED_PRECONDITION, "NOT_QUARANTINED", "There is no quarantine to end.")
        case QuarantineUndecided():
            unread = ", ".join(error.unread)
            said = f"{error.in_doubt} payments are in doubt" + (f"; mailboxes not read yet: {unread}" if unread else "")
            named = {"in_doubt": str(error.in_doubt), "unread_mailboxes": unread}
            return _told(StatusCode.FAILED_PRECONDITION, "QUARANTINE_UNDECIDED", f"{said}.", named)


def going_down() -> RpcError:
    """The end of a watch when the daemon drains. No fault, so no reason of the catalogue."""
    said = "The daemon is going down. Watch again from the last position."
    return RpcError(StatusCode.UNAVAILABLE, said, (_retry(RESTART_S),))


def as_proto(error: RpcError) -> status_pb2.Status:
    """The same as a message, for an answer within a stream."""
    code: int = error.code.value[0]
    return status_pb2.Status(code=code, message=error.message, details=[_packed(detail) for detail in error.details])


def _told(
    code: StatusCode, reason: str, said: str, metadata: Mapping[str, str] | None = None, *more: Message
) -> RpcError:
    assert f"ERROR_REASON_{reason}" in ErrorReason.keys(), reason  # noqa: SIM118 (an enum wrapper is no dict)
    info = error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN, metadata=metadata)
    return RpcError(code, said, (info, *more))


def _invalid(reason: str, said: str, violations: Sequence[Violation]) -> RpcError:
    listed = error_details_pb2.BadRequest()
    room = DESCRIPTION_BYTES_MAX
    for violation in violations:
        room -= len(violation.description.encode())
        listed.field_violations.add(
            field=violation.field,
            reason=violation.reason,
            description=violation.description if room >= 0 else "",
        )
    spelled = [f"{one.field}: {one.description}" for one in violations[:MESSAGE_VIOLATIONS_MAX]]
    if len(violations) > MESSAGE_VIOLATIONS_MAX:
        spelled.append(f"and {len(violations) - MESSAGE_VIOLATIONS_MAX} more")
    return _told(StatusCode.INVALID_ARGUMENT, reason, f"{said}: {'; '.join(spelled)}.", {}, listed)


def _retry(after_s: float) -> error_details_pb2.RetryInfo:
    delay = Duration()
    delay.FromNanoseconds(int(after_s * 1e9))
    return error_details_pb2.RetryInfo(retry_delay=delay)


def _packed(detail: Message) -> AnyProto:
    packed = AnyProto()
    packed.Pack(detail)
    return packed
