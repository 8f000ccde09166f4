"""The server's side of one connection without any I/O: calls come in as events, answers go out in batches."""

import logging
from typing import Final

import grpc

from gateway.net import http2

from .abuse import CONNECTION_SUSPICIOUS_BELOW, AbuseBudget, PingStrikes
from .burden import Burden
from .callers import ENDED, FAILED, Caller
from .events import Event, Opened
from .framing import MessageReader
from .limits import ServerLimits
from .metadata import NO_HEAD, MalformedMetadata, MalformedRequest, RequestHead, read_head
from .refusals import RESPONSE_HEADERS, refusal, trailers_only
from .session import Session, TooMuch
from .status import Status
from .stream import Stream

log = logging.getLogger(__name__)

_LAST_STREAM_ID: Final = 2**31 - 1
HEADS_KEPT_MAX: Final = 16  # per connection; one peer says few different things
HEAD_BYTES_KEPT_MAX: Final = 1_024
"""With the fields' own weight some 2 KiB each, and 32 MiB where every connection keeps as much as it can."""


class ServerSession(Session[Stream]):
    """One client's connection.

    `lingering` counts handlers that may still run though their client has reset the stream. The owner
    takes one off for each Reset, at once or when the handler is done.
    """

    def __init__(
        self, limits: ServerLimits, now: float, burden: Burden | None = None, caller: Caller | None = None
    ) -> None:
        self._h2 = http2.ServerConnection(
            {
                http2.SettingCodes.MAX_CONCURRENT_STREAMS: limits.max_concurrent_streams,
                http2.SettingCodes.INITIAL_WINDOW_SIZE: limits.stream_window_bytes,
                http2.SettingCodes.MAX_FRAME_SIZE: limits.frame_bytes,
                http2.SettingCodes.MAX_HEADER_LIST_SIZE: limits.header_list_bytes,
            }
        )
        super().__init__(self._h2, limits, now, burden)
        self.lingering = 0
        self._progress = now  # when a frame was last whole
        self._abuse = AbuseBudget(
            limits.abuse_burst, limits.abuse_refill_per_s, now, suspicious_below=CONNECTION_SUSPICIOUS_BELOW
        )
        self._caller = (caller or Caller("", limits, now)).budget
        self._pings = PingStrikes(limits)
        self._refuse_above = _LAST_STREAM_ID
        self._heads: dict[tuple[tuple[bytes, bytes], ...], RequestHead] = {}  # of requests that are gRPC
        self._on |= {
            http2.RequestReceived: self._on_request,
            http2.PingReceived: self._on_ping,
            http2.SettingsAcknowledged: self._on_chatter,
            http2.PriorityUpdated: self._on_chatter,
            http2.UnknownFrameReceived: self._on_chatter,
            http2.FrameIgnored: self._on_chatter,
        }

    # What arrives

    def suspicious(self, now: float) -> bool:
        """Whether the peer, here or on its other connections, has sent more of no use than a decent one does."""
        return self._abuse.suspicious(now) or self._caller.suspicious(now)

    def receive(self, data: bytes | bytearray, now: float) -> list[Event]:
        """See Session. A peer that takes forever over one frame is told to calm down too: whoever reads only what it
        has finished saying never ends the connection for silence."""
        frames = self._h2.frames
        events = super().receive(data, now)
        if self._h2.frames > frames or not self._h2.mid_frame:
            self._progress = now
        elif now - self._progress > self.limits.frame_timeout_s:
            self.fail("a frame takes too long", http2.ErrorCodes.ENHANCE_YOUR_CALM)
        if self._h2.header_block_bytes > self.limits.header_list_bytes:
            self.fail("header block too large", http2.ErrorCodes.ENHANCE_YOUR_CALM)
        if self.failed is not None:
            self._caller.spend(now, ENDED)
        return events

    def blame(self, tokens: float = FAILED) -> None:
        """A message of this caller had to be refused after it had cost us something."""
        self._caller.spend(self._now, tokens)

    def _break(self, stream: Stream, status: Status) -> None:
        self.blame()
        super()._break(stream, status)

    def _spend(self, reason: str) -> None:
        self._caller.spend(self._now)
        if not self._abuse.spend(self._now):
            raise TooMuch(reason)

    def _on_request(self, event: http2.RequestReceived) -> None:
        stream_id = event.stream_id
        if stream_id > self._refuse_above or not self._has_room():
            self._refuse(stream_id, http2.ErrorCodes.REFUSED_STREAM)
            return
        fields = tuple(event.headers)
        head = self._heads.get(fields)
        if head is None:
            head = self._new_head(stream_id, fields)
            if head is None:
                return
        limit = self.limits.max_receive_message_bytes
        stream = Stream(stream_id, head, MessageReader(limit, gzip=head.encoding == b"gzip"))
        stream.turn = self._turn
        self.streams[stream_id] = stream
        self._events.append(Opened(stream))

    def _new_head(self, stream_id: int, fields: tuple[tuple[bytes, bytes], ...]) -> RequestHead | None:
        """What a request's fields say; None where it has been answered already. The same fields say the same: they
        are kept, if they are short."""
        try:
            head = read_head(fields)
        except MalformedRequest as error:
            log.debug("malformed request: %s", error)
            self._refuse(stream_id, http2.ErrorCodes.PROTOCOL_ERROR)
            return None
        except MalformedMetadata as error:
            self._answer(stream_id, NO_HEAD, trailers_only(Status(grpc.StatusCode.INTERNAL, str(error))))
            return None
        answer = refusal(head)
        if answer is not None:
            self._answer(stream_id, head, answer)
            return None
        if sum(len(name) + len(value) for name, value in fields) <= HEAD_BYTES_KEPT_MAX:
            if len(self._heads) >= HEADS_KEPT_MAX:
                self._heads.clear()
            self._heads[fields] = head
        return head

    def _has_room(self) -> bool:
        """A client may replace a call it has just reset, but not pile up handlers that are still winding down."""
        most, running = self.limits.max_concurrent_streams, len(self.streams)
        return running < most and running + self.lingering < 2 * most

    def _refuse(self, stream_id: int, code: http2.ErrorCodes) -> None:
        self._spend("too many refused streams")
        if self._h2.is_open(stream_id):
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

    def _on_settings(self, event: http2.RemoteSettingsChanged) -> None:
        if http2.SettingCodes.HEADER_TABLE_SIZE in event.changed_settings:
            self._h2.announce_empty_table = True
        super()._on_settings(event)

    def _on_window(self, event: http2.WindowUpdated) -> None:
        if not self._abuse.update():
            self._spend("too many window updates")
        super()._on_window(event)

    def _on_reset(self, event: http2.StreamReset) -> None:
        if event.stream_id in self.streams:
            self.lingering += 1
        super()._on_reset(event)

    def _on_ping(self, event: http2.PingReceived) -> None:
        self._spend("too many pings")
        if not self._pings.ping(self._now, idle=not self.streams):
            raise TooMuch("too_many_pings")

    def _on_ping_ack(self, event: http2.PingAckReceived) -> None:
        self._spend("too many ping acknowledgements")
        super()._on_ping_ack(event)

    def _on_chatter(self, event: http2.Event) -> None:
        self._spend("too many frames of no use")

    # What leaves

    def begin(self, stream: Stream, headers: bytes) -> None:
        """Queue the response headers, for the time they are to go before any message; at most once."""
        if stream.initial is None and not stream.began and not stream.closed:
            stream.initial = headers
            self._mark(stream)

    def send(self, stream: Stream, framed: bytes) -> None:
        """Queue framed messages, behind the response headers; see Session."""
        if stream.initial is None and not stream.began:
            stream.initial = RESPONSE_HEADERS
        super().send(stream, framed)

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
            self._drop_output(stream)
            self._blocked.pop(stream.id, None)
        self._drop_input(stream)
        stream.broken = True
        stream.trailers = trailers
        self._mark(stream)

    def _flush(self, stream: Stream) -> int:
        """See Session. Nearly every unary answer is whole when its turn comes, and leaves in one piece."""
        headers, ending = stream.initial, stream.trailers
        if headers is None or ending is None or len(stream.outbox) != 1 or not stream.ended:
            return super()._flush(stream)
        size = stream.out_bytes
        if not self._h2.write_answer(stream.id, headers, stream.outbox[0], ending):
            return super()._flush(stream)
        stream.began = True
        stream.initial = None
        self._pings.forgive()
        self._abuse.earn(3 + size // self.limits.frame_bytes)
        self._close(stream)
        return size

    def _send_headers(self, stream: Stream, headers: bytes) -> None:
        stream.began = True
        self._sent(0)
        self._h2.write_headers(stream.id, headers)

    def _send_trailers(self, stream: Stream, trailers: bytes) -> None:
        if not stream.began:
            trailers = RESPONSE_HEADERS + trailers
        self._sent(0)
        self._h2.write_headers(stream.id, trailers, end_stream=True)
        if not stream.ended:
            # The answer is complete: the client need not send the rest (RFC 9113 section 8.1).
            self._h2.reset_stream(stream.id, http2.ErrorCodes.NO_ERROR)
        self._close(stream)

    def _sent(self, size: int) -> None:
        self._pings.forgive()
        self._abuse.earn(1 + size // self.limits.frame_bytes)

    # Leaving

    def announce_drain(self) -> None:
        """First half of a graceful GOAWAY: no stream is refused yet (RFC 9113 section 6.8)."""
        self._h2.close_connection(http2.ErrorCodes.NO_ERROR, last_stream_id=_LAST_STREAM_ID)

    def begin_drain(self) -> None:
        """Second half: streams the client opens from now on are refused, and may be tried elsewhere."""
        self._refuse_above = self._h2.highest_inbound_stream_id
        self._h2.close_connection(http2.ErrorCodes.NO_ERROR, last_stream_id=self._refuse_above)
