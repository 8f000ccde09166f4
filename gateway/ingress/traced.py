"""A span around every call, and how long calls take."""

from types import TracebackType

import trio

from gateway.core.ports import Trail
from gateway.ingress.trace import call_span, traceparent
from gateway.rpc.context import Context
from gateway.rpc.status import RpcError
from gateway.telemetry import names


class TracedCall:
    """One call; what it causes is traced below it. Used once, as gateway.rpc's Server uses an interceptor, or by
    `begin` and `end`; a class, since a generator for every call costs more than all that is done here."""

    __slots__ = ("_began_s", "_context", "_method", "_opened", "_parent", "_span", "_token", "_trail")

    def __init__(self, trail: Trail, context: Context) -> None:
        self._trail = trail
        self._context = context
        self._method = context.method.lstrip("/")
        self._began_s = trio.current_time()
        self._parent = traceparent(context.invocation_metadata())
        self._opened = trail.span(names.CALL, parent=self._parent, method=self._method)

    def begin(self) -> str:
        """Opens the span; returns the parent of what the call causes."""
        self._span = self._opened.__enter__()
        return self._span.traceparent or self._parent

    def end(self, error: BaseException | None) -> None:
        """Closes it; `error` is what the call ends with, None where it is answered. Of several open in one task, the
        last begun is the first to end."""
        status = self._status(error)
        self._span.note(status=status)
        self._trail.observe(names.CALL_S, trio.current_time() - self._began_s, method=self._method, status=status)
        self._opened.__exit__(type(error) if error else None, error, None)

    async def __aenter__(self) -> None:
        self._token = call_span.set(self.begin())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, frames: TracebackType | None
    ) -> None:
        call_span.reset(self._token)
        self.end(error)

    def _status(self, error: BaseException | None) -> str:
        if error is None:
            return self._context.final_status.code.name
        if isinstance(error, RpcError):
            return error.code.name
        return "UNKNOWN" if isinstance(error, Exception) else "CANCELLED"
