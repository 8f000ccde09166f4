"""Claims about ReleaseHold: who may, that it is kept, and that the payment is then sent once."""

from typing import Any

import grpc
import pytest
import trio

from causeway.v1 import doubt_service_pb2, payment_pb2
from causeway.v1 import payment_service_pb2 as service
from gateway.core import happenings
from gateway.core.decisions import Releasing
from gateway.core.holds import HOLD_DEFECT
from gateway.core.ports import Step, Submission, WireRequest
from gateway.core.reasons import Reason
from gateway.core.states import State
from gateway.dispatch.lane import Lane
from gateway.house import Bank
from tests.fakes.bank import FakeAdapter, FakeLink
from tests.fakes.house import house, link, profile, queue
from tests.ingress.conftest import Edge
from tests.ingress.messages import info, submit, violations
from tests.ingress.test_doubts import take

NOTE = "mended at 14:02, see change 4711"


async def held(edge: Edge, key: str = "key-1", caller: str = "erp") -> str:
    text = str((await edge.call("payments.SubmitPayment", submit(key), caller=caller)).payment.id)
    await take(edge.house, text, happenings.held(Reason.COMPOSE_FAILED, HOLD_DEFECT))
    return text


async def release(edge: Edge, id_: str, caller: str = "mia", hold: str = HOLD_DEFECT, note: str = NOTE) -> Any:
    request = service.ReleaseHoldRequest(id=id_, hold=hold, note=note)
    return (await edge.call("payments.ReleaseHold", request, caller=caller)).payment


async def refusal(edge: Edge, *words: str, **more: str) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as caught:
        await release(edge, *words, **more)
    return caught.value


async def test_a_released_payment_is_queued_and_the_note_is_kept(edge: Edge) -> None:
    """By another principal of the tenant with the role; whoever looks at the evidence sees who wrote what."""
    id_ = await held(edge)
    payment = await release(edge, id_)
    assert (payment.state, list(payment.holds)) == (payment_pb2.STATE_QUEUED, [])
    seen = await edge.call("doubts.GetDoubt", doubt_service_pb2.GetDoubtRequest(id=id_), caller="ada")
    assert [(one.actor, one.content, one.source) for one in seen.evidence] == [
        ("mia", NOTE.encode(), doubt_service_pb2.EVIDENCE_SOURCE_NOTE)
    ]
    assert (seen.history[-1].actor, seen.history[-1].reason) == ("mia", "RELEASED")


async def test_without_the_role_or_the_tenant_nothing_is_released(edge: Edge) -> None:
    """The role for doubts is another one; another tenant's payment is not there."""
    id_ = await held(edge)
    assert info(await refusal(edge, id_, caller="ada")).reason == "ROLE_REQUIRED"
    assert info(await refusal(edge, id_, caller="erp")).reason == "ROLE_REQUIRED"
    other = await held(edge, "key-2", caller="payroll")
    assert info(await refusal(edge, other)).reason == "PAYMENT_NOT_FOUND"


async def test_what_cannot_be_released_is_refused_by_name(edge: Edge) -> None:
    """Its own payment, a hold that is not open, one that is not released by hand; and a request without words."""
    own = await held(edge, caller="mia")
    assert info(await refusal(edge, own)).reason == "OWN_PAYMENT"
    id_ = await held(edge, "key-2")
    assert info(await refusal(edge, id_, hold="bank_contradiction")).reason == "HOLD_NOT_RELEASABLE"
    await release(edge, id_)
    assert info(await refusal(edge, id_)).reason == "HOLD_NOT_OPEN"
    assert violations(await refusal(edge, "x", hold="", note=" ")).keys() == {"id", "hold", "note"}


class Clumsy(FakeAdapter):
    """Fails on every payment until it is mended."""

    def __init__(self) -> None:
        super().__init__()
        self.mended = False

    def compose(self, submission: Submission) -> WireRequest:
        if not self.mended:
            raise ZeroDivisionError("a defect")
        return super().compose(submission)


async def test_when_the_defect_is_mended_it_is_sent_once(autojump_clock: trio.testing.MockClock) -> None:
    """Held for the defect, nothing is sent however long that lasts; released while it is still there, it is held
    again; released when it is mended, it is booked once."""
    adapter = Clumsy()
    gate = house(Bank(profile(), adapter, FakeLink()))
    [payment] = await queue(gate, 1)

    async def stands(state: State) -> None:
        found = await gate.store.get(payment.id)
        assert found is not None
        assert found.state is state

    async with trio.open_nursery() as nursery:
        nursery.start_soon(Lane(gate, gate.banks["northbank"]).run)
        await trio.sleep(3_600)
        await stands(State.HELD)
        act = Step(payment.id, act=Releasing(HOLD_DEFECT, "mia", NOTE))
        await gate.store.take([act])
        await trio.sleep(60)
        await stands(State.HELD)
        adapter.mended = True
        await gate.store.take([act])
        await trio.sleep(60)
        await stands(State.ACCEPTED)
        nursery.cancel_scope.cancel()
    assert link(gate).bookings == {payment.wire_reference: 1}
