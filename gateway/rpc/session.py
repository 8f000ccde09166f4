"""The server's side of one connection without any I/O: bytes in, events out; answers in, bytes out.

Everything is batch-shaped. `receive` takes one read from the socket and gives the events of all its frames; handlers'
answers only queue up at their streams; `take` turns what is queued, from all streams, into the bytes of one write, with
as many messages in a DATA frame as fit. So a slow peer costs nothing but its own queues: nothing is framed before
it can be sent.

Flow control towards us: the connection's window is given back as bytes arrive, a stream's window only as its handler
takes the messages. A handler that dawdles therefore stops its own stream and no other.
"""

import logging
from collections import deque
from collections.abc import Callable
from typing import Any

import grpc

from gateway.net import http2

from .abuse import AbuseBudget, PingStrikes
from .events import Broken, Event, Opened, PingAcked, Readable, Reset
from .framing import MessageReader
from .limits import ServerLimits
from .metadata import NO_HEAD, MalformedMetadata, MalformedRequest, RequestHead, read_head
from .refusals import RESPONSE_HEADERS, refusal, trailers_only
from .status import RpcError, Status
from .stream import Stream

log = logging.getLogger(__name__)

_PROTOCOL_WINDOW_BYTES = 65_535  # every connection starts with it, RFC 9113 section 6.9.2
_LAST_STREAM_ID = 2**31 - 1


class _TooMuch(Exception):
    """The peer has used up its abuse budget; the text goes into the GOAWAY."""


def _connection(limits: ServerLimits) -> http2.ServerConnection:
    connection = http2.ServerConnection(
        {
            http2.SettingCodes.MAX_CONCURRENT_STREAMS: limits.max_concurrent_streams,
            http2.SettingCodes.INITIAL_WINDOW_SIZE: limits.stream_window_bytes,
            http2.SettingCodes.MAX_FRAME_SIZE: limits.frame_bytes,
            http2.SettingCodes.MAX_HEADER_LIST_SIZE: limits.header_list_bytes,
        }
    )
    connection.initiate_connection()
    if limits.connection_window_bytes > _PROTOCOL_WINDOW_BYTES:
        connection.increment_flow_control_window(limits.connection_window_bytes - _PROTOCOL_WINDOW_BYTES)
    return connection


class ServerSession:
    """One connection's protocol state.

    `failed` tells why the connection must end once `take` has given its last bytes; None while it is well.
    `flushed` collects streams from which `take` has sent something; the owner wakes their handlers and clears it.
    `lingering` is kept by the owner: handlers that still run though their stream is over; they count as calls.
    """

    def __init__(self, limits: ServerLimits, now: float) -> None:
        self.limits = limits
        self.streams: dict[int, Stream] = {}
        self.failed: str | None = None
        self.flushed: list[Stream] = []
        self.lingering = 0
        self._now = now
        self._turn = 0
        self._abuse = AbuseBudget(limits, now)
        self._pings = PingStrikes(limits)
        self._sendable: deque[Stream] = deque()
        self._blocked: dict[int, Stream] = {}
        self._unacked = 0
        self._buffered = 0
        self._refuse_above = _LAST_STREAM_ID
        self._events: list[Event] = []
        self._h2 = _connection(limits)
        self._on: dict[type, Callable[[Any], None]] = {
            http2.RequestReceived: self._on_request,
            http2.DataReceived: self._on_data,
            http2.StreamEnded: self._on_end,
            http2.StreamReset: self._on_reset,
            http2.WindowUpdated: self._on_window,
            http2.RemoteSettingsChanged: self._on_settings,
            http2.PingReceived: self._on_ping,
            http2.PingAckReceived: self._on_ping_ack,
            http2.SettingsAcknowledged: self._on_chatter,
            http2.PriorityUpdated: self._on_chatter,
            http2.UnknownFrameReceived: self._on_chatter,
        }

    # What arrives

    def receive(self, data: bytes | bytearray, now: float) -> list[Event]:
        """Take bytes from the socket. `now`: seconds on a steady clock.

        Never raises: whatever a peer sends ends at worst this connection (`failed`), with the GOAWAY it deserves.
        """
        self._now = now
        self._turn += 1
        try:
            for event in self._h2.receive_data(data):
                handler = self._on.get(type(event))
                if handler is not None:
                    handler(event)
        except _TooMuch as error:
            self.fail(str(error), http2.ErrorCodes.ENHANCE_YOUR_CALM)
        except http2.ProtocolError as error:
            # h2 has already put the GOAWAY with the right code into its buffer.
            self.failed = f"protocol error: {error}"
        except Exception:
            # h2 and hpack are fed by strangers; a slip of theirs must cost this connection only.
            log.exception("HTTP/2 input that could not be handled")
            self.fail("unreadable input", http2.ErrorCodes.INTERNAL_ERROR)
        if self._h2.unsent_bytes > self.limits.control_backlog_bytes:
            self.failed = "the peer does not read what it asks for"
        events, self._events = self._events, []
        return events

    def release(self, stream: Stream) -> None:
        """The handler has taken the inbox: let the client send more on this stream."""
        held = stream.reader.partial_bytes
        self._buffered -= stream.buffered - held
        stream.buffered = held
        if stream.unacked >= self.limits.stream_window_bytes // 2 and not (stream.ended or stream.closed):
            self._h2.increment_flow_control_window(stream.unacked, stream.id)
            stream.unacked = 0

    def _spend(self, reason: str) -> None:
        if not self._abuse.spend(self._now):
            raise _TooMuch(reason)

    def _on_request(self, event: http2.RequestReceived) -> None:
        stream_id = event.stream_id
        open_calls = len(self.streams) + self.lingering
        if open_calls >= self.limits.max_concurrent_streams or stream_id > self._refuse_above:
            self._refuse(stream_id, http2.ErrorCodes.REFUSED_STREAM)
            return
        try:
            head = read_head(event.headers)
        except MalformedRequest as error:
            log.debug("malformed request: %s", error)
            self._refuse(stream_id, http2.ErrorCodes.PROTOCOL_ERROR)
            return
        except MalformedMetadata as error:
            self._answer(stream_id, NO_HEAD, trailers_only(Status(grpc.StatusCode.INTERNAL, str(error))))
            return
        answer = refusal(head)
        if answer is not None:
            self._answer(stream_id, head, answer)
            return
        limit = self.limits.max_receive_message_bytes
        stream = Stream(stream_id, head, MessageReader(limit, gzip=head.encoding == b"gzip"))
        stream.turn = self._turn
        self.streams[stream_id] = stream
        self._events.append(Opened(stream))

    def _refuse(self, stream_id: int, code: http2.ErrorCodes) -> None:
        self._spend("too many refused streams")
        self._h2.reset_stream(stream_id, code)
        self._h2.forget(stream_id)

    def _answer(self, stream_id: int, head: RequestHead, headers: bytes) -> None:
        """A whole answer in one block; the request's body, if any, is not read."""
        self._spend("too many refused requests")
        stream = Stream(stream_id, head, MessageReader(0, gzip=False))
        stream.broken = True
        stream.began = True
        self.streams[stream_id] = stream
        stream.trailers = headers
        self._mark(stream)

    def _on_data(self, event: http2.DataReceived) -> None:
        size = event.flow_controlled_length
        self._unacked += size
        if self._unacked >= self.limits.connection_window_bytes // 2:
            self._h2.increment_flow_control_window(self._unacked)
            self._unacked = 0
        data = event.data
        if not data and event.stream_ended is None:
            self._spend("too many empty frames")
        stream = self.streams.get(event.stream_id)
        if stream is None or stream.broken:
            return
        stream.unacked += size
        stream.buffered += len(data)
        self._buffered += len(data)
        try:
            messages = stream.reader.feed(data)
            self._check_buffered()
        except RpcError as error:
            self._break(stream, error.status)
            return
        if messages:
            stream.inbox += messages
            self._readable(stream)
        elif not stream.inbox:
            # A message larger than the window must be able to arrive whole; it is bounded by its own limit.
            self.release(stream)

    def _check_buffered(self) -> None:
        if self._buffered > self.limits.connection_buffer_bytes:
            raise RpcError(grpc.StatusCode.RESOURCE_EXHAUSTED, "too much unread data on this connection")

    def _break(self, stream: Stream, status: Status) -> None:
        stream.broken = True
        self._drop_input(stream)
        self._events.append(Broken(stream, status))

    def _drop_input(self, stream: Stream) -> None:
        stream.inbox = []
        self._buffered -= stream.buffered
        stream.buffered = 0

    def _readable(self, stream: Stream) -> None:
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
            self._h2.forget(event.stream_id)
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
        if http2.SettingCodes.HEADER_TABLE_SIZE in event.changed_settings:
            self._h2.announce_empty_table = True
        self._unblock_all()

    def _unblock_all(self) -> None:
        for stream in self._blocked.values():
            self._mark(stream)
        self._blocked.clear()

    def _on_ping(self, event: http2.PingReceived) -> None:
        self._spend("too many pings")
        if not self._pings.ping(self._now, idle=not self.streams):
            raise _TooMuch("too_many_pings")

    def _on_ping_ack(self, event: http2.PingAckReceived) -> None:
        self._spend("too many ping acknowledgements")
        self._events.append(PingAcked())

    def _on_chatter(self, event: http2.Event) -> None:
        self._spend("too many frames of no use")

    # What leaves

    @property
    def wants_send(self) -> bool:
        """Whether `take` would give bytes."""
        return bool(self._sendable) or self._h2.unsent_bytes > 0

    def begin(self, stream: Stream, headers: bytes) -> None:
        """Queue the response headers, for the time they are to go before any message; at most once."""
        if stream.initial is None and not stream.began and not stream.closed:
            stream.initial = headers
            self._mark(stream)

    def send(self, stream: Stream, framed: bytes) -> None:
        """Queue framed messages. Watch `stream.out_bytes`; after the end or a reset this is a no-op."""
        if stream.closed or stream.trailers is not None:
            return
        if stream.initial is None and not stream.began:
            stream.initial = RESPONSE_HEADERS
        stream.outbox.append(framed)
        stream.out_bytes += len(framed)
        self._mark(stream)

    def finish(self, stream: Stream, trailers: bytes, *, discard: bool = False) -> None:
        """Queue the trailers behind the messages; the first call counts.

        `discard`: in place of messages and trailers that have not left yet. Where half a message has left, only
        RST_STREAM is honest.
        """
        if stream.closed or (stream.trailers is not None and not discard):
            return
        if discard:
            if stream.torn:
                self.reset(stream, http2.ErrorCodes.CANCEL)
                return
            stream.drop_outbox()
            self._blocked.pop(stream.id, None)
        self._drop_input(stream)
        stream.broken = True
        stream.trailers = trailers
        self._mark(stream)

    def reset(self, stream: Stream, code: http2.ErrorCodes) -> None:
        """End the stream at once with RST_STREAM."""
        if not stream.closed:
            self._h2.reset_stream(stream.id, code)
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
        return self._h2.data_to_send()

    def _mark(self, stream: Stream) -> None:
        if not stream.queued:
            stream.queued = True
            self._sendable.append(stream)

    def _flush(self, stream: Stream) -> int:
        """Send what the windows allow; returns how many bytes of data that was."""
        if stream.initial is not None:
            headers, stream.initial = stream.initial, None
            self._send_headers(stream, headers)
        sent = self._flush_data(stream) if stream.out_bytes else 0
        if stream.trailers is not None and not stream.out_bytes:
            self._send_trailers(stream, stream.trailers)
        return sent

    def _send_headers(self, stream: Stream, headers: bytes) -> None:
        stream.began = True
        self._pings.forgive()
        self._h2.write_headers(stream.id, headers)

    def _flush_data(self, stream: Stream) -> int:
        outbox = stream.outbox
        data = outbox[0] if len(outbox) == 1 else b"".join(outbox)
        sent = self._h2.write_data(stream.id, data)
        outbox.clear()
        stream.out_bytes = len(data) - sent
        if stream.out_bytes:
            outbox.append(memoryview(data)[sent:])
            self._blocked[stream.id] = stream
        if sent:
            self._pings.forgive()
            self.flushed.append(stream)
        return sent

    def _send_trailers(self, stream: Stream, trailers: bytes) -> None:
        if not stream.began:
            trailers = RESPONSE_HEADERS + trailers
        self._pings.forgive()
        self._h2.write_headers(stream.id, trailers, end_stream=True)
        if not stream.ended:
            # The answer is complete: the client need not send the rest (RFC 9113 section 8.1).
            self._h2.reset_stream(stream.id, http2.ErrorCodes.NO_ERROR)
        self._close(stream)

    def _close(self, stream: Stream) -> None:
        stream.closed = True
        stream.drop_outbox()
        self._drop_input(stream)
        self._blocked.pop(stream.id, None)
        self.streams.pop(stream.id, None)
        self._h2.forget(stream.id)
        self.flushed.append(stream)

    # The connection

    def ping(self, payload: bytes) -> None:
        """Queue a PING; eight bytes. PingAcked tells of the answer."""
        self._h2.ping(payload)

    def announce_drain(self) -> None:
        """First half of a graceful GOAWAY: no stream is refused yet (RFC 9113 section 6.8)."""
        self._h2.close_connection(http2.ErrorCodes.NO_ERROR, last_stream_id=_LAST_STREAM_ID)

    def begin_drain(self) -> None:
        """Second half: streams the client opens from now on are refused, and may be tried elsewhere."""
        self._refuse_above = self._h2.highest_inbound_stream_id
        self._h2.close_connection(http2.ErrorCodes.NO_ERROR, last_stream_id=self._refuse_above)

    def fail(self, reason: str, code: http2.ErrorCodes) -> None:
        """End the connection: queue GOAWAY with this reason for its log, and set `failed`."""
        if self.failed is None:
            self.failed = reason
            self._h2.close_connection(code, additional_data=reason.encode())
