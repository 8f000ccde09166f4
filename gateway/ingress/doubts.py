"""DoubtService: payments in doubt, the evidence about them, and the two halves of a decision.

Notes and evidence hold what people and banks wrote: they go into the store and to callers with the role, and nowhere
else. No log line, span or metric of this file carries a word of them (law 11).
"""

from typing import Final

from causeway.v1 import doubt_service_pb2 as service
from causeway.v1.doubt_service_pb2_grpc import DoubtServiceServicer
from gateway.core.decisions import Act, Confirming, Proposing
from gateway.core.payment import Payment, Principal
from gateway.core.ports import Step
from gateway.core.roles import Role
from gateway.house import House
from gateway.ingress import doubt_requests, requests
from gateway.ingress.call import Call
from gateway.ingress.doubt_translate import doubt, evidence_of
from gateway.ingress.errors import ActRefused, answered
from gateway.ingress.payments import HISTORY_MAX, of_tenant
from gateway.ingress.principals import Principals
from gateway.ingress.translate import fact as fact_message
from gateway.ingress.translate import payment as payment_message
from gateway.journey import follow_at_ns
from gateway.telemetry import names

NEVER: Final = 0


class DoubtService(DoubtServiceServicer):
    """Every call needs Role.DOUBTS and sees the caller's tenant only."""

    def __init__(self, house: House, principals: Principals) -> None:
        self._house = house
        self._store = house.store
        self._principals = principals

    async def ListDoubts(  # noqa: N802 (the API's name, as below)
        self, request: service.ListDoubtsRequest, context: Call
    ) -> service.ListDoubtsResponse:
        with answered():
            caller = self._caller(context)
            asked = doubt_requests.page_asked(request, caller.tenant)
            payments, after = await self._store.doubts(asked.which, after=asked.after, limit=asked.size)
            return service.ListDoubtsResponse(
                doubts=[self._seen(payment, caller) for payment in payments], next_page_token=asked.next_token(after)
            )

    async def GetDoubt(  # noqa: N802
        self, request: service.GetDoubtRequest, context: Call
    ) -> service.GetDoubtResponse:
        with answered():
            caller = self._caller(context)
            payment = await of_tenant(self._store, requests.payment_id(request.id), caller)
            facts = await self._store.facts_of(payment.id, HISTORY_MAX)
            kept, cut = await evidence_of(self._store, facts)
            return service.GetDoubtResponse(
                doubt=self._seen(payment, caller),
                history=[fact_message(fact) for fact in facts],
                evidence=kept,
                evidence_cut=cut,
            )

    async def ProposeResolution(  # noqa: N802
        self, request: service.ProposeResolutionRequest, context: Call
    ) -> service.ProposeResolutionResponse:
        with answered():
            caller = self._caller(context)
            payment_id, decision, note = doubt_requests.proposed(request)
            payment = await self._act(caller, payment_id, Proposing(decision, caller.name, note))
            return service.ProposeResolutionResponse(doubt=self._seen(payment, caller))

    async def ConfirmResolution(  # noqa: N802
        self, request: service.ConfirmResolutionRequest, context: Call
    ) -> service.ConfirmResolutionResponse:
        with answered():
            caller = self._caller(context)
            payment_id, digest, note = doubt_requests.confirmed(request)
            payment = await self._act(caller, payment_id, Confirming(digest, caller.name, note))
            self._house.trail.count(names.PAYMENTS, bank=payment.instruction.bank, state=payment.state.value)
            return service.ConfirmResolutionResponse(payment=payment_message(payment))

    def _caller(self, context: Call) -> Principal:
        return self._principals.with_role(context.peer_certificate, Role.DOUBTS)

    async def _act(self, caller: Principal, payment_id: bytes, act: Act) -> Payment:
        """The payment after a person's act. Whether it may be is decided in the write, on what is true then."""
        payment = await of_tenant(self._store, payment_id, caller)
        bank = self._house.banks.get(payment.instruction.bank)
        follow_ns = follow_at_ns(self._house, bank) if bank else NEVER
        with self._house.trail.span(names.DECIDE, parent=payment.traceparent, bank=payment.instruction.bank) as span:
            [stepped] = await self._store.take([Step(payment.id, act=act, inquire_at_ns=follow_ns)])
            payment = stepped.payment or payment
            span.note(state=payment.state.value)
        if stepped.objection is not None:
            raise ActRefused(stepped.objection, payment.state)
        assert stepped.taken, "an act is taken or objected to"
        return payment

    def _seen(self, payment: Payment, caller: Principal) -> service.Doubt:
        bank = self._house.banks.get(payment.instruction.bank)
        policy = bank.profile.inquiry if bank else None
        return doubt(payment, caller, self._house.clock.now_ns(), policy)
