"""Claims about handing payments in, from a stock grpcio client's side."""

import grpc
import pytest

from causeway.v1 import payment_pb2
from causeway.v1.payment_service_pb2 import SubmitPaymentRequest
from tests.ingress.conftest import CALL_S, Edge, in_thread
from tests.ingress.messages import info, instruction, submit, submits, violations


async def test_an_admitted_payment_comes_back_queued_with_what_the_house_added(edge: Edge) -> None:
    """The answer shows the payment as stored: its id, the end-to-end id we made, the bank we chose, SLEV in SEPA."""
    answer = await edge.call("payments.SubmitPayment", submit())
    payment = answer.payment
    assert payment.state == payment_pb2.STATE_QUEUED
    assert payment.instruction.bank == "northbank"
    assert payment.instruction.charge_bearer == payment_pb2.CHARGE_BEARER_SLEV
    assert len(payment.instruction.end_to_end_id) > 30
    assert payment.instruction.amount.units == 100
    assert not answer.replayed


async def test_the_same_key_and_content_is_answered_with_the_same_payment(edge: Edge) -> None:
    """A client that lost the answer asks again and gets the first one, marked as a replay (law 2)."""
    first = await edge.call("payments.SubmitPayment", submit())
    second = await edge.call("payments.SubmitPayment", submit())
    assert second.replayed
    assert second.payment.id == first.payment.id


async def test_the_same_key_with_other_content_is_an_error_that_names_the_payment(edge: Edge) -> None:
    """ALREADY_EXISTS / IDEMPOTENCY_KEY_REUSED, with the id of the payment that has the key."""
    first = await edge.call("payments.SubmitPayment", submit())
    error = await edge.refused("payments.SubmitPayment", submit(unstructured_remittance="Invoice 2"))
    assert error.code() is grpc.StatusCode.ALREADY_EXISTS
    assert info(error).reason == "IDEMPOTENCY_KEY_REUSED"
    assert info(error).domain == "causeway.v1"
    assert info(error).metadata["payment_id"] == first.payment.id


async def test_another_tenants_key_is_another_key(edge: Edge) -> None:
    """Tenants never meet in each other's keys."""
    first = await edge.call("payments.SubmitPayment", submit())
    other = await edge.call("payments.SubmitPayment", submit(unstructured_remittance="Wages"), caller="payroll")
    assert first.payment.id != other.payment.id


async def test_every_violation_comes_back_at_once(edge: Edge) -> None:
    """INVALID_ARGUMENT / INSTRUCTION_INVALID with a field path for each, and no account data in the text."""
    broken = payment_pb2.Instruction(
        idempotency_key="",
        end_to_end_id="//",
        unstructured_remittance="тест",
        purpose_code="toolong",
        rail=99,
        requested_execution_date={"year": 2026, "month": 2, "day": 30},
        creditor=payment_pb2.Party(account=payment_pb2.Account(iban="DE00370400440532013000")),
    )
    error = await edge.refused("payments.SubmitPayment", SubmitPaymentRequest(instruction=broken))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert info(error).reason == "INSTRUCTION_INVALID"
    assert violations(error).keys() == {
        "instruction.idempotency_key",
        "instruction.end_to_end_id",
        "instruction.amount.currency_code",
        "instruction.amount",
        "instruction.debtor.account",
        "instruction.creditor.name",
        "instruction.creditor.account.iban",
        "instruction.purpose_code",
        "instruction.unstructured_remittance",
        "instruction.requested_execution_date",
        "instruction.rail",
    }
    assert "37040044" not in str(error)
