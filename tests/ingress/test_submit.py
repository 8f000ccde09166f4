"""Claims about handing payments in, from a stock grpcio client's side."""

from datetime import UTC, datetime

import grpc
from google.type.date_pb2 import Date

from causeway.v1 import payment_pb2
from causeway.v1.payment_service_pb2 import SubmitPaymentRequest
from gateway.core.errors import Overloaded, StoreFailed
from gateway.house import House
from tests.fakes.clock import FakeClock
from tests.ingress.conftest import Edge
from tests.ingress.messages import info, retry_after_s, submit, violations
from tests.ingress.weary_store import weary


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


async def test_a_retry_is_a_replay_even_where_todays_rules_would_refuse_it(edge: Edge, of_house: House) -> None:
    """The date has passed since: the client's retry still gets its payment, and a new instruction its violation."""
    clock = of_house.clock
    assert isinstance(clock, FakeClock)
    today = datetime.fromtimestamp(clock.now_ns() / 1e9, UTC)
    day = Date(year=today.year, month=today.month, day=today.day)
    first = await edge.call("payments.SubmitPayment", submit(requested_execution_date=day))
    clock.advance(3 * 86_400)
    again = await edge.call("payments.SubmitPayment", submit(requested_execution_date=day))
    assert (again.replayed, again.payment.id) == (True, first.payment.id)
    error = await edge.refused("payments.SubmitPayment", submit("new", requested_execution_date=day))
    assert violations(error) == {"instruction.requested_execution_date": "EXECUTION_DATE_PAST"}


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


async def test_all_that_can_be_wrong_at_once_still_reaches_a_stock_client(edge: Edge) -> None:
    """The longest possible list of violations fits into the trailers a default grpcio client takes."""
    party = payment_pb2.Party(
        name="Ж" * 500,
        account=payment_pb2.Account(other="Ж" * 50),
        agent_bic="WRONG",
        address=payment_pb2.Address(street_name="Ж" * 500, country_code="??"),
    )
    broken = payment_pb2.Instruction(
        idempotency_key="Ж" * 200,
        end_to_end_id="Ж" * 100,
        amount={"currency_code": "???", "units": -5, "nanos": 7},
        debtor=party,
        creditor=party,
        purpose_code="toolong",
        unstructured_remittance="Ж" * 500,
        requested_execution_date={"year": 1, "month": 1, "day": 1},
        charge_bearer=77,
        rail=99,
        labels={f"Ж{'x' * 100}{number}": "Ж" * 400 for number in range(30)},
    )
    error = await edge.refused("payments.SubmitPayment", SubmitPaymentRequest(instruction=broken))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert len(violations(error)) >= 16


async def test_a_bank_that_is_not_there_is_a_failed_precondition_that_names_those_that_are(edge: Edge) -> None:
    """FAILED_PRECONDITION / BANK_UNKNOWN."""
    error = await edge.refused("payments.SubmitPayment", submit(bank="eastbank"))
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert info(error).reason == "BANK_UNKNOWN"
    assert "northbank, southbank" in error.details()


async def test_the_callers_trace_goes_on_in_the_payment(edge: Edge) -> None:
    """The stored traceparent belongs to the trace the client is in; an invalid one is ignored, not refused."""
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    metadata = (("traceparent", f"00-{trace_id}-00f067aa0ba902b7-01"),)
    traced = await edge.call("payments.SubmitPayment", submit("traced"), metadata=metadata)
    assert traced.payment.traceparent.split("-")[1] == trace_id
    spoilt = (("traceparent", "not one"),)
    untraced = await edge.call("payments.SubmitPayment", submit("untraced"), metadata=spoilt)
    assert trace_id not in untraced.payment.traceparent


async def test_overload_is_shed_with_the_time_to_come_back(edge: Edge, of_house: House) -> None:
    """RESOURCE_EXHAUSTED / OVERLOADED with RetryInfo; nothing of it was stored."""
    store = weary(of_house)
    store.error = Overloaded("the queue to the writer", 0.25)
    error = await edge.refused("payments.SubmitPayment", submit())
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert info(error).reason == "OVERLOADED"
    assert retry_after_s(error) == 0.25


async def test_a_failed_store_is_unavailable_and_never_a_refusal(edge: Edge, of_house: House) -> None:
    """UNAVAILABLE / STORE_FAILED tells the client to send the same key again: nobody knows whether it was stored."""
    weary(of_house).error = StoreFailed("disk")
    error = await edge.refused("payments.SubmitPayment", submit())
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert info(error).reason == "STORE_FAILED"
    assert "disk" not in str(error)
