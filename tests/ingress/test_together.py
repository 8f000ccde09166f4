"""Claims about submissions that arrive together: one admission, and every call hears what it would have heard alone."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import grpc
import pytest
import trio
import trio.testing

from causeway.v1 import payment_service_pb2 as service
from gateway.config import PrincipalConfig
from gateway.core.errors import Overloaded, StoreFailed
from gateway.core.ports import Admission, Admitted
from gateway.house import House
from gateway.ingress.principals import Principals
from gateway.ingress.shedding import ADMITTING, Submissions
from gateway.ingress.together import SubmittedTogether
from gateway.rpc.status import OK, RpcError
from gateway.telemetry import names
from gateway.telemetry.trail import NullTrail
from tests.fakes.clock import FakeClock
from tests.fakes.house import house, trail
from tests.ingress.messages import submit
from tests.ingress.weary_store import WearyStore

TRACES = [f"00-{number:032x}-{number:016x}-01" for number in (1, 2)]


class Counting(WearyStore):
    """Remembers how many admissions came at once; `stumbles` over one key wherever it is among them."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.sizes: list[int] = []
        self.stumbles = ""
        self.gate = trio.Event()
        self.gate.set()

    async def admit(self, admissions: Sequence[Admission]) -> list[Admitted]:
        self.sizes.append(len(admissions))
        if any(one.payment.instruction.idempotency_key == self.stumbles for one in admissions):
            raise ValueError("a record that cannot be read")
        await self.gate.wait()
        return await super().admit(admissions)


class Asking:
    """A call without a wire."""

    method = ADMITTING
    final_status = OK

    def __init__(self, certificate: bytes | None = None, traceparent: str = "") -> None:
        self.peer_certificate = certificate
        self._metadata = (("traceparent", traceparent),) if traceparent else ()

    def invocation_metadata(self) -> Sequence[tuple[str, str | bytes]]:
        return self._metadata


@pytest.fixture
def of_house() -> House:
    return replace(traced_house(), trail=NullTrail())


def traced_house() -> House:
    clock = FakeClock()
    return house(store=Counting(clock), clock=clock)


def counting(of: House) -> Counting:
    assert isinstance(of.store, Counting)
    return of.store


async def told(of: House, *requests: service.SubmitPaymentRequest, traces: Sequence[str] = ()) -> list[Any]:
    """The answers, read; or the exceptions."""
    principals = Principals({"erp": PrincipalConfig(tenant="treasury")}, without_certificate="erp")
    calls: list[Any] = [Asking(traceparent=traces[place] if traces else "") for place in range(len(requests))]
    submissions = Submissions()
    answers = await SubmittedTogether(of, principals, submissions)(list(requests), calls)
    assert submissions.open == 0
    return [one if isinstance(one, Exception) else service.SubmitPaymentResponse.FromString(one) for one in answers]


def code(of: object) -> grpc.StatusCode:
    assert isinstance(of, RpcError), of
    return of.code


async def test_they_are_one_admission(of_house: House, autojump_clock: trio.testing.MockClock) -> None:
    """Ten calls, one job for the writer, ten payments; the one that was refused was not handed over."""
    requests = [submit(f"key-{number}") for number in range(10)]
    requests[3] = submit("key-3", purpose_code="toolong")
    answers = await told(of_house, *requests)
    assert counting(of_house).sizes == [9]
    assert code(answers.pop(3)) is grpc.StatusCode.INVALID_ARGUMENT
    assert [one.payment.instruction.idempotency_key for one in answers] == [
        f"key-{number}" for number in range(10) if number != 3
    ]
    assert len({one.payment.id for one in answers}) == 9


async def test_one_key_is_one_payment_among_them_too(of_house: House, autojump_clock: trio.testing.MockClock) -> None:
    """Law 2: the same content is a replay, another one an error, though all three came at once."""
    other = submit("key", unstructured_remittance="Invoice 2")
    first, again, reused = await told(of_house, submit("key"), submit("key"), other)
    assert (first.replayed, again.replayed, again.payment.id) == (False, True, first.payment.id)
    assert code(reused) is grpc.StatusCode.ALREADY_EXISTS


async def test_a_defect_met_by_one_is_not_told_to_the_others(
    of_house: House, autojump_clock: trio.testing.MockClock
) -> None:
    """What fails for all of them is tried for each alone: only the one that it lies with fails."""
    counting(of_house).stumbles = "key-1"
    answers = await told(of_house, *(submit(f"key-{number}") for number in range(3)))
    assert [type(one) for one in answers] == [service.SubmitPaymentResponse, ValueError, service.SubmitPaymentResponse]
    assert counting(of_house).sizes == [3, 1, 1, 1]


async def test_those_without_room_are_told_to_come_back(
    of_house: House, autojump_clock: trio.testing.MockClock
) -> None:
    """As many are admitted as there is room for, the first; the others are RESOURCE_EXHAUSTED, and stored nowhere."""
    counting(of_house).room = 2
    answers = await told(of_house, *(submit(f"key-{number}") for number in range(4)))
    assert [type(one) for one in answers[:2]] == [service.SubmitPaymentResponse] * 2
    assert [code(one) for one in answers[2:]] == [grpc.StatusCode.RESOURCE_EXHAUSTED] * 2
    assert counting(of_house).sizes == [2]
    counting(of_house).full = Overloaded("store queue", 0.5)
    assert [code(one) for one in await told(of_house, submit("a"), submit("b"))] == [
        grpc.StatusCode.RESOURCE_EXHAUSTED
    ] * 2


async def test_a_store_that_fails_acknowledges_none(of_house: House, autojump_clock: trio.testing.MockClock) -> None:
    """Nobody knows, so nobody is told that it was stored (law 1)."""
    counting(of_house).error = StoreFailed("the disk")
    assert [code(one) for one in await told(of_house, submit("a"), submit("b"))] == [grpc.StatusCode.UNAVAILABLE] * 2


async def test_each_payment_keeps_its_trace(autojump_clock: trio.testing.MockClock) -> None:
    """Calls of different traces are one admission, linked to each: no payment is stored under another's trace, and each
    call has its span."""
    of_house = traced_house()
    requests = [submit(f"key-{number}") for number in range(4)]
    answers = await told(of_house, *requests, traces=[TRACES[0], TRACES[1], TRACES[0], ""])
    traces = [one.payment.traceparent[:35] for one in answers]
    assert traces[0] == traces[2] == TRACES[0][:35]
    assert traces[1] == TRACES[1][:35]
    assert traces[3] not in traces[:3]
    assert [span.attributes["status"] for span in trail(of_house).named(names.CALL)] == ["OK"] * 4
    assert counting(of_house).sizes == [4]
    (admission,) = trail(of_house).named(names.ADMIT)
    assert (admission.parent, admission.links) == ("", tuple(one.payment.traceparent for one in answers))


async def test_a_stranger_is_told_so_in_every_call(of_house: House, autojump_clock: trio.testing.MockClock) -> None:
    """No certificate, no principal: nothing is admitted, and the error is the same for all."""
    principals = Principals({"erp": PrincipalConfig(tenant="treasury")})
    calls: list[Any] = [Asking(), Asking()]
    with pytest.raises(RpcError) as caught:
        await SubmittedTogether(of_house, principals, Submissions())([submit("a"), submit("b")], calls)
    assert caught.value.code is grpc.StatusCode.UNAUTHENTICATED
    assert counting(of_house).sizes == []


async def test_those_that_are_cancelled_are_counted_as_such(autojump_clock: trio.testing.MockClock) -> None:
    """All callers left before the commit: their calls are over, and what they handed in stays handed in."""
    of_house = traced_house()
    with trio.CancelScope() as scope:
        scope.cancel()
        await told(of_house, submit("a"), submit("b"))
    assert scope.cancelled_caught
    assert [span.attributes["status"] for span in trail(of_house).named(names.CALL)] == ["CANCELLED"] * 2
