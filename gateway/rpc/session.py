"""What both ends of a connection share, without any I/O: bytes in, events out; messages in, bytes out.

Everything is batch-shaped. `receive` takes one read from the socket and gives the events of all its frames;
messages to be sent only queue up at their streams; `take` turns what is queued, from all streams, into the bytes of
one write, with as many messages in a DATA frame as fit. So a slow peer costs nothing but its own queues: nothing is
framed before it can be sent.

Flow control towards us: the connection's window is given back as bytes arrive, a stream's window only as its reader
takes the messages. A reader that dawdles therefore stops its own stream and no other.
"""

import logging
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

import grpc

from gateway.net import http2

from .burden import Burden
from .events import Broken, Event, PingAcked, Readable, Reset
from .limits import ServerLimits
from .status import RpcError, Status
from .stream import Stream

log = logging.getLogger(__name__)

PROTOCOL_WINDOW_BYTES: Final = 65_535  # every connection starts with it, RFC 9113 section 6.9.2
SCRAP_BYTES: Final = 256  # less in a DATA frame, and the message still not whole: nobody but an attacker cuts so small
MESSAGE_OVERHEAD_BYTES: Final = 48  # of memory for a message beside its content, which may be empty
S = TypeVar("S", bound=Stream)


class TooMuch(Exception):
    """The peer has used up its abuse budget; the text goes into the GOAWAY."""


class Session(ABC, Generic[S]):
    """One connection's protocol state.

    `failed` tells why the connection must end once `take` has given its last bytes; None while it is well.
    `flushed` collects streams from which `take` has sent something; the owner wakes their writers and clears it.
    `held` is what this connection adds to the burden of its server, until `unburden`.
    """

    def __init__(
        self, connection: http2.StreamingConnection, limits: ServerLimits, now: float, burden: Burden | None = None
    ) -> None:
        self.limits = limits
        self.held = 0
        self._burden = burden or Burden()
        self.streams: dict[int, S] = {}
        self.failed: str | None = None
        self.flushed: list[S] = []
        self._now = now
        self._turn = 0
        self._sendable: deque[S] = deque()
        self._blocked: dict[int, S] = {}
        self._unacked = 0
        self._events: list[Event] = []
        self._connection = connection
        connection.initiate_connection()
        if limits.connection_window_bytes > PROTOCOL_WINDOW_BYTES:
            connection.increment_flow_control_window(limits.connection_window_bytes - PROTOCOL_WINDOW_BYTES)
        self._on: dict[type, Callable[[Any], None]] = {
            http2.DataReceived: self._on_data,
            http2.StreamEnded: self._on_end,
            http2.StreamReset: self._on_reset,
            http2.WindowUpdated: self._on_window,
            http2.RemoteSettingsChanged: self._on_settings,
            http2.PingAckReceived: self._on_ping_ack,
        }

    # What arrives

    def receive(self, data: bytes | bytearray, now: float) -> list[Event]:
        """Take bytes from the socket. `now`: seconds on a steady clock.

        Never raises: whatever a peer sends ends at worst this connection (`failed`), with the GOAWAY it deserves.
        """
        self._now = now
        self._turn += 1
        try:
            for event in self._connection.receive_data(data):
                handler = self._on.get(type(event))
                if handler is not None:
                    handler(event)
        except TooMuch as error:
            self.fail(str(error), http2.ErrorCodes.ENHANCE_YOUR_CALM)
        except http2.ProtocolError as error:
            # h2 has already put the GOAWAY with the right code into its buffer.
            self.failed = f"protocol error: {error}"
        except Exception:
            # h2 and hpack are fed by strangers; a slip of theirs must cost this connection only.
            log.exception("HTTP/2 input that could not be handled")
            self.fail("unreadable input", http2.ErrorCodes.INTERNAL_ERROR)
        if self._connection.awaited_frame_bytes > self.limits.frame_bytes:
            self.fail("frame too large", http2.ErrorCodes.FRAME_SIZE_ERROR)
        if self._connection.unsent_bytes > self.limits.control_backlog_bytes:
            self.failed = "the peer does not read what it asks for"
        events, self._events = self._events, []
        return events

    def release(self, stream: S) -> None:
        """The handler has taken the inbox: let the client send more on this stream."""
        partial = stream.reader.partial_bytes
        self._hold(partial - stream.buffered)
        stream.buffered = partial
        if stream.ended or stream.closed or self.failed is not None:
            return
        if stream.unacked >= self.limits.stream_window_bytes // 2 and self._connection.is_open(stream.id):
            self._connection.increment_flow_control_window(stream.unacked, stream.id)
            stream.unacked = 0

    def _spend(self, reason: str) -> None:  # a client trusts the server it chose
        """Pay for a frame that is cheap to send and dear to handle; raises TooMuch when nothing is left."""

    def _on_data(self, event: http2.DataReceived) -> None:
        size = event.flow_controlled_length
        self._unacked += size
        if self._unacked >= self.limits.connection_window_bytes // 2:
            self._connection.increment_flow_control_window(self._unacked)
            self._unacked = 0
        data = event.data
        if not data and event.stream_ended is None:
            self._spend("too many empty frames")
        stream = self.streams.get(event.stream_id)
        if stream is None or stream.broken:
            return
        stream.unacked += size
        stream.buffered += len(data)
        self._hold(len(data))
        try:
            messages = stream.reader.feed(data)
            if not self.may_hold():
                raise RpcError(grpc.StatusCode.RESOURCE_EXHAUSTED, "too much unread data on this connection")
        except RpcError as error:
            self._break(stream, error.status)
            return
        if messages:
            stream.scraps = 0
            stream.inbox += messages
            self._hold(len(messages) * MESSAGE_OVERHEAD_BYTES)
            stream.buffered += len(messages) * MESSAGE_OVERHEAD_BYTES
            self._readable(stream)
        elif 0 < len(data) < SCRAP_BYTES:
            # Some write a message's prefix as a frame of its own: the first scrap is free.
            stream.scraps += 1
            if stream.scraps > 1:
                self._spend("too many scraps of messages")
        if not stream.inbox:
            # A message larger than the window must be able to arrive whole; it is bounded by its own limit.
            self.release(stream)

    def _hold(self, more: int) -> None:
        self.held += more
        self._burden.bytes += more

    def may_hold(self, more: int = 0) -> bool:
        """Whether this connection may hold so many bytes more: within its own bound, and within its fair share where
        all connections together are at theirs."""
        limits, held = self.limits, self.held + more
        if held > limits.connection_buffer_bytes:
            return False
        return self._burden.bytes + more <= limits.server_buffer_bytes or held <= limits.connection_share_bytes

    def unburden(self) -> None:
        """The connection is over: what it held is free, at once and not when the garbage collector finds it."""
        for stream in self.streams.values():
            self._drop_input(stream)
            self._drop_output(stream)
        self._hold(-self.held)
        # Tables of our own bound methods: each is a circle, and a thousand dead connections of eighty objects each are
        # a collection of 60 ms in the middle of others' calls.
        self._on.clear()
        self._connection.let_go()

    def _break(self, stream: S, status: Status) -> None:
        stream.broken = True
        self._drop_input(stream)
        self._events.append(Broken(stream, status))

    def _drop_input(self, stream: S) -> None:
        if stream.buffered:
            # Not left to the garbage collector: a call that failed is kept for a while by its own traceback.
            stream.inbox = []
            stream.reader.drop()
            self._hold(-stream.buffered)
            stream.buffered = 0

    def _drop_output(self, stream: S) -> None:
        if stream.out_bytes:
            self._hold(-stream.out_bytes)
            stream.drop_outbox()

    def _readable(self, stream: S) -> None:
        if stream.turn != self._turn:
            stream.turn = self._turn
            self._events.append(Readable(stream))

    def _on_end(self, event: http2.StreamEnded) -> None:
        stream = self.streams.get(event.stream_id)
        if stream is None:
            return
        stream.ended = True
        if stream.broken:
            return
        if stream.reader.partial_bytes:
            self._break(stream, Status(grpc.StatusCode.INTERNAL, "request ends in the middle of a message"))
        else:
            self._readable(stream)

    def _on_reset(self, event: http2.StreamReset) -> None:
        if event.remote_reset:
            self._spend("too many resets")
        stream = self.streams.get(event.stream_id)
        if stream is None:
            self._connection.forget(event.stream_id)
            return
        self._close(stream)
        self._events.append(Reset(stream))

    def _on_window(self, event: http2.WindowUpdated) -> None:
        if event.stream_id == 0:
            self._unblock_all()
        else:
            stream = self._blocked.pop(event.stream_id, None)
            if stream is not None:
                self._mark(stream)

    def _on_settings(self, event: http2.RemoteSettingsChanged) -> None:
        self._spend("too many settings")
        self._unblock_all()

    def _unblock_all(self) -> None:
        for stream in self._blocked.values():
            self._mark(stream)
        self._blocked.clear()

    def _on_ping_ack(self, event: http2.PingAckReceived) -> None:
        self._events.append(PingAcked())

    # What leaves

    @property
    def wants_send(self) -> bool:
        """Whether `take` would give bytes."""
        return bool(self._sendable) or self._connection.unsent_bytes > 0

    def send(self, stream: S, framed: bytes) -> None:
        """Queue framed messages. Watch `stream.out_bytes`; after the end or a reset this is a no-op."""
        if stream.closed or stream.trailers is not None or not framed:
            return
        stream.outbox.append(framed)
        stream.out_bytes += len(framed)
        self._hold(len(framed))
        self._mark(stream)

    def reset(self, stream: S, code: http2.ErrorCodes) -> None:
        """End the stream at once with RST_STREAM."""
        if stream.closed:
            return
        if self.failed is None and self._connection.is_open(stream.id):
            self._connection.reset_stream(stream.id, code)
        self._close(stream)

    def take(self) -> bytes:
        """The bytes of the next write, about `send_turn_bytes` at most; empty if there is nothing to send."""
        sendable = self._sendable
        budget = self.limits.send_turn_bytes
        for _ in range(len(sendable)):
            if budget <= 0:
                break
            stream = sendable.popleft()
            stream.queued = False
            if not stream.closed:
                budget -= self._flush(stream)
        return self._connection.data_to_send()

    def _mark(self, stream: S) -> None:
        if not stream.queued:
            stream.queued = True
            self._sendable.append(stream)

    def _flush(self, stream: S) -> int:
        """Send what the windows allow; returns how many bytes of data that was."""
        if stream.initial is not None:
            headers, stream.initial = stream.initial, None
            self._send_headers(stream, headers)
        sent = self._flush_data(stream) if stream.out_bytes else 0
        if stream.trailers is not None and not stream.out_bytes:
            self._send_trailers(stream, stream.trailers)
        return sent

    def _flush_data(self, stream: S) -> int:
        if self._connection.window_of(stream.id) <= 0:
            # Nothing is joined before it can leave: a reader that stalls would cost a copy with every message.
            self._blocked[stream.id] = stream
            return 0
        outbox = stream.outbox
        data = outbox[0] if len(outbox) == 1 else b"".join(outbox)
        sent = self._connection.write_data(stream.id, data)
        outbox.clear()
        stream.out_bytes = len(data) - sent
        self._hold(-sent)
        if stream.out_bytes:
            outbox.append(memoryview(data)[sent:])
            self._blocked[stream.id] = stream
        if sent:
            self._sent(sent)
            self.flushed.append(stream)
        return sent

    def _close(self, stream: S) -> None:
        stream.closed = True
        self._drop_output(stream)
        self._drop_input(stream)
        self._blocked.pop(stream.id, None)
        self.streams.pop(stream.id, None)
        self._connection.forget(stream.id)
        self.flushed.append(stream)

    @abstractmethod
    def _send_headers(self, stream: S, headers: bytes) -> None:
        """Begin the stream on the wire."""

    @abstractmethod
    def _send_trailers(self, stream: S, trailers: bytes) -> None:
        """End our half of the stream; its outbox is empty."""

    def _sent(self, size: int) -> None:
        """So many bytes of data have been queued for the wire."""

    # The connection

    def ping(self, payload: bytes) -> None:
        """Queue a PING; eight bytes. PingAcked tells of the answer."""
        self._connection.ping(payload)

    def fail(self, reason: str, code: http2.ErrorCodes) -> None:
        """End the connection: queue GOAWAY with this reason for its log, and set `failed`."""
        if self.failed is None:
            self.failed = reason
            self._connection.close_connection(code, additional_data=reason.encode())
