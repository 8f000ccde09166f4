"""The wire of one process to one bank, with the line that forms in front of it.

A request may wait before it becomes bytes: for a connection, or for a stream on one. In that wait the world goes on.
What is asked `wanted` only at its end, and what never leaves at all, is where a message could go out over evidence.
"""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import trio

from gateway.core.errors import MaybeSent, NotSent
from gateway.core.ports import LinkSnapshot, WireAnswer, WireRequest, always
from gateway.core.reasons import Reason
from tests.sim.bank import Call, SimBank


@dataclass(slots=True)
class Line:
    """How often a request waits, and for how long."""

    dice: random.Random = field(default_factory=random.Random)
    faults: Counter[str] = field(default_factory=Counter)
    chance: float = 0.0
    wait_s_max: float = 0.0

    async def wait(self) -> None:
        """Returns when there is room for the request to become bytes."""
        if self.chance and self.dice.random() < self.chance:
            self.faults["waits_in_line"] += 1
            await trio.sleep(self.dice.random() * self.wait_s_max)


@dataclass(slots=True)
class SimLink:
    """A Link. Payments may stand in line; questions find room at once."""

    bank: SimBank
    leaving: Callable[[list[str], bytes], None]
    """Told of each submission before its first byte."""
    in_flight_max: int
    must: Callable[[bool, str, object], None]
    line: Line = field(default_factory=Line)
    in_flight: int = 0

    def snapshot(self) -> LinkSnapshot:
        return LinkSnapshot(in_flight=self.in_flight)

    async def exchange(
        self, request: WireRequest, *, timeout_s: float, wanted: Callable[[], bool] = always
    ) -> WireAnswer:
        paying = request.method == "POST"
        self.in_flight += paying
        try:
            self.must(self.in_flight <= self.in_flight_max, "a lane has a bound on messages in flight", self.bank.name)
            deadline_s = trio.current_time() + timeout_s
            if paying:
                await self._in_line(deadline_s)
            if not wanted():
                self.line.faults["unwanted_at_the_wire"] += 1
                raise NotSent(Reason.NEVER_WRITTEN)
            return await self._sent(request, paying, deadline_s)
        finally:
            self.in_flight -= paying

    async def _in_line(self, deadline_s: float) -> None:
        with trio.CancelScope(deadline=deadline_s) as patience:
            await self.line.wait()
        if patience.cancelled_caught:
            self.line.faults["line_too_long"] += 1
            raise NotSent(Reason.NEVER_WRITTEN)

    async def _sent(self, request: WireRequest, paying: bool, deadline_s: float) -> WireAnswer:
        """From the moment in which the request is bytes; nothing is awaited before it."""
        call = Call(request, trio.current_time())
        if paying:
            references = self.bank.tongue.references(request)
            self.leaving(references, request.body)
            self.bank.on_the_way.update(references)
        self.bank.nursery.start_soon(self.bank.serve, call)
        with trio.CancelScope(deadline=deadline_s):
            await call.done.wait()
        if call.answer is not None:
            return call.answer
        raise call.error or MaybeSent(Reason.REPLY_TIMEOUT)
