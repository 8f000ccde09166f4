"""Requests as clients write them."""

from typing import Any

from google.rpc import error_details_pb2, status_pb2
from google.type.money_pb2 import Money
from grpc_status import rpc_status

from causeway.v1 import payment_pb2
from causeway.v1 import payment_service_pb2 as service
from tests.fakes.payments import IBAN_DE, IBAN_FR


def instruction(key: str = "key-1", **changes: Any) -> payment_pb2.Instruction:
    """EUR 100.00 from the German to the French account; `changes` replace fields."""
    whole: dict[str, Any] = {
        "idempotency_key": key,
        "amount": Money(currency_code="EUR", units=100),
        "debtor": payment_pb2.Party(account=payment_pb2.Account(iban=IBAN_DE)),
        "creditor": payment_pb2.Party(name="Exemple Creancier SA", account=payment_pb2.Account(iban=IBAN_FR)),
        "unstructured_remittance": "Invoice 1",
    }
    return payment_pb2.Instruction(**{**whole, **changes})


def submit(key: str = "key-1", **changes: Any) -> service.SubmitPaymentRequest:
    return service.SubmitPaymentRequest(instruction=instruction(key, **changes))


def submits(*keys: str) -> list[service.SubmitPaymentsRequest]:
    return [service.SubmitPaymentsRequest(instruction=instruction(key)) for key in keys]


def status(of: Any) -> status_pb2.Status:
    """The google.rpc.Status of a failed call (grpc.RpcError), or of an answer within a stream."""
    found = of if isinstance(of, status_pb2.Status) else rpc_status.from_call(of)
    assert found is not None, of
    return found


def info(of: Any) -> error_details_pb2.ErrorInfo:
    return _detail(status(of), error_details_pb2.ErrorInfo())


def violations(of: Any) -> dict[str, str]:
    """Field path → reason. The last of several."""
    listed = _detail(status(of), error_details_pb2.BadRequest())
    return {one.field: one.reason for one in listed.field_violations}


def retry_after_s(of: Any) -> float:
    delay = _detail(status(of), error_details_pb2.RetryInfo()).retry_delay
    return delay.seconds + delay.nanos / 1e9


def _detail(of: status_pb2.Status, into: Any) -> Any:
    found = [detail for detail in of.details if detail.Is(into.DESCRIPTOR)]
    assert len(found) == 1, of
    found[0].Unpack(into)
    return into
