"""The client's half of an HTTP/2 connection, with GOAWAY as RFC 9113 means it.

h2 (4.4.1) closes its whole state machine on any GOAWAY, also the polite one: after it, answers of streams that the
server promised to finish are a ProtocolError, and what waited to be sent is thrown away. So GOAWAY never reaches h2's
state machine: we keep it for ourselves. And frames are taken one by one: what h2 understood before a frame that it
refuses stays understood, so an answer that was complete stays an answer, whatever garbage follows it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from h2.connection import AllowedStreamIDs, ConnectionInputs
from h2.errors import ErrorCodes
from h2.events import Event, InformationalResponseReceived, RemoteSettingsChanged, ResponseReceived, TrailersReceived
from h2.exceptions import ProtocolError, TooManyStreamsError
from h2.settings import SettingCodes
from h2.stream import StreamInputs
from hyperframe.exceptions import InvalidPaddingError
from hyperframe.frame import Frame, GoAwayFrame, HeadersFrame, SettingsFrame

from .http2 import StreamingConnection, frame_head
from .quick_answers import begun, continued
from .quick_frames import QuickData, QuickHeaders
from .response_rules import flaw_of_fields

KIND_DATA: Final = 0x0
FLAG_END_STREAM: Final = 0x1
CLOSED_STREAMS_MAX: Final = 65_536
"""A late answer on a stream that we have reset must be known as such: on a stream nobody remembers, it is an error of
the whole connection. So more are remembered than the server's side has to; some 8 MB."""
STREAM_ID_MASK: Final = 0x7FFF_FFFF  # hyperframe leaves the reserved bit in


@dataclass(frozen=True, slots=True)
class GoAway:
    """The server takes no new streams. It may still finish those up to `last_stream_id`, and touched none above."""

    last_stream_id: int
    error_code: int


class ClientConnection(StreamingConnection):
    """An HTTP/2 client that is fed by `feed` and whose requests are written by `open` and `write_body`. Header names
    and values come as bytes; those that are sent must be valid already."""

    MAX_CLOSED_STREAMS = CLOSED_STREAMS_MAX

    def __init__(self, *, stream_window_bytes: int, header_bytes_max: int) -> None:
        super().__init__(
            {
                SettingCodes.ENABLE_PUSH: 0,
                SettingCodes.INITIAL_WINDOW_SIZE: stream_window_bytes,
                SettingCodes.MAX_HEADER_LIST_SIZE: header_bytes_max,
            },
            client_side=True,
        )
        self.config.validate_inbound_headers = False  # response_rules does
        self._frame_dispatch_table[GoAwayFrame] = self._keep_goaway

    def open(self, block: bytes, method: bytes, *, end_stream: bool) -> int:
        """Begin a request with this header block (literal_hpack); returns its stream. Raises TooManyStreamsError where
        the server allows no more, and NoAvailableStreamIDError; nothing was written then."""
        allowed = self.remote_settings.max_concurrent_streams
        if len(self.streams) >= allowed and self.open_outbound_streams >= allowed:
            raise TooManyStreamsError(f"the server allows {allowed} streams")
        stream_id = self.get_next_available_stream_id()
        self.state_machine.process_input(ConnectionInputs.SEND_HEADERS)
        stream = self._begin_new_stream(stream_id, AllowedStreamIDs.ODD)
        stream.state_machine.process_input(StreamInputs.SEND_HEADERS)
        stream.request_method = method  # an answer to HEAD has a content-length and no content
        self.write_headers(stream_id, block, end_stream=end_stream)
        return stream_id

    def write_body(self, stream_id: int, rest: memoryview) -> int:
        """Queue one frame of what is left of a body, as large as the windows and the server allow; END_STREAM is on
        the last one. Returns its size, 0 where no window is open. Raises ProtocolError if the stream is over."""
        stream = self.streams[stream_id]
        size = min(len(rest), self.max_outbound_frame_size, self.window_of(stream_id))
        if size <= 0:  # negative after a SETTINGS change
            return 0
        last = size == len(rest)
        stream.state_machine.process_input(StreamInputs.SEND_END_STREAM if last else StreamInputs.SEND_DATA)
        self._data_to_send += frame_head(KIND_DATA, FLAG_END_STREAM if last else 0, stream_id, size)
        self._data_to_send += rest[:size]
        stream.outbound_flow_control_window -= size
        self.outbound_flow_control_window -= size
        return size

    def forget(self, stream_id: int) -> None:
        """Drop the state of a stream if it is over in both directions."""
        stream = self.streams.get(stream_id)
        if stream is not None and stream.closed:
            super().forget(stream_id)

    def feed(self, data: bytes) -> Iterator[Event | GoAway]:
        """What the bytes mean, in order. Raises h2's ProtocolError at the frame that is wrong, after everything that
        came before it; the connection is then at its end. The caller iterates to the end."""
        self.incoming_buffer.add_data(data)
        self.incoming_buffer.max_frame_size = self.max_inbound_frame_size
        try:
            for frame in self.incoming_buffer:
                yield from self._receive_frame(frame)
        except InvalidPaddingError as error:
            self._terminate_connection(ErrorCodes.PROTOCOL_ERROR)
            raise ProtocolError("invalid padding") from error
        except ProtocolError as error:
            self._terminate_connection(error.error_code)
            raise

    def _receive_frame(self, frame: Any) -> list[Event]:
        events: list[Event] | None = None
        if type(frame) is QuickData:
            events = continued(self, frame)
        elif type(frame) is QuickHeaders:
            events = begun(self, frame)
            if events is not None:
                self._check_fields(events[0])
        return super()._receive_frame(frame) if events is None else events

    def _receive_headers_frame(self, frame: HeadersFrame) -> tuple[list[Frame], list[Event]]:
        frames, events = super()._receive_headers_frame(frame)
        self._check_fields(events[0])  # of this block; StreamEnded may follow
        return frames, events

    def _check_fields(self, event: Event) -> None:
        """Raises ProtocolError where these are no fields of an answer."""
        if not isinstance(event, ResponseReceived | InformationalResponseReceived | TrailersReceived):
            raise ProtocolError("a request, from a server")
        flaw = flaw_of_fields(event.headers, trailers=isinstance(event, TrailersReceived))
        if flaw:
            raise ProtocolError(f"an answer with a flaw: {flaw}")

    def _receive_settings_frame(self, frame: SettingsFrame) -> tuple[list[Frame], list[Event]]:
        frames, events = super()._receive_settings_frame(frame)
        for event in events:
            if isinstance(event, RemoteSettingsChanged) and SettingCodes.HEADER_TABLE_SIZE in event.changed_settings:
                self.announce_empty_table = True
        return frames, events

    def _keep_goaway(self, frame: GoAwayFrame) -> tuple[list[Frame], list[GoAway]]:
        """Only a well-formed GOAWAY comes here: hyperframe and h2's buffer have refused all others."""
        return [], [GoAway(frame.last_stream_id & STREAM_ID_MASK, frame.error_code)]
