"""The open calls of one connection: how they begin, what befalls them, and how they end."""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final, Protocol

import grpc
import trio
from google.protobuf import duration_pb2
from google.rpc import error_details_pb2

from .burden import Burden
from .call import Call, Method, Wire
from .callers import Caller, Callers
from .invoke import Intercept, run_call
from .limits import ServerLimits
from .metadata import RequestHead
from .status import Status, rich_status, trailers
from .stream import Stream
from .together import Group, goes_together

_TOO_MANY_CALLS: Final = trailers(
    rich_status(
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "too many calls of this caller are open",
        error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=1)),
    )
)
_METHOD_NOT_FOUND: Final = trailers(Status(grpc.StatusCode.UNIMPLEMENTED, "Method not found!"))
_STOPPING: Final = Status(grpc.StatusCode.UNAVAILABLE, "the server is stopping")

Gate = Callable[[str], Status | None]
"""Method → how a call of it ends at once, or None."""

TURNED_AWAY_MAX: Final = 256  # ends of calls kept ready-made: a gate says few different things


class Service(Protocol):
    """What a connection needs of its server."""

    limits: ServerLimits
    burden: Burden
    callers: Callers
    intercept: Intercept | None
    gate: Gate | None
    crowded: Callable[[], bool]

    def find_method(self, head: RequestHead) -> Method | None: ...


class Calls:
    """Those of one connection, by stream. `over` is called after each of their tasks."""

    def __init__(self, wire: Wire, service: Service, caller: Caller, over: Callable[[], None]) -> None:
        self._wire = wire
        self._session = wire.session
        self._service = service
        self._caller = caller
        self._over = over
        self._open: dict[int, Call] = {}

    def __len__(self) -> int:
        return len(self._open)

    def of(self, stream: Stream) -> Call | None:
        return self._open.get(stream.id)

    def open(self, stream: Stream, heard: float) -> Call | None:
        """A call whose headers have come at `heard` on trio's clock; None where it has been answered already."""
        head = stream.head
        method = self._service.find_method(head)
        if method is None:
            self._session.finish(stream, _METHOD_NOT_FOUND)
            return None
        gate = self._service.gate
        turned_away = gate(method.path) if gate is not None else None
        if turned_away is not None:
            self._session.finish(stream, _turned_away(turned_away))
            return None
        if self._caller.calls >= self._service.limits.max_calls_per_caller:
            self._session.blame()
            self._session.finish(stream, _TOO_MANY_CALLS)
            return None
        self._caller.calls += 1
        timeout_s = math.inf if head.timeout_s is None else head.timeout_s
        call = self._open[stream.id] = Call(self._wire, stream, method, heard + timeout_s)
        return call

    def start(self, fresh: Sequence[Call], nursery: trio.Nursery) -> None:
        """Give the calls of one slice their tasks: those that go together one, every other one its own. A call that was
        reset or broken by the same read never costs a task."""
        groups: dict[str, list[Call]] = {}
        for call in fresh:
            if self._open.get(call.stream.id) is not call:
                continue
            call.started = True
            if goes_together(call):
                groups.setdefault(call.method.path, []).append(call)
            else:
                self._start_alone(call, nursery)
        for group in groups.values():
            if len(group) == 1:
                self._start_alone(group[0], nursery)
            else:
                nursery.start_soon(self._run_together, Group(group))

    def _start_alone(self, call: Call, nursery: trio.Nursery) -> None:
        call.scope = trio.CancelScope(deadline=call.deadline)
        nursery.start_soon(self._run, call)

    async def _run(self, call: Call) -> None:
        try:
            await run_call(call, self._service.intercept)
        finally:
            self._ended(call)
            self._over()

    async def _run_together(self, group: Group) -> None:
        try:
            await group.run()
        finally:
            for call in group.calls:
                self._ended(call)
            self._over()

    def _ended(self, call: Call) -> None:
        self.forget(call.stream.id)
        if call.gone:
            self._session.lingering -= 1

    def broken(self, stream: Stream, status: Status) -> None:
        """Its request cannot be read on."""
        call = self._open.get(stream.id)
        if call is not None and call.started:
            call.fate = status
            call.cancel()
        else:
            self.forget(stream.id)
            self._session.finish(stream, trailers(status))

    def reset(self, stream: Stream) -> None:
        """The session counts the call as lingering; that ends at once unless its handler is running."""
        call = self._open.get(stream.id)
        if call is not None and call.started and not call.gone:
            call.gone = True
            call.cancel()
        else:
            self.forget(stream.id)
            self._session.lingering -= 1

    def forget(self, stream_id: int) -> None:
        """Nothing runs for it any more."""
        if self._open.pop(stream_id, None) is not None:
            self._caller.calls -= 1

    def let_go(self) -> None:
        """The connection is over, and all tasks of its calls; of some the task was never begun. It refers to us, so we
        no longer refer to it: else both would wait for the garbage collector."""
        for stream_id in tuple(self._open):
            self.forget(stream_id)
        del self._wire, self._over

    def all(self) -> Sequence[Call]:
        """As they are now, while some of them end."""
        return tuple(self._open.values())

    def abandon(self, call: Call) -> None:
        """Its client is gone."""
        if not call.gone:
            call.gone = True
            self._session.lingering += 1
            call.cancel()

    def stop(self) -> None:
        """The server waits no longer: those that run end as UNAVAILABLE."""
        for call in self._open.values():
            if not call.gone and call.fate is None:
                call.fate = _STOPPING
                call.cancel()


@lru_cache(TURNED_AWAY_MAX)
def _turned_away(status: Status) -> bytes:
    """To be refused must cost less than to be served: a gate's answers are made once."""
    return trailers(status)
