"""HTTP/2 towards a bank, without I/O (RFC 9113)."""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from gateway.connector.link import Ending
from gateway.connector.wire import Answered, Failed, WireEvent
from gateway.core.ports import WireAnswer, WireRequest
from gateway.limits import ANSWER_BYTES_MAX, ANSWER_HEADER_BYTES_MAX
from gateway.net import http2
from gateway.net.http2_client import ClientConnection, GoAway
from gateway.net.literal_hpack import literal_block

STREAM_WINDOW_BYTES: Final = 1024 * 1024  # most answers arrive without waiting for a WINDOW_UPDATE
CONNECTION_WINDOW_BYTES: Final = 8 * 1024 * 1024
ANSWERS_BYTES_MAX: Final = 8 * ANSWER_BYTES_MAX  # of all unfinished answers of one session together
FLUSH_BYTES: Final = 256 * 1024  # framed at once, so that a large body does not delay the HEADERS of others
METHODS_KEPT_MAX: Final = 8  # whose standing fields are kept encoded
FIELDS_ENCODED_MAX: Final = 256  # encoded, some 100 KB: of all banks, and the lengths of bodies that recur
STATUS_DIGITS: Final = 3  # RFC 9110 section 15
PING_DATA: Final = b"causeway"
STREAM_ID_MAX: Final = 2**31 - 1  # RFC 9113 section 5.1.1; exchanges_per_session_max and the age come long before it


class _Stream:
    """One exchange: what is still to be sent, what has come."""

    def __init__(self, body: bytes) -> None:
        self.unsent = memoryview(body)
        self.answer_begun = False
        self.status = 0
        self.headers: tuple[tuple[str, str], ...] = ()
        self.chunks: list[bytes] = []
        self.size = 0
        self.owed = 0  # of this stream's window, to be given back


class Http2Wire:
    """Keys are stream ids."""

    idle_s_max = math.inf

    def __init__(self, authority: str, streams_max: int) -> None:
        self._authority = authority
        self._streams_max = streams_max
        self._connection = ClientConnection(
            stream_window_bytes=STREAM_WINDOW_BYTES, header_bytes_max=ANSWER_HEADER_BYTES_MAX
        )
        self._streams: dict[int, _Stream] = {}
        self._unsent: dict[int, None] = {}  # streams with body left to send, oldest first
        self._answers_bytes = 0
        self._heads: dict[str, bytes] = {}
        self._allowed = 0  # streams open at once; until the bank's SETTINGS, none
        self._owed = 0  # of the connection's window, to be given back
        self._events: list[WireEvent] = []
        self.ready = False
        self.draining = False
        self.finished = False
        self._handlers: dict[type, Callable[[Any], None]] = {
            GoAway: self._on_goaway,
            http2.RemoteSettingsChanged: self._on_settings,
            http2.InformationalResponseReceived: self._on_informational,
            http2.ResponseReceived: self._on_response,
            http2.DataReceived: self._on_data,
            http2.StreamEnded: self._on_end,
            http2.StreamReset: self._on_reset,
        }

    @property
    def room(self) -> int:
        if self.draining or self.finished or not self.ready:
            return 0
        return self._allowed - len(self._streams)

    @property
    def open(self) -> int:
        return len(self._streams)

    @property
    def control_bytes(self) -> int:
        return self._connection.unsent_bytes

    @property
    def wants_send(self) -> bool:
        return self._connection.unsent_bytes > 0 or bool(self._unsent)

    def greet(self) -> None:
        self._connection.initiate_connection()
        self._connection.increment_flow_control_window(CONNECTION_WINDOW_BYTES)

    def begin(self, request: WireRequest) -> int:
        block = self._head_of(request.method) + _field(":path", request.path)
        for name, value in request.headers:
            block += _field(name, value)
        if request.body:
            block += _field("content-length", str(len(request.body)))
        stream_id = self._connection.open(block, request.method.encode("ascii"), end_stream=not request.body)
        self._streams[stream_id] = _Stream(request.body)
        if request.body:
            self._unsent[stream_id] = None
        if stream_id + 2 > STREAM_ID_MAX:
            self.draining = True  # stream ids are used up (RFC 9113 section 5.1.1)
        return stream_id

    def _head_of(self, method: str) -> bytes:
        """The fields that are the same for all requests of a method."""
        head = self._heads.get(method)
        if head is None:
            fields = ((b":method", method), (b":scheme", "https"), (b":authority", self._authority))
            head = literal_block([(name, value.encode("latin-1")) for name, value in fields])
            if len(self._heads) < METHODS_KEPT_MAX:
                self._heads[method] = head
        return head

    def receive(self, data: bytes) -> list[WireEvent]:
        try:
            for event in self._connection.feed(data):
                handler = self._handlers.get(type(event))
                if handler is not None:
                    handler(event)
        except http2.ProtocolError as error:
            self.finished = True
            self._end_all(Ending.PROTOCOL_BROKEN, Ending.PROTOCOL_BROKEN, type(error).__name__)
        return self._take_events()

    def end(self, *, clean: bool) -> list[WireEvent]:
        self.finished = True
        detail = "closed by the bank" if clean else "cut off"
        self._end_all(Ending.CONNECTION_LOST, Ending.ANSWER_CUT, detail)
        return self._take_events()

    def abandon(self, key: int) -> None:
        if self._forget(key) is not None:
            self._reset(key)

    def ping(self) -> bool:
        self._connection.ping(PING_DATA)
        return True

    def say_goodbye(self) -> None:
        self.finished = True
        self._connection.close_connection()

    def bytes_to_send(self) -> bytes:
        self._push_bodies()
        return self._connection.data_to_send()

    # ------------------------------------------------------------ sending

    def _push_bodies(self) -> None:
        """Frame body bytes as far as the windows and FLUSH_BYTES allow, a frame of each stream in turn."""
        waiting = list(self._unsent) if self._may_push else []
        while waiting and self._may_push:
            waiting = [stream_id for stream_id in waiting if self._push_frame(stream_id)]

    @property
    def _may_push(self) -> bool:
        connection = self._connection
        return (
            connection.unsent_bytes < FLUSH_BYTES and connection.outbound_flow_control_window > 0 and not self.finished
        )

    def _push_frame(self, stream_id: int) -> bool:
        """Whether more of this body could be sent at once."""
        stream = self._streams[stream_id]
        size = self._connection.write_body(stream_id, stream.unsent)
        if not size:
            return False
        stream.unsent = stream.unsent[size:]
        if not stream.unsent:
            del self._unsent[stream_id]
        return bool(stream.unsent)

    def _reset(self, stream_id: int) -> None:
        try:
            self._connection.reset_stream(stream_id, http2.ErrorCodes.CANCEL)
        except http2.ProtocolError:
            pass  # it is closed on both sides already: there is nothing left to reset
        self._connection.forget(stream_id)

    # ------------------------------------------------------------ receiving

    def _on_settings(self, _event: http2.RemoteSettingsChanged) -> None:
        self.ready = True
        self._allowed = min(self._streams_max, self._connection.remote_settings.max_concurrent_streams)

    def _on_informational(self, event: http2.InformationalResponseReceived) -> None:
        stream = self._streams.get(event.stream_id)
        if stream is not None:
            stream.answer_begun = True  # whoever says "103" has looked at the request: no refusal is a proof after it

    def _on_response(self, event: http2.ResponseReceived) -> None:
        stream = self._streams.get(event.stream_id)
        if stream is None:
            return
        stream.answer_begun = True
        (_, status), *fields = event.headers  # response_rules let nothing but one :status stand first
        stream.status = int(status) if len(status) == STATUS_DIGITS and status.isdigit() else 0
        stream.headers = tuple([(str(name, "latin-1"), str(value, "latin-1")) for name, value in fields])

    def _on_data(self, event: http2.DataReceived) -> None:
        self._owed += event.flow_controlled_length
        if self._owed >= CONNECTION_WINDOW_BYTES // 2:
            self._connection.increment_flow_control_window(self._owed)
            self._owed = 0
        stream = self._streams.get(event.stream_id)
        if stream is None:
            return
        stream.owed += event.flow_controlled_length
        if stream.owed >= STREAM_WINDOW_BYTES // 2 and event.stream_ended is None:
            self._connection.increment_flow_control_window(stream.owed, event.stream_id)
            stream.owed = 0
        stream.chunks.append(event.data)
        stream.size += len(event.data)
        self._answers_bytes += len(event.data)
        if stream.size > ANSWER_BYTES_MAX or self._answers_bytes > ANSWERS_BYTES_MAX:
            self._fail(event.stream_id, Ending.ANSWER_TOO_LARGE)
            self._reset(event.stream_id)

    def _on_end(self, event: http2.StreamEnded) -> None:
        unfinished = event.stream_id in self._unsent
        stream = self._forget(event.stream_id)
        if stream is None:
            return
        if not 200 <= stream.status <= 999:
            self._events.append(Failed(event.stream_id, Ending.PROTOCOL_BROKEN, "no final status"))
        else:
            answer = WireAnswer(stream.status, stream.headers, b"".join(stream.chunks))
            self._events.append(Answered(event.stream_id, answer))
        if unfinished:  # the bank answered without waiting for the whole request (RFC 9113 section 8.1)
            self._reset(event.stream_id)

    def _on_reset(self, event: http2.StreamReset) -> None:
        stream = self._streams.get(event.stream_id)
        if stream is None:
            return
        refused = event.error_code == http2.ErrorCodes.REFUSED_STREAM and not stream.answer_begun
        ending = Ending.STREAM_REFUSED if refused else Ending.STREAM_RESET
        self._fail(event.stream_id, ending, _name(event.error_code))

    def _on_goaway(self, event: GoAway) -> None:
        self.draining = True
        for stream_id in [each for each in self._streams if each > event.last_stream_id]:
            begun = self._streams[stream_id].answer_begun  # a bank that contradicts itself proves nothing
            ending = Ending.STREAM_RESET if begun else Ending.ABOVE_GOAWAY
            self._fail(stream_id, ending, f"GOAWAY {_name(event.error_code)}")

    # ------------------------------------------------------------ ends

    def _end_all(self, before: Ending, inside: Ending, detail: str) -> None:
        for stream_id, stream in list(self._streams.items()):
            self._fail(stream_id, inside if stream.answer_begun else before, detail)

    def _fail(self, stream_id: int, ending: Ending, detail: str = "") -> None:
        self._forget(stream_id)
        self._events.append(Failed(stream_id, ending, detail))

    def _forget(self, stream_id: int) -> _Stream | None:
        self._unsent.pop(stream_id, None)
        stream = self._streams.pop(stream_id, None)
        if stream is not None:
            self._answers_bytes -= stream.size
            self._connection.forget(stream_id)
        return stream

    def _take_events(self) -> list[WireEvent]:
        events, self._events = self._events, []
        return events


@lru_cache(maxsize=FIELDS_ENCODED_MAX)
def _field(name: str, value: str) -> bytes:
    """A field as it stands on the wire: most are the same in every request to a bank."""
    return literal_block(((name.encode("ascii"), value.encode("latin-1")),))


def _name(code: int | None) -> str:
    try:
        return http2.ErrorCodes(code or 0).name
    except ValueError:
        return f"error {code}"
