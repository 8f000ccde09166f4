"""PaymentService: one short method per RPC. Translate, ask the journey or the store, translate."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Final, Protocol

from causeway.v1 import payment_service_pb2 as service
from causeway.v1.payment_service_pb2_grpc import PaymentServiceServicer
from gateway import limits
from gateway.core import happenings
from gateway.core.decisions import Releasing
from gateway.core.errors import (
    Ambiguous,
    NotFound,
    Violation,
)
from gateway.core.facts import Fact
from gateway.core.payment import Payment, Principal
from gateway.core.ports import Admitted, Step, Store
from gateway.core.roles import Role
from gateway.core.states import State
from gateway.house import House
from gateway.ingress import requests, translate
from gateway.ingress.answers import submitted
from gateway.ingress.call import Call, StreamingCall
from gateway.ingress.doubt_requests import released_asked
from gateway.ingress.errors import (
    ActRefused,
    InvalidRequest,
    TooLateToCancel,
    answered,
    going_down,
)
from gateway.ingress.places import Places
from gateway.ingress.principals import Principals
from gateway.ingress.shedding import Submissions
from gateway.ingress.submitting import Incoming, Submitting
from gateway.ingress.trace import parent_of
from gateway.ingress.turns import TURN_MAX, Turns
from gateway.journey import accept, room_for
from gateway.rpc.server import Batch, Encoded
from gateway.telemetry import names

LINKS_MAX: Final = 32
"""Traces that one page handed to a watcher is linked to at most."""
HISTORY_MAX: Final = 1_000  # facts of one payment shown at once; a payment with more is watched or audited instead


class Watch(Protocol):
    """How facts are watched. The events room has it; it reaches us by daemon.py, since rooms do not import each
    other."""

    def __call__(
        self, tenant: str, after: int, *, payment_ids: frozenset[bytes], states: frozenset[State], bank: str
    ) -> AsyncGenerator[tuple[Sequence[Fact], int], None]:
        """Pages until the house goes down: the facts above `after` that fit, in order, and the sequence up to which
        all were looked at. A page without facts is a heartbeat. Raises Overloaded where too many watch."""
        ...


class PaymentService(PaymentServiceServicer):
    def __init__(
        self,
        house: House,
        principals: Principals,
        watch: Watch,
        watches_max: int = limits.WATCHERS_MAX,
        submissions: Submissions | None = None,
    ) -> None:
        """`watches_max`: of one principal at once. `submissions`: what the gate before us looks at."""
        self._submissions = submissions or Submissions()
        self._house = house
        self._store = house.store
        self._principals = principals
        self._watch = watch
        self._pages = Turns()
        self._places = Places(watches_max)

    async def SubmitPayment(  # noqa: N802 (the API's name, as below)
        self, request: service.SubmitPaymentRequest, context: Call
    ) -> Encoded:
        with answered(), self._submissions:
            caller = self._principals.of(context.peer_certificate)
            room_for(self._house, 1)
            drafts = [translate.draft(request.instruction)]
            answer = (await accept(self._house, caller, drafts, parent_of(context.invocation_metadata())))[0]
            if isinstance(answer, Admitted):
                return submitted(answer)
            raise answer

    async def SubmitPayments(self, incoming: Incoming, context: StreamingCall) -> None:  # noqa: N802
        with answered():
            caller = self._principals.of(context.peer_certificate)
            await Submitting(self._house, caller, parent_of(context.invocation_metadata()), context).run(incoming)

    async def GetPayment(  # noqa: N802
        self, request: service.GetPaymentRequest, context: Call
    ) -> service.GetPaymentResponse:
        with answered():
            caller = self._principals.of(context.peer_certificate)
            payment = await self._named(request, caller)
            facts = await self._store.facts_of(payment.id, HISTORY_MAX) if request.include_history else ()
            history = [translate.fact(fact) for fact in facts]
            return service.GetPaymentResponse(payment=translate.payment(payment), history=history)

    async def ListPayments(  # noqa: N802
        self, request: service.ListPaymentsRequest, context: Call
    ) -> service.ListPaymentsResponse:
        with answered():
            asked = requests.page_asked(request, self._principals.of(context.peer_certificate).tenant)
            return await self._page(asked)

    async def CancelPayment(  # noqa: N802
        self, request: service.CancelPaymentRequest, context: Call
    ) -> service.CancelPaymentResponse:
        with answered():
            caller = self._principals.of(context.peer_certificate)
            payment = await of_tenant(self._store, requests.payment_id(request.id), caller)
            step = Step(payment_id=payment.id, happening=happenings.cancelled(caller.name))
            stepped = (await self._store.take([step]))[0]
            payment = stepped.payment or payment
            # Asked again after a lost answer, a cancelled payment is what the caller wanted.
            if stepped.taken or payment.state is State.CANCELLED:
                return service.CancelPaymentResponse(payment=translate.payment(payment))
            raise TooLateToCancel(payment.state)

    async def ReleaseHold(  # noqa: N802
        self, request: service.ReleaseHoldRequest, context: Call
    ) -> service.ReleaseHoldResponse:
        with answered():
            caller = self._principals.with_role(context.peer_certificate, Role.HOLDS)
            payment_id, hold, note = released_asked(request)
            payment = await of_tenant(self._store, payment_id, caller)
            bank = payment.instruction.bank
            with self._house.trail.span(names.DECIDE, parent=payment.traceparent, bank=bank) as span:
                [stepped] = await self._store.take([Step(payment.id, act=Releasing(hold, caller.name, note))])
                payment = stepped.payment or payment
                span.note(state=payment.state.value)
            if stepped.objection is not None:
                raise ActRefused(stepped.objection, payment.state)
            assert stepped.taken, "an act is taken or objected to"
            self._house.trail.count(names.PAYMENTS, bank=bank, state=payment.state.value)
            return service.ReleaseHoldResponse(payment=translate.payment(payment))

    async def WatchPayments(  # noqa: N802
        self, request: service.WatchPaymentsRequest, context: Call
    ) -> AsyncIterator[Batch[service.WatchPaymentsResponse]]:
        with answered():
            caller = self._principals.of(context.peer_certificate)
            asked = requests.WatchAsked(request, await self._store.last_sequence())
            watch = self._watch(
                caller.tenant, asked.after, payment_ids=asked.payment_ids, states=asked.states, bank=asked.bank
            )
            with self._places.one(caller.name):
                async with aclosing(watch) as pages:
                    async for facts, looked_at in pages:
                        for start in range(0, max(1, len(facts)), TURN_MAX):
                            part = facts[start : start + TURN_MAX]
                            until = looked_at if start + TURN_MAX >= len(facts) else part[-1].sequence
                            await self._pages.pause()
                            # Under no name of ours: a reader may keep us here for hours, without the messages.
                            yield Batch(self._told(part, until))
            raise going_down()

    async def _page(self, asked: requests.Page) -> service.ListPaymentsResponse:
        """The payments of a page, and where the next one begins; in parts, so that others have their turn between."""
        self._pages.check_room()
        page, after = service.ListPaymentsResponse(), asked.after
        while len(page.payments) < asked.size:
            limit = min(TURN_MAX, asked.size - len(page.payments))
            async with self._pages.turn():
                part, after = await self._store.page(asked.which, after=after, limit=limit)
                page.payments.extend(translate.payment(payment) for payment in part)
            if len(part) < limit or not after:
                break
        page.next_page_token = asked.next_token(after)
        return page

    def _told(self, facts: Sequence[Fact], looked_at: int) -> list[service.WatchPaymentsResponse]:
        """Each fact with the position after it, and a heartbeat where the page goes further than its last fact."""
        if not facts:
            return [service.WatchPaymentsResponse(position=requests.position(looked_at))]
        traces = list(dict.fromkeys(fact.traceparent for fact in facts if fact.traceparent))
        alone = traces[0] if len(traces) == 1 else ""
        links = () if alone else traces[:LINKS_MAX]
        with self._house.trail.span(names.WATCH, parent=alone, links=links, batch=len(facts)):
            answers = [
                service.WatchPaymentsResponse(fact=translate.fact(fact), position=requests.position(fact.sequence))
                for fact in facts
            ]
        if facts[-1].sequence < looked_at:
            answers.append(service.WatchPaymentsResponse(position=requests.position(looked_at)))
        return answers

    async def _named(self, request: service.GetPaymentRequest, caller: Principal) -> Payment:
        """The payment a request names. Raises InvalidRequest, NotFound, Ambiguous."""
        match request.WhichOneof("name"):
            case "id":
                return await of_tenant(self._store, requests.payment_id(request.id), caller)
            case "idempotency_key":
                payment = await self._store.by_key(caller.tenant, request.idempotency_key)
                if payment is None:
                    raise NotFound
                return payment
            case "end_to_end_id":
                return await self._only(caller, request.end_to_end_id.strip())
            case _:
                raise InvalidRequest(
                    Violation("name", "NAME_REQUIRED", "required: one of id, idempotency_key, end_to_end_id")
                )

    async def _only(self, caller: Principal, end_to_end_id: str) -> Payment:
        found = await self._store.by_end_to_end_id(caller.tenant, end_to_end_id, limits.KEY_LOOKUP_MAX)
        if not found:
            raise NotFound
        if len(found) > 1:
            raise Ambiguous("Several payments carry this end_to_end_id; ListPayments with it shows them all.")
        return found[0]


async def of_tenant(store: Store, payment_id: bytes, caller: Principal) -> Payment:
    """Another tenant's payment is not found: that it exists is nobody else's business."""
    payment = await store.get(payment_id)
    if payment is None or payment.tenant != caller.tenant:
        raise NotFound
    return payment
