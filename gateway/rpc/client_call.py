"""One call of the client in progress: requests out, responses in, each with back pressure."""

from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import grpc
import trio

from .bell import Bell
from .client_session import ClientSession, ClientStream
from .framing import Deflated, frame, inflate
from .metadata import Metadata
from .status import Status

Request = TypeVar("Request")
Response = TypeVar("Response")


class ClientWire(Protocol):
    """What a call needs of its connection."""

    session: ClientSession

    def wake_writer(self) -> None: ...

    def release(self, stream: ClientStream) -> None: ...


class CallFailed(Exception):
    """A call that ended otherwise than OK. `code`, `details` and `trailing_metadata` as in `status`."""

    def __init__(self, status: Status) -> None:
        super().__init__(f"{status.code.name}: {status.details}")
        self.status = status
        self.code = status.code
        self.details = status.details
        self.trailing_metadata = status.trailing_metadata


@dataclass(frozen=True, slots=True)
class MethodSpec(Generic[Request, Response]):
    """What the generated stub says about one method."""

    path: str
    serialize: Callable[[Request], bytes]
    deserialize: Callable[[bytes], Response]


class ClientCall(Generic[Request, Response]):
    """One call in progress; made by a stub's streaming methods."""

    def __init__(self, channel: ClientWire, stream: ClientStream, spec: MethodSpec[Request, Response]) -> None:
        self._channel = channel
        self._stream = stream
        self._spec = spec
        self._raw: deque[bytes] = deque()
        self.arrived = Bell()
        self.room = Bell()

    @property
    def stream_id(self) -> int:
        """The call's stream on its connection."""
        return self._stream.id

    @property
    def status(self) -> Status | None:
        """How the call ended; None while it has not."""
        return self._stream.status

    async def send(self, request: Request) -> None:
        """Queue one request; sleeps while the server does not read."""
        await self._send(frame(self._spec.serialize(request)))

    async def send_batch(self, requests: Iterable[Request]) -> None:
        """Queue several requests, in as few frames as possible."""
        serialize = self._spec.serialize
        await self._send(b"".join([frame(serialize(request)) for request in requests]))

    async def _send(self, framed: bytes) -> None:
        self._channel.session.send(self._stream, framed)
        self._channel.wake_writer()
        await trio.lowlevel.checkpoint()
        enough = self._channel.session.limits.stream_send_buffer_bytes
        while self._stream.out_bytes > enough:
            await self.room.wait()

    async def end(self) -> None:
        """No more requests will come."""
        self._channel.session.end(self._stream)
        self._channel.wake_writer()
        await trio.lowlevel.checkpoint()

    async def initial_metadata(self) -> Metadata:
        """What the server sent with its response headers; sleeps until they are here."""
        stream = self._stream
        while stream.initial_metadata is None and stream.status is None:
            await self.arrived.wait()
        return stream.initial_metadata or ()

    async def batch(self) -> list[Response]:
        """All responses that have arrived, at least one; an empty list when the call ended well.

        Raises:
            CallFailed: when it ended otherwise.
        """
        await self._fill()
        responses = [self._decode(raw) for raw in self._raw]
        self._raw.clear()
        return responses

    def __aiter__(self) -> AsyncIterator[Response]:
        return self

    async def __anext__(self) -> Response:
        await self._fill()
        if not self._raw:
            raise StopAsyncIteration
        return self._decode(self._raw.popleft())

    async def _fill(self) -> None:
        stream = self._stream
        while not self._raw:
            if stream.inbox:
                self._raw.extend(stream.inbox)
                stream.inbox = []
                self._channel.release(stream)
            elif stream.status is not None:
                if stream.status.code is not grpc.StatusCode.OK:
                    raise CallFailed(stream.status)
                return
            else:
                await self.arrived.wait()

    def _decode(self, raw: bytes) -> Response:
        if type(raw) is Deflated:
            raw = inflate(raw, self._channel.session.limits.max_receive_message_bytes)
        return self._spec.deserialize(raw)

    def cancel(self) -> None:
        """Leave the call; a no-op once it is over."""
        self._channel.session.cancel(self._stream)
        self._channel.wake_writer()

    def fail(self, status: Status) -> None:
        """End the call from our side, unless it has ended."""
        if self._stream.status is None:
            self._stream.status = status
        self.arrived.ring()
        self.room.ring()
