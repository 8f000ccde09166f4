"""The client's side of one connection without any I/O: requests go out in batches, answers come in as events."""

from typing import Final

import grpc

from gateway.net import http2

from .events import GoneAway
from .framing import MessageReader
from .limits import ServerLimits
from .metadata import NO_HEAD, MalformedMetadata, Metadata, MetadataValue, decode_field
from .session import Session
from .status import Status, percent_decode
from .stream import Stream

_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}
# "gRPC over HTTP/2", Errors: what a reset means for the call.
_RESET_CODES: Final = {
    http2.ErrorCodes.REFUSED_STREAM: grpc.StatusCode.UNAVAILABLE,
    http2.ErrorCodes.CANCEL: grpc.StatusCode.CANCELLED,
    http2.ErrorCodes.ENHANCE_YOUR_CALM: grpc.StatusCode.RESOURCE_EXHAUSTED,
}
# "HTTP to gRPC status code mapping", for answers that did not come from a gRPC server.
_HTTP_CODES: Final = {
    "400": grpc.StatusCode.INTERNAL,
    "401": grpc.StatusCode.UNAUTHENTICATED,
    "403": grpc.StatusCode.PERMISSION_DENIED,
    "404": grpc.StatusCode.UNIMPLEMENTED,
    "429": grpc.StatusCode.UNAVAILABLE,
    "502": grpc.StatusCode.UNAVAILABLE,
    "503": grpc.StatusCode.UNAVAILABLE,
    "504": grpc.StatusCode.UNAVAILABLE,
}
_PROTOCOL_FIELDS: Final = frozenset(
    (":status", "content-type", "grpc-status", "grpc-message", "grpc-encoding", "grpc-accept-encoding")
)


class ClientStream(Stream):
    """One call of ours. `initial_metadata` is None until the server has begun; `status` until the call is over."""

    __slots__ = ("initial_metadata", "status")

    def __init__(self, stream_id: int, reader: MessageReader) -> None:
        super().__init__(stream_id, NO_HEAD, reader)
        self.initial_metadata: Metadata | None = None
        self.status: Status | None = None


class ClientSession(Session[ClientStream]):
    """One connection to a server. `last_stream_id` is set by its GOAWAY; calls above it were not processed."""

    def __init__(self, limits: ServerLimits, now: float) -> None:
        connection = http2.StreamingConnection(
            {
                http2.SettingCodes.ENABLE_PUSH: 0,
                http2.SettingCodes.INITIAL_WINDOW_SIZE: limits.stream_window_bytes,
                http2.SettingCodes.MAX_FRAME_SIZE: limits.frame_bytes,
                http2.SettingCodes.MAX_HEADER_LIST_SIZE: limits.header_list_bytes,
            },
            client_side=True,
        )
        super().__init__(connection, limits, now)
        self.last_stream_id: int | None = None
        self._on |= {
            http2.ResponseReceived: self._on_response,
            http2.TrailersReceived: self._on_trailers,
            http2.ConnectionTerminated: self._on_goaway,
        }

    @property
    def has_room(self) -> bool:
        """Whether the server lets us open one more stream."""
        return len(self.streams) < self._connection.remote_settings.max_concurrent_streams

    def open(self, headers: list[tuple[bytes, bytes]]) -> ClientStream:
        """Begin a call; check `has_room` and `last_stream_id` first.

        Raises:
            http2.NoAvailableStreamIDError: if this connection has used up its streams.
        """
        stream_id = self._connection.get_next_available_stream_id()
        stream = ClientStream(stream_id, MessageReader(self.limits.max_receive_message_bytes, gzip=False))
        self._connection.send_headers(stream_id, headers)
        stream.began = True
        self.streams[stream_id] = stream
        return stream

    def end(self, stream: ClientStream) -> None:
        """Half-close behind what is queued."""
        if not stream.closed and stream.trailers is None:
            stream.trailers = b""
            self._mark(stream)

    def cancel(self, stream: ClientStream) -> None:
        """Leave the call: the server cancels its handler."""
        self.reset(stream, http2.ErrorCodes.CANCEL)

    def _send_headers(self, stream: ClientStream, headers: bytes) -> None:
        raise AssertionError("requests begin with `open`")

    def _send_trailers(self, stream: ClientStream, trailers: bytes) -> None:
        stream.trailers = None
        self._connection.end_stream(stream.id)
        if stream.ended:
            self._close(stream)

    def _on_response(self, event: http2.ResponseReceived) -> None:
        stream = self.streams.get(event.stream_id)
        if stream is None:
            return
        fields = _fields(event.headers)
        stream.initial_metadata = _metadata(event.headers)
        stream.reader = MessageReader(self.limits.max_receive_message_bytes, gzip=fields.get("grpc-encoding") == "gzip")
        if event.stream_ended is not None or fields.get(":status") != "200":
            stream.status = _status(fields, stream.initial_metadata)
            stream.initial_metadata = ()
        self._readable(stream)

    def _on_trailers(self, event: http2.TrailersReceived) -> None:
        stream = self.streams.get(event.stream_id)
        if stream is not None:
            stream.status = _status(_fields(event.headers), _metadata(event.headers))

    def _on_end(self, event: http2.StreamEnded) -> None:
        stream = self.streams.get(event.stream_id)
        if stream is None:
            return
        stream.turn = 0  # its reader must hear of the status even if it has been told of messages
        super()._on_end(event)
        if stream.status is None:
            stream.status = Status(grpc.StatusCode.UNKNOWN, "the answer ends without a status")
        if stream.closed:
            return
        # Nobody reads what we might still have to say.
        inbox, stream.inbox = stream.inbox, []
        self.reset(stream, http2.ErrorCodes.CANCEL)
        stream.inbox = inbox

    def _break(self, stream: ClientStream, status: Status) -> None:
        stream.status = status
        super()._break(stream, status)
        self.cancel(stream)

    def _on_reset(self, event: http2.StreamReset) -> None:
        stream = self.streams.get(event.stream_id)
        if stream is not None and stream.status is None:
            code = _RESET_CODES.get(http2.ErrorCodes(event.error_code or 0), grpc.StatusCode.INTERNAL)
            stream.status = Status(code, f"stream reset with code {event.error_code}")
        super()._on_reset(event)

    def _on_goaway(self, event: http2.ConnectionTerminated) -> None:
        self.last_stream_id = event.last_stream_id or 0
        reason = (event.additional_data or b"").decode("utf-8", "replace")
        self._events.append(GoneAway(self.last_stream_id, int(event.error_code or 0), reason))


def _fields(headers: list[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}


def _metadata(headers: list[tuple[bytes, bytes]]) -> Metadata:
    metadata: list[tuple[str, MetadataValue]] = []
    for name, value in headers:
        if name.decode("latin-1") in _PROTOCOL_FIELDS:
            continue
        try:
            metadata.extend(decode_field(name, value))
        except MalformedMetadata:
            # A server's broken metadata must not hide the status that comes with it.
            continue
    return tuple(metadata)


def _status(fields: dict[str, str], metadata: Metadata) -> Status:
    message = percent_decode(fields.get("grpc-message", "").encode("latin-1"))
    number = fields.get("grpc-status")
    if number is not None:
        code = _CODES.get(int(number) if number.isdigit() else -1, grpc.StatusCode.UNKNOWN)
        return Status(code, message, metadata)
    http_status = fields.get(":status", "none")
    code = _HTTP_CODES.get(http_status, grpc.StatusCode.UNKNOWN)
    return Status(code, f"HTTP status {http_status} and no grpc-status", metadata)
