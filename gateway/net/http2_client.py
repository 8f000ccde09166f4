"""The client's half of an HTTP/2 connection, with GOAWAY as RFC 9113 means it.

h2 (4.4.1) closes its whole state machine on any GOAWAY, also the polite one: after it, answers of streams that the
server promised to finish are a ProtocolError, and what waited to be sent is thrown away. So GOAWAY never reaches h2.
We cut the incoming bytes into frames (nine bytes of header each, RFC 9113 section 4.1), keep GOAWAY for ourselves and
hand everything else on, frame by frame. That also keeps what h2 understood before a frame that it refuses: an answer
that was complete stays an answer, whatever garbage follows it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import Event
from h2.exceptions import FrameTooLargeError
from h2.settings import SettingCodes, Settings

HEADER_BYTES: Final = 9
KIND_HEADERS: Final = 0x1
KIND_PUSH_PROMISE: Final = 0x5
KIND_GOAWAY: Final = 0x7
KIND_CONTINUATION: Final = 0x9
FLAG_END_HEADERS: Final = 0x4
GOAWAY_BYTES_MIN: Final = 8


@dataclass(frozen=True, slots=True)
class GoAway:
    """The server takes no new streams. It may still finish those up to `last_stream_id`, and touched none above."""

    last_stream_id: int
    error_code: int


class ClientConnection(H2Connection):
    """An H2Connection that is fed by `feed` and never sees a GOAWAY. Header names and values come as bytes; those
    that are sent must be valid already."""

    def __init__(self, *, stream_window_bytes: int, header_bytes_max: int) -> None:
        # What we send is checked before it comes here; normalising stays, as it keeps credentials out of the table.
        super().__init__(H2Configuration(client_side=True, header_encoding=False, validate_outbound_headers=False))
        self.local_settings = Settings(
            client=True,
            initial_values={
                SettingCodes.ENABLE_PUSH: 0,
                SettingCodes.INITIAL_WINDOW_SIZE: stream_window_bytes,
                SettingCodes.MAX_HEADER_LIST_SIZE: header_bytes_max,
            },
        )
        self.decoder.max_header_list_size = header_bytes_max
        self._inbound = bytearray()
        self._in_header_block = False

    @property
    def outbound_bytes(self) -> int:
        """Bytes that wait for data_to_send()."""
        return len(self._data_to_send)

    def feed(self, data: bytes) -> Iterator[Event | GoAway]:
        """What the bytes mean, in order. Raises h2's ProtocolError at the frame that is wrong, after everything that
        came before it; the connection is then at its end. The caller iterates to the end."""
        self._inbound += data
        while len(self._inbound) >= HEADER_BYTES:
            length = int.from_bytes(self._inbound[:3], "big")
            if length > self.max_inbound_frame_size:  # h2 would first collect it
                raise FrameTooLargeError(f"a frame of {length} bytes")
            if len(self._inbound) < HEADER_BYTES + length:
                return
            frame = bytes(self._inbound[: HEADER_BYTES + length])
            del self._inbound[: HEADER_BYTES + length]
            if self._is_goaway(frame):
                yield GoAway(
                    last_stream_id=int.from_bytes(frame[9:13], "big") & 0x7FFF_FFFF,
                    error_code=int.from_bytes(frame[13:17], "big"),
                )
            else:
                yield from self.receive_data(frame)

    def _is_goaway(self, frame: bytes) -> bool:
        """Whether this is a well-formed GOAWAY in a place where one may be. All others are left to h2 to refuse."""
        kind, flags = frame[3], frame[4]
        if kind in (KIND_HEADERS, KIND_PUSH_PROMISE, KIND_CONTINUATION):
            self._in_header_block = not flags & FLAG_END_HEADERS
        on_connection = not int.from_bytes(frame[5:9], "big") & 0x7FFF_FFFF
        whole = len(frame) >= HEADER_BYTES + GOAWAY_BYTES_MIN
        return kind == KIND_GOAWAY and on_connection and whole and not self._in_header_block
