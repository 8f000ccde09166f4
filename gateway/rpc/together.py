"""Unary calls that arrive together and are handled together: one task and one handler for all of them.

Most of what a call costs beside its frames is being alone: a task, a cancel scope, a wait of its own for what all of
them wait for. Where a method has a handler for several calls (Method.together), those whose request is whole when its
headers are handled share it; all that a client can see of a call stays its own: its answer, its error, its deadline,
its end when the server stops. A handler is cancelled when nobody is left who waits for it.
"""

import math
from collections.abc import Sequence
from typing import Any

import trio

from .call import Call
from .context import Context
from .framing import Deflated
from .invoke import DEADLINE, finish, reply, status_of
from .status import RpcError


def goes_together(call: Call) -> bool:
    """Whether it may be handled with others: its one request is here whole, and is not compressed."""
    if call.method.together is None:
        return False
    stream = call.stream
    whole = stream.ended and not stream.broken and len(stream.inbox) == 1
    return whole and type(stream.inbox[0]) is not Deflated


class Group:
    """Calls of one method that run together, two at least; `run` once."""

    def __init__(self, calls: Sequence[Call]) -> None:
        self.calls = calls
        self._scope = trio.CancelScope()
        self._waiting = len(calls)
        for call in calls:
            call.cancelled_by = self._leave

    async def run(self) -> None:
        """Raises nothing but cancellation from outside."""
        try:
            with self._scope:
                await (self._serve() if self._patient() else self._serve_in_time())
        finally:
            for call in self.calls:  # each was half of a circle with us
                call.cancelled_by = None

    def _patient(self) -> bool:
        return all(call.deadline == math.inf for call in self.calls)

    async def _serve_in_time(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch_deadlines)
            await self._serve()
            nursery.cancel_scope.cancel()

    async def _serve(self) -> None:
        asked: list[tuple[Call, Context, Any]] = []
        for call in self.calls:
            if call.gone:  # reset, or told its fate, before our task had its first turn: its request is dropped already
                continue
            context = Context(call)
            try:
                call.check_room()
                asked.append((call, context, call.decode(call.taken()[0])))
            except RpcError as error:
                finish(call, context, error.status)
        if not asked:
            await trio.lowlevel.checkpoint()
            return
        together = self.calls[0].method.together
        assert together is not None, "goes_together says so"
        try:
            answers = await together([request for _, _, request in asked], [context for _, context, _ in asked])
        except Exception as error:
            status = status_of(asked[0][0], asked[0][1], error)
            for call, context, _ in asked:
                if not call.gone:
                    finish(call, context, status)
            return
        for (call, context, _), answer in zip(asked, answers, strict=True):
            if not call.gone:
                _answer(call, context, answer)

    async def _watch_deadlines(self) -> None:
        for call in sorted(self.calls, key=lambda call: call.deadline):
            await trio.sleep_until(call.deadline)
            if not call.gone and call.fate is None:
                call.fate = DEADLINE
                call.cancel()

    def _leave(self, call: Call) -> None:
        """One of the calls is not to be answered any more but with its fate, if that can be told."""
        stream = call.stream
        if not call.gone and stream.trailers is None and call.fate is not None:
            finish(call, Context(call), call.fate, discard=True)
            call.gone = True
            call.wire.session.lingering += 1
        self._waiting -= 1
        if self._waiting == 0:
            self._scope.cancel()


def _answer(call: Call, context: Context, answer: Any) -> None:
    if isinstance(answer, Exception):
        finish(call, context, status_of(call, context, answer))
        return
    try:
        reply(call, answer)
    except RpcError as error:
        finish(call, context, error.status)
    else:
        finish(call, context, context.final_status)
