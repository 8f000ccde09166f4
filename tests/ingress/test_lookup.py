"""Claims about finding payments again and taking them back."""

import grpc
import pytest

from causeway.v1 import payment_pb2
from causeway.v1 import payment_service_pb2 as service
from gateway.core import happenings
from gateway.core.payment import parse_id
from gateway.core.ports import Step
from gateway.core.reasons import Reason
from gateway.house import House
from tests.fakes.payments import attempt
from tests.ingress.conftest import Edge
from tests.ingress.messages import info, submit, violations

NOBODYS_ID = "01890a5d-ac96-774b-bcce-b302099a8057"


async def test_a_payment_is_found_by_each_of_its_names(edge: Edge) -> None:
    """By id, by idempotency key and by end-to-end id it is the same payment, with its history where asked for."""
    id_ = (await edge.call("payments.SubmitPayment", submit("k", end_to_end_id="INV-7"))).payment.id
    for name in ({"id": id_}, {"idempotency_key": "k"}, {"end_to_end_id": " INV-7 "}):
        answer = await edge.call("payments.GetPayment", service.GetPaymentRequest(**name, include_history=True))
        assert answer.payment.id == id_
        assert [fact.kind for fact in answer.history] == ["received", "cleared"]
    assert not (await edge.call("payments.GetPayment", service.GetPaymentRequest(id=id_))).history


async def test_another_tenants_payment_is_not_found(edge: Edge) -> None:
    """By no name, and it cannot be cancelled either; the answer is that of a payment that does not exist."""
    id_ = (await edge.call("payments.SubmitPayment", submit("k", end_to_end_id="INV-7"))).payment.id
    for name in ({"id": id_}, {"idempotency_key": "k"}, {"end_to_end_id": "INV-7"}, {"id": NOBODYS_ID}):
        error = await edge.refused("payments.GetPayment", service.GetPaymentRequest(**name), caller="payroll")
        assert error.code() is grpc.StatusCode.NOT_FOUND
        assert info(error).reason == "PAYMENT_NOT_FOUND"
    error = await edge.refused("payments.CancelPayment", service.CancelPaymentRequest(id=id_), caller="payroll")
    assert info(error).reason == "PAYMENT_NOT_FOUND"


@pytest.mark.parametrize("request_", [service.GetPaymentRequest(), service.GetPaymentRequest(id="seven")])
async def test_a_request_that_names_no_payment_is_invalid(edge: Edge, request_: service.GetPaymentRequest) -> None:
    """INVALID_ARGUMENT / REQUEST_INVALID."""
    error = await edge.refused("payments.GetPayment", request_)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert info(error).reason == "REQUEST_INVALID"
    assert violations(error)


async def test_an_end_to_end_id_of_two_payments_is_ambiguous(edge: Edge) -> None:
    """FAILED_PRECONDITION / AMBIGUOUS_END_TO_END_ID, and ListPayments shows both."""
    for key in ("one", "two"):
        await edge.call("payments.SubmitPayment", submit(key, end_to_end_id="INV-7"))
    error = await edge.refused("payments.GetPayment", service.GetPaymentRequest(end_to_end_id="INV-7"))
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert info(error).reason == "AMBIGUOUS_END_TO_END_ID"
    listed = await edge.call("payments.ListPayments", service.ListPaymentsRequest(end_to_end_id="INV-7"))
    assert len(listed.payments) == 2


async def test_pages_show_every_payment_once_in_order(edge: Edge) -> None:
    """Following the tokens visits each payment of the filter once, oldest first, and ends."""
    ids = [
        (await edge.call("payments.SubmitPayment", submit(f"k{n}", labels={"run": str(n % 2)}))).payment.id
        for n in range(7)
    ]
    seen, token, pages = [], "", 0
    while pages == 0 or token:
        asked = service.ListPaymentsRequest(page_size=2, page_token=token, labels={"run": "0"})
        page = await edge.call("payments.ListPayments", asked)
        seen += [payment.id for payment in page.payments]
        token, pages = page.next_page_token, pages + 1
        assert pages < 10
    assert seen == sorted(ids[::2])  # ids are in order of time, by the millisecond


async def test_a_page_token_serves_only_its_own_filter(edge: Edge) -> None:
    """With another filter, by another tenant, or spoilt, it is INVALID_ARGUMENT: never a silently wrong page."""
    for n in range(3):
        await edge.call("payments.SubmitPayment", submit(f"k{n}"))
    first = await edge.call("payments.ListPayments", service.ListPaymentsRequest(page_size=1))
    token = first.next_page_token
    asked = service.ListPaymentsRequest
    for wrong in (asked(page_token=token, bank="northbank"), asked(page_token=token[:-1]), asked(page_token="ü")):
        assert violations(await edge.refused("payments.ListPayments", wrong)) == {"page_token": "PAGE_TOKEN_INVALID"}
    error = await edge.refused("payments.ListPayments", asked(page_token=token), caller="payroll")
    assert violations(error) == {"page_token": "PAGE_TOKEN_INVALID"}


async def test_filters_that_mean_nothing_are_named_together(edge: Edge) -> None:
    """Every wrong field of a list request at once."""
    asked = service.ListPaymentsRequest(page_size=1001, states=[0], page_token="x")
    error = await edge.refused("payments.ListPayments", asked)
    assert violations(error) == {
        "page_size": "PAGE_SIZE_OUT_OF_RANGE",
        "states": "STATE_UNKNOWN",
        "page_token": "PAGE_TOKEN_INVALID",
    }


async def test_a_payment_that_was_not_sent_can_be_taken_back(edge: Edge) -> None:
    """CancelPayment ends it as CANCELLED, says who did it, and asked again gives the same answer."""
    id_ = (await edge.call("payments.SubmitPayment", submit())).payment.id
    for _ in range(2):
        answer = await edge.call("payments.CancelPayment", service.CancelPaymentRequest(id=id_))
        assert answer.payment.state == payment_pb2.STATE_CANCELLED
    history = (await edge.call("payments.GetPayment", service.GetPaymentRequest(id=id_, include_history=True))).history
    assert [(fact.kind, fact.actor) for fact in history][2:] == [("cancelled", "erp")]


async def test_a_payment_that_may_have_left_cannot_be_taken_back(edge: Edge, of_house: House) -> None:
    """FAILED_PRECONDITION / TOO_LATE_TO_CANCEL with the state, while SENDING as well as in doubt (law 7)."""
    text = (await edge.call("payments.SubmitPayment", submit())).payment.id
    id_ = parse_id(text)
    assert id_ is not None
    payment = await of_house.store.get(id_)
    assert payment is not None
    for happening in (happenings.marked(attempt(payment)), happenings.doubted(Reason.REPLY_LOST, 0)):
        (stepped,) = await of_house.store.take([Step(payment_id=id_, happening=happening)])
        assert stepped.payment is not None
        error = await edge.refused("payments.CancelPayment", service.CancelPaymentRequest(id=text))
        assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
        assert info(error).reason == "TOO_LATE_TO_CANCEL"
        assert info(error).metadata["state"] == stepped.payment.state.value
