"""Submissions that arrive together are admitted together: each call its own answer, all of them one admission.

What a single call costs beside its instruction's own work is admission itself: a span, a look at the store's room, a
job for the writer, a wait for its commit. Calls that were read from one connection at once share these, as the
instructions of a stream do. They share no fate: where something unexpected happens to the lot, each is tried alone.
"""

from collections.abc import Sequence
from typing import Final

from causeway.v1 import payment_service_pb2 as service
from gateway.core.errors import Overloaded, StoreFailed
from gateway.core.payment import Principal
from gateway.core.ports import Admitted
from gateway.house import House
from gateway.ingress import translate
from gateway.ingress.answers import submitted
from gateway.ingress.errors import answered, as_rpc_error
from gateway.ingress.principals import Principals
from gateway.ingress.shedding import Submissions
from gateway.ingress.traced import TracedCall
from gateway.ingress.turns import RETRY_AFTER_S
from gateway.journey import accept, room_for
from gateway.rpc.context import Context
from gateway.rpc.server import Encoded

Request = service.SubmitPaymentRequest
Answer = Encoded | Exception
_NO_ROOM: Final = Overloaded("store queue", RETRY_AFTER_S)


class SubmittedTogether:
    """The handler for several SubmitPayment calls of one connection (gateway.rpc's Server.handle_together)."""

    def __init__(self, house: House, principals: Principals, submissions: Submissions) -> None:
        self._house = house
        self._principals = principals
        self._submissions = submissions

    async def __call__(self, requests: list[Request], contexts: list[Context]) -> list[Answer]:
        """An answer, or the exception it ends with, for each. A payment goes on in the trace of its call."""
        traced = [TracedCall(self._house.trail, context) for context in contexts]
        parents = [call.begin() for call in traced]
        self._submissions.open += len(requests)
        try:
            with answered():
                caller = self._principals.of(contexts[0].peer_certificate)
            answers = await self._admit(caller, requests, parents if any(parents) else ())
        except BaseException as error:
            _end(traced, [error] * len(traced))
            raise
        finally:
            self._submissions.open -= len(requests)
        _end(traced, answers)
        return answers

    async def _admit(self, caller: Principal, requests: Sequence[Request], parents: Sequence[str]) -> list[Answer]:
        try:
            room = room_for(self._house, len(requests))
            drafts = [translate.draft(request.instruction) for request in requests[:room]]
            admitted = await accept(self._house, caller, drafts, parents[:room] or "")
        except (Overloaded, StoreFailed) as error:
            return [as_rpc_error(error)] * len(requests)
        except Exception as error:
            if len(requests) == 1:
                return [error]
            alone = [(requests[place : place + 1], parents[place : place + 1]) for place in range(len(requests))]
            return [(await self._admit(caller, *one))[0] for one in alone]
        answers: list[Answer] = [
            submitted(answer) if isinstance(answer, Admitted) else as_rpc_error(answer) for answer in admitted
        ]
        if len(answers) < len(requests):
            answers += [as_rpc_error(_NO_ROOM)] * (len(requests) - len(answers))
        return answers


def _end(traced: Sequence[TracedCall], ends: Sequence[Encoded | BaseException]) -> None:
    for call, end in zip(reversed(traced), reversed(ends), strict=True):
        call.end(end if isinstance(end, BaseException) else None)
