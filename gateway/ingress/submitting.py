"""One stream of instructions: read on while earlier ones wait for their commit, so that what there is no room for is
refused at once.

Each part of what has arrived is translated, checked and handed to the store before the next one is looked at, so the
store sees a stream's instructions in their order, and so do the answers leave. Refusals for want of room do not wait
for them: a client that hears of overload a second later has sent another second's worth by then.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import trio
from google.rpc import status_pb2

from causeway.v1.payment_service_pb2 import SubmitPaymentsRequest, SubmitPaymentsResponse
from gateway.core.errors import Overloaded
from gateway.core.payment import Principal
from gateway.core.ports import Admitted
from gateway.house import House
from gateway.ingress import translate
from gateway.ingress.answers import submitted_in_stream
from gateway.ingress.call import StreamingCall
from gateway.ingress.errors import as_proto, as_rpc_error
from gateway.intake.draft import Draft
from gateway.journey import Refusal, accept, room_for
from gateway.rpc.server import Batch, Encoded

ACCEPT_MAX: Final = 256
"""Instructions of one stream handled at once: about 10 ms of work in parts, and one commit."""
STREAM_MAX: Final = 1_024
"""Instructions of one stream that wait for their commit, as many as one commit takes; then no more are read."""
STREAM_BYTES_MAX: Final = 1 << 20
"""Of these, as encoded, and one part more: messages that were taken off the stream are in no connection's account any
more, and those that break a rule may be of any size. A client that reads no answers would have us hold them all."""
DRAFTS_MAX: Final = 32
"""Instructions of these translated at a time: some 0.4 ms."""
ANSWERS_MAX: Final = 128
"""Answers of these made at a time: some 5 us each, half a millisecond without a pause for others."""
REFUSAL_ANSWERS: Final = 8
"""A refusal with its details takes as long as so many."""
RETRY_AFTER_S: Final = 1.0
"""For what there was no room for behind others of the same part."""

Answer = SubmitPaymentsResponse | Encoded


class Incoming(Protocol):
    """The requests of a streaming call."""

    async def batch(self) -> list[SubmitPaymentsRequest]:
        """All that have arrived, at least one; empty at the end."""
        ...


class Submitting:
    """One SubmitPayments call of `caller`, whose trace is `parent`."""

    def __init__(self, house: House, caller: Principal, parent: str, call: StreamingCall) -> None:
        self._house = house
        self._caller = caller
        self._parent = parent
        self._call = call
        self._open: deque[tuple[int, int, trio.Event]] = deque()
        """Of each part on its way: how many, their bytes, and whether they are answered; the oldest first."""
        self._failed: Exception | None = None

    async def run(self, incoming: Incoming) -> None:
        """Until all are answered. Raises StoreFailed, which ends the stream at once: then nobody knows, and an answer
        would be a guess; and what `incoming` raises, when those before it are answered."""
        async with trio.open_nursery() as nursery:
            try:
                while arrived := await incoming.batch():
                    for start in range(0, len(arrived), ACCEPT_MAX):
                        await self._begin(nursery, arrived[start : start + ACCEPT_MAX])
            except Exception as error:
                self._failed = self._failed or error
        failed, self._failed = self._failed, None
        if failed is None:
            return
        try:
            raise failed
        finally:
            # A circle of error, frame and us would keep what its frames hold, such as an inflated message, until the
            # garbage collector comes by.
            del failed

    async def _begin(self, nursery: trio.Nursery, arrived: Sequence[SubmitPaymentsRequest]) -> None:
        """Returns when these are handed to the store, or refused."""
        size = sum([request.ByteSize() for request in arrived])
        while self._open and (self._open[0][2].is_set() or not self._fits(len(arrived), size)):
            await self._open[0][2].wait()
            self._open.popleft()
        try:
            room = min(room_for(self._house, len(arrived)), len(arrived))
        except Overloaded as error:
            await self._refuse(arrived, error)
            return
        before = self._open[-1][2] if self._open else None
        handed_over, answered = trio.Event(), trio.Event()
        self._open.append((room, size, answered))
        nursery.start_soon(self._part, nursery.cancel_scope, arrived[:room], before, handed_over, answered)
        if room < len(arrived):
            await self._refuse(arrived[room:], Overloaded("store queue", RETRY_AFTER_S))
        await handed_over.wait()

    def _fits(self, more: int, more_bytes: int) -> bool:
        """Whether so many more may be on their way."""
        count = sum([count for count, _, _ in self._open]) + more
        return count <= STREAM_MAX and sum([size for _, size, _ in self._open]) + more_bytes <= STREAM_BYTES_MAX

    async def _part(
        self,
        stream: trio.CancelScope,
        part: Sequence[SubmitPaymentsRequest],
        before: trio.Event | None,
        handed_over: trio.Event,
        answered: trio.Event,
    ) -> None:
        """One answer per instruction, in order, and behind those of the part `before`."""
        try:
            answers = await self._answers(part, handed_over.set)
            if before is not None:
                await before.wait()
            await self._call.write(Batch(answers))
        except Overloaded as error:
            await self._refuse(part, error)
            if before is not None:
                await before.wait()
        except Exception as error:
            self._failed = error
            stream.cancel()
        handed_over.set()
        answered.set()

    async def _answers(self, part: Sequence[SubmitPaymentsRequest], handed_over: Callable[[], None]) -> list[Answer]:
        """A pause comes between two parts of the work. Raises Overloaded, StoreFailed."""
        pause = self._call.give_way
        drafts: list[Draft] = []
        while len(drafts) < len(part):
            drafts += [translate.draft(one.instruction) for one in part[len(drafts) : len(drafts) + DRAFTS_MAX]]
            if len(drafts) < len(part):
                await pause()
        admitted = await accept(self._house, self._caller, drafts, self._parent, pause, handed_over)
        answers: list[Answer] = []
        made = 0
        for request, answer in zip(part, admitted, strict=True):
            answers.append(_answer(request, answer))
            made += 1 if isinstance(answer, Admitted) else REFUSAL_ANSWERS
            if made >= ANSWERS_MAX and len(answers) < len(admitted):
                made = 0
                await pause()
        return answers

    async def _refuse(self, requests: Sequence[SubmitPaymentsRequest], error: Overloaded) -> None:
        told = as_proto(as_rpc_error(error))
        await self._call.write(Batch([_refused(request, told) for request in requests]))


def _answer(request: SubmitPaymentsRequest, answer: Admitted | Refusal) -> Answer:
    if isinstance(answer, Admitted):
        return submitted_in_stream(answer)
    return _refused(request, as_proto(as_rpc_error(answer)))


def _refused(request: SubmitPaymentsRequest, told: status_pb2.Status) -> SubmitPaymentsResponse:
    return SubmitPaymentsResponse(idempotency_key=request.instruction.idempotency_key, error=told)
