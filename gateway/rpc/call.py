"""One call between its stream on the wire and its handler: requests in, responses out, each with back pressure."""

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar

import grpc
import trio

from .bell import Bell
from .callers import BOMB
from .framing import Deflated, frame, frame_gzip, inflating
from .refusals import GZIP_RESPONSE_HEADERS, RESPONSE_HEADERS
from .server_session import ServerSession
from .status import RpcError, Status
from .stream import Stream

TAKEN_MAX: Final = 1_024
"""Messages handed out at once: a window of empty ones is fifty thousand, and each weighs a kilobyte once decoded."""
Request = TypeVar("Request")
Message = TypeVar("Message")


class Batch(list[Message]):
    """Yielded by a streaming handler: several messages that go out together, in as few frames as possible."""


class Encoded(bytes):
    """Given by a handler in place of a message: the message in its encoding."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Method:
    """One method of one service, as the stock generated code describes it."""

    path: str
    behaviour: Callable[..., Any]
    deserialize: Callable[[bytes], Any]
    serialize: Callable[[Any], bytes]
    request_streaming: bool
    response_streaming: bool
    together: Callable[[list[Any], list[Any]], Awaitable[list[Any]]] | None = None
    """The same for several unary calls at once, see Server.handle_together."""


class Wire(Protocol):
    """What a call needs of its connection."""

    session: ServerSession
    peer: str
    peer_certificate: bytes | None

    def wake_writer(self) -> None: ...
    async def give_way(self) -> None: ...


class Call:
    """State of one call while its handler runs.

    `fate` is set before the handler is cancelled for any other reason than its deadline; `gone` when the client can
    no longer be told anything. `scope` is around a handler that it has for itself; `cancelled_by` hears of its end
    where it shares one (rpc.together).
    """

    __slots__ = (
        "_crowd",
        "arrived",
        "cancelled_by",
        "compress",
        "compressed_request",
        "deadline",
        "fate",
        "gone",
        "gzip_announced",
        "method",
        "room",
        "scope",
        "started",
        "stream",
        "wire",
    )

    def __init__(self, wire: Wire, stream: Stream, method: Method, deadline: float) -> None:
        self.wire = wire
        self.stream = stream
        self.method = method
        self.deadline = deadline
        self.arrived = Bell()
        self.room = Bell()
        self.scope: trio.CancelScope | None = None
        self.cancelled_by: Callable[[Call], None] | None = None
        self.fate: Status | None = None
        self.gone = False
        self.started = False
        self.compress = False
        self.gzip_announced = False
        self.compressed_request = False
        self._crowd: trio.StrictFIFOLock | None = None

    async def take(self) -> list[bytes]:
        """The messages that have arrived, at least one and at most TAKEN_MAX; empty at the end of the stream."""
        stream = self.stream
        while not stream.inbox:
            if stream.ended:
                if self.fate is not None:
                    # Broken by what came with its end, before its handler ran: no request is missing, it was refused.
                    await trio.lowlevel.checkpoint_if_cancelled()
                return []
            await self.arrived.wait()
        if len(stream.inbox) > TAKEN_MAX:
            # The rest stays accounted for, and the client's window closed.
            messages = stream.inbox[:TAKEN_MAX]
            del stream.inbox[:TAKEN_MAX]
            return messages
        return self.taken()

    def taken(self) -> list[bytes]:
        """All that is in the inbox, given to the handler."""
        messages, self.stream.inbox = self.stream.inbox, []
        self.wire.session.release(self.stream)
        if self.wire.session.wants_send:
            self.wire.wake_writer()
        return messages

    def cancel(self) -> None:
        """Its handler need go on no longer: `gone` or `fate` says why."""
        if self.scope is not None:
            self.scope.cancel()
        elif self.cancelled_by is not None:
            self.cancelled_by(self)

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for its handler any more."""
        return self.gone or self.fate is not None or (self.scope is not None and self.scope.cancel_called)

    def decode(self, raw: bytes) -> Any:
        """One request message from its bytes, which are not compressed.

        Raises:
            RpcError: INTERNAL if they are no such message.
        """
        self.compressed_request = False
        try:
            return self.method.deserialize(raw)
        except Exception as error:
            raise RpcError(grpc.StatusCode.INTERNAL, "Exception deserializing request!") from error

    async def decode_any(self, raw: bytes) -> Any:
        """The same of bytes that may be `Deflated`: inflated in slices, with everybody's turn between them.

        Raises:
            RpcError: what `decode` and `inflating` raise.
        """
        if type(raw) is not Deflated:
            return self.decode(raw)
        session = self.wire.session
        parts: list[bytes] = []
        try:
            for part in inflating(raw, session.limits.max_receive_message_bytes):
                parts.append(part)
                await self.wire.give_way()
        except RpcError:
            session.blame(BOMB)
            raise
        request = self.decode(b"".join(parts))
        self.compressed_request = True
        return request

    def encode(self, response: Any) -> bytes:
        """One response message, framed.

        Raises:
            RpcError: INTERNAL if the handler gave something else, RESOURCE_EXHAUSTED if it is over the limit.
        """
        try:
            message = response if type(response) is Encoded else self.method.serialize(response)
        except Exception as error:
            raise RpcError(grpc.StatusCode.INTERNAL, "Failed to serialize response!") from error
        limit = self.wire.session.limits.max_send_message_bytes
        if len(message) > limit:
            raise RpcError(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"Sent message larger than max ({len(message)} vs. {limit})",
            )
        return frame_gzip(message) if self.compress else frame(message)

    def begin(self, metadata: bytes = b"") -> None:
        """Queue the response headers, with this metadata as a header block; else they go with the first message."""
        if self.stream.began or self.stream.initial is not None:
            return
        self.gzip_announced = self.compress
        base = GZIP_RESPONSE_HEADERS if self.compress else RESPONSE_HEADERS
        self.wire.session.begin(self.stream, base + metadata)

    def send(self, framed: bytes) -> None:
        """Queue framed messages."""
        if self.compress:
            self.begin()
        self.wire.session.send(self.stream, framed)
        self.wire.wake_writer()

    def check_room(self, size: int = 0) -> None:
        """Whether the connection may hold so many bytes of answers more.

        Raises:
            RpcError: RESOURCE_EXHAUSTED if it may not: the client does not read what it has asked for.
        """
        if not self.wire.session.may_hold(size):
            self.wire.session.blame()
            raise RpcError(grpc.StatusCode.RESOURCE_EXHAUSTED, "too many answers wait unread on this connection")

    async def wait_for_room(self) -> None:
        """Sleep until the client has read enough for more to be queued: all of it where the connection is full."""
        session, stream = self.wire.session, self.stream
        enough = session.limits.stream_send_buffer_bytes
        while stream.out_bytes > (enough if session.may_hold() else 0):
            await self.room.wait()

    async def respond(self, response: Any) -> None:
        """Sends one response, or a `Batch` of them in as few frames as possible; returns when there is room for more.
        Several tasks may respond: what each sends stays together.

        Raises:
            RpcError: what `encode` raises.
        """
        if type(response) is Batch:
            framed = b"".join([self.encode(message) for message in response])
        else:
            framed = self.encode(response)
        # A reader may keep us waiting for hours: a page of messages must not wait beside its bytes.
        del response
        self.send(framed)
        del framed
        session = self.wire.session
        if self.stream.out_bytes > session.limits.stream_send_buffer_bytes or not session.may_hold():
            self._crowd = self._crowd or trio.StrictFIFOLock()
            async with self._crowd:
                await self.wait_for_room()

    async def wait_until_sent(self) -> None:
        """Sleep until nothing waits to be sent."""
        while self.stream.out_bytes:
            await self.room.wait()


class Requests(Generic[Request]):
    """The requests of a streaming call: one by one with `async for`, or all that have arrived with `batch`."""

    __slots__ = ("_call", "_raw")

    def __init__(self, call: Call) -> None:
        self._call = call
        self._raw: deque[bytes] = deque()

    def __aiter__(self) -> "Requests[Request]":
        return self

    async def __anext__(self) -> Request:
        if not self._raw:
            self._raw.extend(await self._call.take())
            if not self._raw:
                raise StopAsyncIteration
        message: Request = await self._call.decode_any(self._raw.popleft())
        return message

    async def batch(self) -> list[Request]:
        """All requests that have arrived, at least one; an empty list at the end of the stream.

        Compressed ones are blown up one by one until about one maximal message is reached; the others follow in
        the next batch.
        """
        raw = self._raw
        if not raw:
            raw.extend(await self._call.take())
        decode = self._call.decode
        if self._call.stream.head.encoding != b"gzip":
            requests: list[Request] = [decode(message) for message in raw]
            raw.clear()
            return requests
        return await self._inflated_batch()

    async def _inflated_batch(self) -> list[Request]:
        limit = self._call.wire.session.limits.max_receive_message_bytes
        requests: list[Request] = []
        size = 0
        while self._raw and size < limit:
            raw = self._raw.popleft()
            request = await self._call.decode_any(raw)
            # What it weighs inflated is not known here without doing it twice; gzip's ratio is bounded by 1,032.
            size += len(raw) * 1_032 if type(raw) is Deflated else len(raw)
            requests.append(request)
        return requests
