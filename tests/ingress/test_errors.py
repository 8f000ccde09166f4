"""Claims about the catalogue of errors: closed, complete, and silent about accounts."""

import grpc
import pytest

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
from gateway.core.roles import Role
from gateway.core.states import State
from gateway.ingress.errors import (
    ActRefused,
    BankNotFound,
    InvalidRequest,
    Known,
    NoCertificate,
    NotQuarantined,
    PrincipalUnknown,
    QuarantineUndecided,
    RoleRequired,
    TooLateToCancel,
    answered,
    as_proto,
    as_rpc_error,
)
from gateway.rpc.status import RpcError
from tests.ingress.messages import info, violations

BROKEN = Violation("instruction.amount", "AMOUNT_NOT_POSITIVE", "must be above zero")
CODES = grpc.StatusCode

ERRORS: list[tuple[Known, grpc.StatusCode, str]] = [
    (InvalidInstruction([BROKEN]), CODES.INVALID_ARGUMENT, "INSTRUCTION_INVALID"),
    (InvalidRequest(BROKEN), CODES.INVALID_ARGUMENT, "REQUEST_INVALID"),
    (KeyReused(bytes(16)), CODES.ALREADY_EXISTS, "IDEMPOTENCY_KEY_REUSED"),
    (BankUnknown("no"), CODES.FAILED_PRECONDITION, "BANK_UNKNOWN"),
    (NotFound(), CODES.NOT_FOUND, "PAYMENT_NOT_FOUND"),
    (Ambiguous("several"), CODES.FAILED_PRECONDITION, "AMBIGUOUS_END_TO_END_ID"),
    (TooLateToCancel(State.SENDING), CODES.FAILED_PRECONDITION, "TOO_LATE_TO_CANCEL"),
    (Overloaded("the queue", 1.0), CODES.RESOURCE_EXHAUSTED, "OVERLOADED"),
    (StoreFailed("disk"), CODES.UNAVAILABLE, "STORE_FAILED"),
    (NoCertificate(), CODES.UNAUTHENTICATED, "NO_CERTIFICATE"),
    (PrincipalUnknown(), CODES.PERMISSION_DENIED, "PRINCIPAL_UNKNOWN"),
    (BankNotFound("no"), CODES.NOT_FOUND, "BANK_NOT_FOUND"),
    (RoleRequired(Role.DOUBTS), CODES.PERMISSION_DENIED, "ROLE_REQUIRED"),
    (Quarantined(), CODES.FAILED_PRECONDITION, "QUARANTINED"),
    (NotQuarantined(), CODES.FAILED_PRECONDITION, "NOT_QUARANTINED"),
    (QuarantineUndecided(2, ["northbank"]), CODES.FAILED_PRECONDITION, "QUARANTINE_UNDECIDED"),
    *((ActRefused(why, State.IN_DOUBT), CODES.FAILED_PRECONDITION, why.value) for why in Objection),
]


@pytest.mark.parametrize(("error", "code", "reason"), ERRORS)
def test_each_error_has_one_code_and_one_reason(error: Known, code: grpc.StatusCode, reason: str) -> None:
    """As error_reason.proto writes it down; the same within a stream."""
    told = as_rpc_error(error)
    assert told.code is code
    assert (info(as_proto(told)).reason, info(as_proto(told)).domain) == (reason, "causeway.v1")
    with pytest.raises(RpcError), answered():
        raise error


def test_the_catalogue_is_complete_and_closed() -> None:
    """Every reason of the API is one that we give, and we give no other."""
    given = {f"ERROR_REASON_{reason}" for _, _, reason in ERRORS}
    assert given | {"ERROR_REASON_UNSPECIFIED"} == set(ErrorReason.keys())


def test_a_fault_of_ours_is_not_told() -> None:
    """What is not in the catalogue passes through as it is: the server says UNKNOWN and nothing else."""
    with pytest.raises(KeyError), answered():
        raise KeyError("DE89370400440532013000")


def test_a_long_list_of_violations_keeps_fields_and_reasons() -> None:
    """What is over the room for descriptions loses its description; nothing loses its place."""
    many = [Violation(f"instruction.field{number}", "REASON", "x" * 100) for number in range(60)]
    told = as_proto(as_rpc_error(InvalidInstruction(many)))
    assert len(violations(told)) == 60
    assert told.ByteSize() < 6 * 1024  # in base64 below the 8 KiB that clients take
