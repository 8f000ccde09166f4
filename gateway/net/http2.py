"""The one door to h2: the rest of the house says `from gateway.net import http2`, never imports h2 itself.

Server and client connections are made here so that limits, header and GOAWAY rules are set in one place.
"""

import struct
from collections import deque
from typing import Any, Final

from h2.config import H2Configuration
from h2.connection import ConnectionInputs, ConnectionState, H2Connection, H2ConnectionStateMachine
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    InformationalResponseReceived,
    PingAckReceived,
    PingReceived,
    PriorityUpdated,
    RemoteSettingsChanged,
    RequestReceived,
    ResponseReceived,
    SettingsAcknowledged,
    StreamEnded,
    StreamReset,
    TrailersReceived,
    UnknownFrameReceived,
    WindowUpdated,
)
from h2.exceptions import (
    FlowControlError,
    H2Error,
    NoAvailableStreamIDError,
    NoSuchStreamError,
    ProtocolError,
    StreamClosedError,
    TooManyStreamsError,
)
from h2.settings import SettingCodes, Settings
from h2.stream import StreamInputs

from .literal_hpack import TABLE_SIZE_ZERO
from .quick_frames import QuickData, QuickFrameBuffer, QuickHeaders
from .quick_hpack import QuickDecoder
from .quick_requests import opened, received

__all__ = [
    "ConnectionTerminated",
    "DataReceived",
    "ErrorCodes",
    "Event",
    "FlowControlError",
    "FrameIgnored",
    "H2Configuration",
    "H2Connection",
    "H2Error",
    "InformationalResponseReceived",
    "NoAvailableStreamIDError",
    "NoSuchStreamError",
    "PingAckReceived",
    "PingReceived",
    "PriorityUpdated",
    "ProtocolError",
    "RemoteSettingsChanged",
    "RequestReceived",
    "ResponseReceived",
    "ServerConnection",
    "SettingCodes",
    "Settings",
    "SettingsAcknowledged",
    "StreamClosedError",
    "StreamEnded",
    "StreamReset",
    "StreamingConnection",
    "TooManyStreamsError",
    "TrailersReceived",
    "UnknownFrameReceived",
    "WindowUpdated",
    "frame_head",
]


CLOSED_STREAMS_MAX: Final = 1_000
"""Of a connection, remembered: it only decides between two errors; the 65,536 of h2 would be 8 MB."""

_DATA, _HEADERS, _CONTINUATION = 0, 1, 9
_END_STREAM, _END_HEADERS = 1, 4
_FRAME_HEAD = struct.Struct(">HBBBL")


def frame_head(kind: int, flags: int, stream_id: int, length: int) -> bytes:
    """RFC 9113 section 4.1: length of three bytes, type, flags, stream."""
    return _FRAME_HEAD.pack(length >> 8, length & 0xFF, kind, flags, stream_id)


class _OutlivesGoaway(H2ConnectionStateMachine):
    """h2's connection states, except that a GOAWAY in either direction ends nothing.

    RFC 9113 section 6.8: streams up to the last id go on. h2 closes the whole connection instead, which would
    make a graceful drain impossible.
    """

    _transitions = {  # noqa: RUF012
        **H2ConnectionStateMachine._transitions,
        **{
            (state, goaway): (None, state)
            for state in (ConnectionState.IDLE, ConnectionState.CLIENT_OPEN, ConnectionState.SERVER_OPEN)
            for goaway in (ConnectionInputs.SEND_GOAWAY, ConnectionInputs.RECV_GOAWAY)
        },
    }


class _ClosedStreams(dict[int, Any]):
    """The latest so many. h2's own, an ordered dictionary with a method that looks after its size, takes ten
    times as long, with every stream."""

    def __init__(self, size_max: int) -> None:
        super().__init__()
        self._size_max = size_max
        self._order: deque[int] = deque()

    def __setitem__(self, stream_id: int, closed_by: Any) -> None:
        if stream_id not in self:
            self._order.append(stream_id)
            if len(self._order) > self._size_max:
                del self[self._order.popleft()]
        super().__setitem__(stream_id, closed_by)


class StreamingConnection(H2Connection):
    """An h2 connection for many messages on streams whose owner keeps their state, in either role.

    GOAWAY neither closes the state nor drops what waits to be sent. `forget` is called by the owner once a stream
    is over. `write_data` and `write_headers` are used in place of `send_data` and `send_headers`, which spend several
    times as long on checks that the owner has made already. Frames and header blocks arrive by the short ways of
    quick_frames and quick_hpack, requests moreover by that of quick_requests.
    """

    announce_empty_table = False
    """Set by the owner when the peer changes its table size: the next header block says that we use none."""

    MAX_CLOSED_STREAMS = CLOSED_STREAMS_MAX

    def __init__(self, settings: dict[SettingCodes, int], *, client_side: bool) -> None:
        """`settings` are in force from birth, without waiting for the peer's acknowledgement."""
        super().__init__(
            H2Configuration(
                client_side=client_side,
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
                validate_inbound_headers=client_side,
                normalize_inbound_headers=False,
            )
        )
        self.state_machine = _OutlivesGoaway()
        self._closed_streams = _ClosedStreams(self.MAX_CLOSED_STREAMS)
        self.incoming_buffer = QuickFrameBuffer(server=not client_side)
        self._frame_dispatch_table[QuickData] = self._receive_data_frame  # type: ignore[index]
        self._frame_dispatch_table[QuickHeaders] = self._receive_headers_frame  # type: ignore[index]
        self.decoder = QuickDecoder()
        self.local_settings = Settings(client=client_side, initial_values=settings)
        if self.local_settings.max_header_list_size is not None:
            self.decoder.max_header_list_size = self.local_settings.max_header_list_size
        self.max_inbound_frame_size = self.local_settings.max_frame_size

    @property
    def unsent_bytes(self) -> int:
        """How many bytes wait for `data_to_send`."""
        return len(self._data_to_send)

    @property
    def awaited_frame_bytes(self) -> int:
        """The announced length of a frame that is not here yet; 0 if there is none.

        h2 looks at the length only once the whole frame has arrived: the owner must not let it collect 16 MiB.
        """
        head = self.incoming_buffer._data[:3]
        return int.from_bytes(head, "big") if len(head) == 3 else 0

    def clear_outbound_data_buffer(self) -> None:
        """Keeps the buffer: h2 calls this on GOAWAY, when data of earlier streams may still wait in it."""

    def is_open(self, stream_id: int) -> bool:
        """Whether frames may still be sent on a stream.

        The state is that of everything received: while the owner works through the events of one read, a stream
        may have been reset by a later frame of the same read.
        """
        stream = self.streams.get(stream_id)
        return stream is not None and stream.open

    def forget(self, stream_id: int) -> None:
        """Drop the state of a stream that is over in both directions; a no-op for an unknown one."""
        stream = self.streams.pop(stream_id, None)
        if stream is not None:
            self._closed_streams[stream_id] = stream.closed_by

    def let_go(self) -> None:
        """The connection is over, and nothing arrives any more: what refers to itself is cut, so that it is freed
        with its owner and not by the garbage collector."""
        self._frame_dispatch_table.clear()

    def window_of(self, stream_id: int) -> int:
        """How many bytes of data may leave on a stream now; negative where the peer has shrunk its windows."""
        stream = self.streams[stream_id]
        window: int = min(self.outbound_flow_control_window, stream.outbound_flow_control_window)
        return window

    def write_data(self, stream_id: int, data: bytes | memoryview) -> int:
        """Queue as much of `data` as both windows allow, in frames as large as the peer takes; returns how much."""
        stream = self.streams[stream_id]
        size = min(len(data), max(0, self.window_of(stream_id)))
        most = self.max_outbound_frame_size
        out = self._data_to_send
        for start in range(0, size, most):
            part = data[start : min(start + most, size)]
            out += frame_head(_DATA, 0, stream_id, len(part))
            out += part
        stream.outbound_flow_control_window -= size
        self.outbound_flow_control_window -= size
        return size

    def write_answer(self, stream_id: int, headers: bytes, data: bytes | memoryview, trailers: bytes) -> bool:
        """Queue a whole answer and with it the end of a stream whose request has ended. False where it does not go in
        three frames now, and nothing is queued: the windows or the frames are too small, or a table size is to be told.
        """
        stream = self.streams[stream_id]
        size = len(data)
        room = min(self.outbound_flow_control_window, stream.outbound_flow_control_window, self.max_outbound_frame_size)
        if size > room or len(headers) + len(trailers) > self.max_outbound_frame_size or self.announce_empty_table:
            return False
        stream.state_machine.process_input(StreamInputs.SEND_END_STREAM)
        stream.outbound_flow_control_window -= size
        self.outbound_flow_control_window -= size
        self._data_to_send += b"".join(
            (
                frame_head(_HEADERS, _END_HEADERS, stream_id, len(headers)),
                headers,
                frame_head(_DATA, 0, stream_id, size),
                data,
                frame_head(_HEADERS, _END_HEADERS | _END_STREAM, stream_id, len(trailers)),
                trailers,
            )
        )
        return True

    def write_headers(self, stream_id: int, block: bytes, *, end_stream: bool = False) -> None:
        """Queue a header block made by `literal_block`, in as many frames as it needs; the stream must be open."""
        if self.announce_empty_table:
            self.announce_empty_table = False
            block = TABLE_SIZE_ZERO + block
        if end_stream:
            self.streams[stream_id].state_machine.process_input(StreamInputs.SEND_END_STREAM)
        size, most = len(block), self.max_outbound_frame_size
        flags = _END_STREAM if end_stream else 0
        if size <= most:
            self._data_to_send += frame_head(_HEADERS, flags | _END_HEADERS, stream_id, size) + block
            return
        kind = _HEADERS
        for start in range(0, size, most):
            part = block[start : start + most]
            flags |= _END_HEADERS if start + most >= size else 0
            self._data_to_send += frame_head(kind, flags, stream_id, len(part)) + part
            kind, flags = _CONTINUATION, 0


class FrameIgnored(Event):
    """A frame of which h2 says nothing, such as RST_STREAM or WINDOW_UPDATE on a stream that is over. It was handled
    all the same, and an owner that counts what frames cost must hear of it."""


class ServerConnection(StreamingConnection):
    """The answering side, whose owner bounds the streams and checks the header rules.

    Counting open streams is the owner's business: h2 walks over all of them for every new one and then kills the
    connection, where the owner can answer REFUSED_STREAM.
    """

    def __init__(self, settings: dict[SettingCodes, int]) -> None:
        super().__init__(settings, client_side=False)
        self.frames = 0
        """Whole frames received; a header block is one."""

    @property
    def mid_frame(self) -> bool:
        """Whether a frame, a header block or the preface has begun and is not here whole."""
        arriving = self.incoming_buffer
        return bool(arriving._data or arriving._headers_buffer or arriving._preamble_len)

    @property
    def header_block_bytes(self) -> int:
        """Of a header block whose end has not come; h2 itself bounds only the number of its frames."""
        return sum(len(part.data) for part in self.incoming_buffer._headers_buffer)

    def _receive_frame(self, frame: Any) -> list[Event]:
        self.frames += 1
        kind = type(frame)
        events: list[Event] | None = None
        if kind is QuickData:
            events = received(self, frame)
        elif kind is QuickHeaders:
            events = opened(self, frame)
        if events is None:
            events = super()._receive_frame(frame)
        return events or [FrameIgnored()]

    @property
    def open_inbound_streams(self) -> int:
        """Always 0: the owner counts, and refuses single streams rather than the connection."""
        return 0
