"""Overload is turned away before it costs anything, counted, and told when to come back."""

from contextlib import AsyncExitStack

import grpc
import pytest
import trio
import trio.testing

from causeway.v1.payment_service_pb2 import ListPaymentsRequest
from gateway.core.errors import Overloaded
from gateway.house import House
from gateway.ingress.turns import PAGES_WAITING_MAX, TURN_MAX, Turns
from gateway.telemetry import names
from tests.fakes.house import queue, trail
from tests.fills import fills
from tests.ingress.conftest import Edge
from tests.ingress.messages import info, retry_after_s, submit
from tests.ingress.weary_store import weary


@pytest.mark.parametrize("wrong", [{}, {"purpose_code": "toolong"}])
async def test_a_full_queue_is_asked_before_any_work(edge: Edge, of_house: House, wrong: dict[str, str]) -> None:
    """RESOURCE_EXHAUSTED with RetryInfo, though the instruction was not even looked at; the shed call is counted."""
    weary(of_house).full = Overloaded("store queue is full", 0.5)
    refused = await edge.refused("payments.SubmitPayment", submit("shed", **wrong))
    assert refused.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert info(refused).reason == "OVERLOADED"
    assert retry_after_s(refused) == 0.5
    assert trail(of_house).counts[names.SHED, (("queue", "writer"),)] == 1
    weary(of_house).full = None
    assert (await edge.call("payments.SubmitPayment", submit("shed"))).payment.id


@fills("TURN_MAX")
async def test_a_page_is_made_in_parts(edge: Edge, of_house: House) -> None:
    """However large, it is whole, in order and without repetition, and so is the next."""
    await queue(of_house, *range(3 * TURN_MAX), tenant="treasury")
    size = 2 * TURN_MAX + 1
    first = await edge.call("payments.ListPayments", ListPaymentsRequest(page_size=size))
    rest = await edge.call(
        "payments.ListPayments", ListPaymentsRequest(page_size=size, page_token=first.next_page_token)
    )
    ids = [payment.id for payment in (*first.payments, *rest.payments)]
    assert (len(first.payments), len(set(ids))) == (size, 3 * TURN_MAX)
    assert ids == sorted(ids)


@fills("PAGES_WAITING_MAX")
async def test_pages_take_turns(autojump_clock: trio.testing.MockClock) -> None:
    """Between two parts of one page everybody else who waits has a turn; more than PAGES_WAITING_MAX are told to come
    back."""
    turns, order = Turns(), []

    async def page(name: int) -> None:
        for _ in range(2):
            async with turns.turn():
                order.append(name)
                await trio.lowlevel.checkpoint()

    async with AsyncExitStack() as stack:
        nursery = await stack.enter_async_context(trio.open_nursery())
        async with turns.turn():
            for name in range(PAGES_WAITING_MAX):
                turns.check_room()
                nursery.start_soon(page, name)
                await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(Overloaded):
                turns.check_room()
    assert order == [*order[:PAGES_WAITING_MAX]] * 2
    turns.check_room()
