"""A gRPC client on trio: one connection, stock generated stubs, batches where a stream carries many messages.

    async with open_channel(stream, authority="localhost") as channel:
        stub = PaymentServiceStub(channel)
        payment = await stub.GetPayment(request, timeout=5)
        async with stub.SubmitPayments() as call:
            await call.send_batch(instructions)
            await call.end()
            while answers := await call.batch(): ...

It neither reconnects nor balances: that is for whoever opens the stream.
"""

import math
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final, Generic, TypeVar

import grpc
import trio

from .bell import Bell
from .client_call import CallFailed, ClientCall, MethodSpec
from .client_session import ClientSession, ClientStream
from .events import Broken, Event, GoneAway, Readable, Reset
from .limits import ServerLimits
from .metadata import Metadata, encode_metadata, format_timeout
from .status import Status

Request = TypeVar("Request")
Response = TypeVar("Response")

__all__ = ["CallFailed", "Channel", "ClientCall", "MethodSpec", "open_channel"]

_DEFAULTS: Final = ServerLimits()
_DEADLINE: Final = Status(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")


class Channel:
    """One connection; use `open_channel`. Generated stubs take it where they take a `grpc.Channel`."""

    def __init__(self, stream: trio.abc.Stream, authority: str, scheme: str, limits: ServerLimits) -> None:
        self.session = ClientSession(limits, trio.current_time())
        self.goaway: GoneAway | None = None
        self._stream = stream
        self._authority = authority.encode()
        self._scheme = scheme.encode()
        self._calls: dict[int, ClientCall[Any, Any]] = {}
        self._writer = Bell()
        self._slot = trio.Event()
        self._lost: Status | None = None

    # What generated stubs call

    def unary_unary(self, method: str, *serializers: Any, **options: Any) -> "UnaryMethod[Any, Any]":
        """For a stub: a method that is awaited."""
        return UnaryMethod(self, _spec(method, *serializers, **options))

    def unary_stream(self, method: str, *serializers: Any, **options: Any) -> "ServerStreamMethod[Any, Any]":
        """For a stub: a method that takes one request and is entered as an async context."""
        return ServerStreamMethod(self, _spec(method, *serializers, **options))

    def stream_unary(self, method: str, *serializers: Any, **options: Any) -> "StreamMethod[Any, Any]":
        """For a stub: a method that is entered as an async context; the one response comes from `batch`."""
        return StreamMethod(self, _spec(method, *serializers, **options))

    stream_stream = stream_unary

    # Calls

    @asynccontextmanager
    async def call(
        self, spec: MethodSpec[Request, Response], timeout: float | None, metadata: Metadata
    ) -> AsyncIterator[ClientCall[Request, Response]]:
        """One call; leaving the context before its end cancels it.

        Raises:
            CallFailed: DEADLINE_EXCEEDED if the body takes longer than `timeout` seconds, UNAVAILABLE if the
                connection is lost or going away.
        """
        with trio.move_on_after(math.inf if timeout is None else timeout) as scope:
            call = await self._open(spec, timeout, metadata)
            try:
                yield call
            finally:
                call.cancel()
                self._calls.pop(call.stream_id, None)
                self._free_slot()
        if scope.cancelled_caught:
            raise CallFailed(_DEADLINE)

    async def _open(
        self, spec: MethodSpec[Request, Response], timeout: float | None, metadata: Metadata
    ) -> ClientCall[Request, Response]:
        while not self.session.has_room and self._lost is None and self.goaway is None:
            await self._slot.wait()
        if self._lost is not None or self.goaway is not None:
            raise CallFailed(self._lost or Status(grpc.StatusCode.UNAVAILABLE, "the server goes away"))
        headers = [
            (b":method", b"POST"),
            (b":scheme", self._scheme),
            (b":path", spec.path.encode()),
            (b":authority", self._authority),
            (b"te", b"trailers"),
            (b"content-type", b"application/grpc"),
            (b"grpc-accept-encoding", b"identity,gzip"),
        ]
        if timeout is not None:
            headers.append((b"grpc-timeout", format_timeout(max(timeout, 0.0))))
        stream = self.session.open(headers + encode_metadata(metadata))
        call = ClientCall(self, stream, spec)
        self._calls[stream.id] = call
        self.wake_writer()
        return call

    # The connection

    def wake_writer(self) -> None:
        """Something is queued at the session."""
        self._writer.ring()

    def release(self, stream: ClientStream) -> None:
        """The inbox has been taken."""
        self.session.release(stream)
        if self.session.wants_send:
            self.wake_writer()

    def _free_slot(self) -> None:
        slot, self._slot = self._slot, trio.Event()
        slot.set()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve the connection until it ends; `open_channel` does this."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write)
                self.wake_writer()
                task_status.started()
                await self._read()
                nursery.cancel_scope.cancel()
        finally:
            self._lose(Status(grpc.StatusCode.UNAVAILABLE, self.session.failed or "the connection is lost"))
            await trio.aclose_forcefully(self._stream)

    async def _read(self) -> None:
        session = self.session
        while session.failed is None:
            try:
                data = await self._stream.receive_some(session.limits.receive_chunk_bytes)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return
            if not data:
                return
            for event in session.receive(data, trio.current_time()):
                self._handle(event)
            self._free_slot()
            if session.wants_send:
                self.wake_writer()

    def _handle(self, event: Event) -> None:
        match event:
            case GoneAway():
                self._go_away(event)
            case Readable(stream) | Broken(stream) | Reset(stream):
                call = self._calls.get(stream.id)
                if call is not None:
                    call.arrived.ring()
                    call.room.ring()
            case _:
                pass

    async def _write(self) -> None:
        while True:
            await self._writer.wait()
            await trio.lowlevel.checkpoint()
            while data := self.session.take():
                for stream in self.session.flushed:
                    call = self._calls.get(stream.id)
                    if call is not None:
                        call.room.ring()
                self.session.flushed.clear()
                try:
                    await self._stream.send_all(data)
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    return  # the reader sees the end too, after what the server still said

    def _go_away(self, event: GoneAway) -> None:
        self.goaway = event
        for stream_id, call in self._calls.items():
            if stream_id > event.last_stream_id:
                call.fail(Status(grpc.StatusCode.UNAVAILABLE, "not processed: the server goes away"))

    def _lose(self, status: Status) -> None:
        self._lost = status
        self._free_slot()
        for call in self._calls.values():
            call.fail(status)


class UnaryMethod(Generic[Request, Response]):
    """A stub's method that takes one message and gives one."""

    def __init__(self, channel: Channel, spec: MethodSpec[Request, Response]) -> None:
        self._channel = channel
        self._spec = spec

    async def __call__(self, request: Request, *, timeout: float | None = None, metadata: Metadata = ()) -> Response:
        """Raises CallFailed unless the call ends OK."""
        async with self._channel.call(self._spec, timeout, metadata) as call:
            await call.send(request)
            await call.end()
            responses = await call.batch()
            if len(responses) == 1 and not await call.batch():
                return responses[0]
        raise CallFailed(Status(grpc.StatusCode.INTERNAL, f"{len(responses)} responses to a unary call"))


class StreamMethod(Generic[Request, Response]):
    """A stub's method that takes a stream."""

    def __init__(self, channel: Channel, spec: MethodSpec[Request, Response]) -> None:
        self._channel = channel
        self._spec = spec

    def __call__(
        self, *, timeout: float | None = None, metadata: Metadata = ()
    ) -> AbstractAsyncContextManager[ClientCall[Request, Response]]:
        """Enter it to begin the call."""
        return self._channel.call(self._spec, timeout, metadata)


class ServerStreamMethod(Generic[Request, Response]):
    """A stub's method that takes one message and gives a stream."""

    def __init__(self, channel: Channel, spec: MethodSpec[Request, Response]) -> None:
        self._channel = channel
        self._spec = spec

    @asynccontextmanager
    async def __call__(
        self, request: Request, *, timeout: float | None = None, metadata: Metadata = ()
    ) -> AsyncIterator[ClientCall[Request, Response]]:
        """Enter it to begin the call."""
        async with self._channel.call(self._spec, timeout, metadata) as call:
            await call.send(request)
            await call.end()
            yield call


def _spec(
    path: str,
    request_serializer: Callable[[Any], bytes] | None = None,
    response_deserializer: Callable[[bytes], Any] | None = None,
    _registered_method: bool | None = False,
) -> MethodSpec[Any, Any]:
    return MethodSpec(path, request_serializer or bytes, response_deserializer or bytes)


@asynccontextmanager
async def open_channel(
    stream: trio.abc.Stream, *, authority: str, scheme: str = "http", limits: ServerLimits = _DEFAULTS
) -> AsyncIterator[Channel]:
    """A channel over a connected stream (plaintext, or TLS after its handshake), closed at the end.

    Args:
        authority: host and port, for the :authority header.
        limits: message sizes, windows and buffers; the rest of them concerns servers.
    """
    channel = Channel(stream, authority, scheme, limits)
    async with trio.open_nursery() as nursery:
        await nursery.start(channel.run)
        yield channel
        nursery.cancel_scope.cancel()
