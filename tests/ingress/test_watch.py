"""Claims about watching over gRPC; what the feed itself promises is in tests/events."""

import grpc
import pytest
import trio

from causeway.v1 import payment_pb2
from causeway.v1 import payment_service_pb2 as service
from gateway.ingress.requests import position
from tests.fakes.payments import IBAN_FR
from tests.ingress.conftest import CALL_S, Edge, in_thread
from tests.ingress.messages import info, retry_after_s, submit, violations


async def watched(
    edge: Edge, request: service.WatchPaymentsRequest, facts: int, caller: str = "erp"
) -> list[service.WatchPaymentsResponse]:
    """The answers up to the one with the last of so many facts."""

    def run() -> list[service.WatchPaymentsResponse]:
        with edge.stubs(caller) as stubs:
            answers: list[service.WatchPaymentsResponse] = []
            call = stubs.payments.WatchPayments(request, timeout=CALL_S)
            while sum(answer.HasField("fact") for answer in answers) < facts:
                answers.append(next(call))
            call.cancel()
            return answers

    return await in_thread(run)


async def heartbeat(edge: Edge, request: service.WatchPaymentsRequest, caller: str = "erp") -> str:
    """The position of the first answer, which must be a heartbeat."""

    def run() -> service.WatchPaymentsResponse:
        with edge.stubs(caller) as stubs:
            answer: service.WatchPaymentsResponse = next(stubs.payments.WatchPayments(request, timeout=CALL_S))
            return answer

    answer = await in_thread(run)
    assert not answer.HasField("fact")
    return answer.position


async def test_a_watcher_resumes_where_it_was(edge: Edge) -> None:
    """With the position of the last handled answer, the next fact is the next answer's; none is left out."""
    for key in ("a", "b"):
        await edge.call("payments.SubmitPayment", submit(key))
    first = await watched(edge, service.WatchPaymentsRequest(), 3)
    rest = await watched(edge, service.WatchPaymentsRequest(position=first[-1].position), 1)
    assert [answer.fact.sequence for answer in [*first, *rest]] == [1, 2, 3, 4]
    assert [answer.fact.kind for answer in [*first, *rest]] == ["received", "cleared"] * 2


async def test_now_is_the_end_of_the_log(edge: Edge) -> None:
    """ "now" begins with a heartbeat, so that the watcher knows it is in place, and tells only what comes."""
    await edge.call("payments.SubmitPayment", submit("before"))
    at = await heartbeat(edge, service.WatchPaymentsRequest(position="now"))
    after = await edge.call("payments.SubmitPayment", submit("after"))
    answers = await watched(edge, service.WatchPaymentsRequest(position=at), 2)
    assert {answer.fact.payment_id for answer in answers if answer.HasField("fact")} == {after.payment.id}


async def test_filters_leave_out_what_was_not_asked_for(edge: Edge) -> None:
    """Payment ids, states and bank each narrow the view."""
    one = (await edge.call("payments.SubmitPayment", submit("a"))).payment.id
    of_south = payment_pb2.Party(account=payment_pb2.Account(iban=IBAN_FR))
    two = (await edge.call("payments.SubmitPayment", submit("b", debtor=of_south))).payment.id
    asked = service.WatchPaymentsRequest
    by_id = await watched(edge, asked(payment_ids=[two]), 2)
    assert {answer.fact.payment_id for answer in by_id if answer.HasField("fact")} == {two}
    by_state = await watched(edge, asked(states=[payment_pb2.STATE_QUEUED]), 2)
    assert {answer.fact.kind for answer in by_state if answer.HasField("fact")} == {"cleared"}
    by_bank = await watched(edge, asked(bank="northbank"), 2)
    assert {answer.fact.payment_id for answer in by_bank if answer.HasField("fact")} == {one}


async def test_another_tenants_facts_are_never_seen(edge: Edge) -> None:
    """A watcher of another tenant gets heartbeats that move its position on, and no fact."""
    await edge.call("payments.SubmitPayment", submit())
    assert await heartbeat(edge, service.WatchPaymentsRequest(), caller="payroll") == position(2)


@pytest.mark.parametrize(
    ("text", "reason"), [("seven", "POSITION_MALFORMED"), (position(10**6), "POSITION_BEYOND_LOG")]
)
async def test_a_position_that_is_none_says_how_to_start_over(edge: Edge, text: str, reason: str) -> None:
    """INVALID_ARGUMENT; a log restored from a backup may be shorter than a watcher remembers."""

    def run() -> None:
        with edge.stubs() as stubs:
            next(stubs.payments.WatchPayments(service.WatchPaymentsRequest(position=text), timeout=CALL_S))

    with pytest.raises(grpc.RpcError) as caught:
        await in_thread(run)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert info(caught.value).reason == "REQUEST_INVALID"
    assert violations(caught.value) == {"position": reason}
    assert '"now"' in caught.value.details()


async def test_a_house_that_goes_down_sends_its_watchers_away(edge: Edge) -> None:
    """UNAVAILABLE with the time to come back, at once: a watcher never holds up the exit."""
    token = trio.lowlevel.current_trio_token()

    def run() -> None:
        with edge.stubs() as stubs:
            call = stubs.payments.WatchPayments(service.WatchPaymentsRequest(), timeout=CALL_S)
            next(call)
            trio.from_thread.run_sync(edge.feed.close, trio_token=token)
            for _ in call:
                pass

    with pytest.raises(grpc.RpcError) as caught:
        await in_thread(run)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert retry_after_s(caught.value) == 1.0
