"""Claims about what callers see of the banks, and about who may call at all."""

import grpc
import pytest

from causeway.v1 import bank_service_pb2, doubt_service_pb2
from causeway.v1 import payment_service_pb2 as service
from tests.ingress.conftest import Edge
from tests.ingress.messages import info, submit


async def test_banks_are_listed_by_name_with_their_lanes(edge: Edge) -> None:
    """Depth of the lane and state of the breaker, for each bank."""
    await edge.call("payments.SubmitPayment", submit())
    listed = (await edge.call("banks.ListBanks", bank_service_pb2.ListBanksRequest())).banks
    assert [bank.name for bank in listed] == ["northbank", "southbank"]
    assert [bank.queued_count for bank in listed] == [1, 0]
    assert [bank.breaker for bank in listed] == [bank_service_pb2.BREAKER_CLOSED, bank_service_pb2.BREAKER_HALF_OPEN]


async def test_a_bank_that_is_not_there_is_not_found(edge: Edge) -> None:
    """NOT_FOUND / BANK_NOT_FOUND, with the names of those that are."""
    error = await edge.refused("banks.GetBank", bank_service_pb2.GetBankRequest(name="eastbank"))
    assert error.code() is grpc.StatusCode.NOT_FOUND
    assert info(error).reason == "BANK_NOT_FOUND"
    assert "northbank" in error.details()


CALLS = [
    ("payments.SubmitPayment", service.SubmitPaymentRequest()),
    ("payments.GetPayment", service.GetPaymentRequest()),
    ("payments.ListPayments", service.ListPaymentsRequest()),
    ("payments.CancelPayment", service.CancelPaymentRequest()),
    ("banks.ListBanks", bank_service_pb2.ListBanksRequest()),
    ("banks.GetBank", bank_service_pb2.GetBankRequest()),
    ("doubts.ListDoubts", doubt_service_pb2.ListDoubtsRequest()),
    ("doubts.GetDoubt", doubt_service_pb2.GetDoubtRequest()),
    ("doubts.ProposeResolution", doubt_service_pb2.ProposeResolutionRequest()),
    ("doubts.ConfirmResolution", doubt_service_pb2.ConfirmResolutionRequest()),
]


@pytest.mark.parametrize(("method", "request_"), CALLS)
async def test_nobody_calls_without_a_principal(edge: Edge, method: str, request_: object) -> None:
    """No certificate is UNAUTHENTICATED, a stranger's is PERMISSION_DENIED, before anything else is looked at."""
    error = await edge.refused(method, request_, caller="none")
    assert (error.code(), info(error).reason) == (grpc.StatusCode.UNAUTHENTICATED, "NO_CERTIFICATE")
    error = await edge.refused(method, request_, caller="stranger")
    assert (error.code(), info(error).reason) == (grpc.StatusCode.PERMISSION_DENIED, "PRINCIPAL_UNKNOWN")
