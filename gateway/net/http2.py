"""The one door to h2: the rest of the house says `from gateway.net import http2` and never imports h2 itself.

Server and client connections are made here so that limits, header rules and the GOAWAY rule are set in one place.
"""

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

from .literal_hpack import LiteralEncoder

__all__ = [
    "ConnectionTerminated",
    "DataReceived",
    "ErrorCodes",
    "Event",
    "FlowControlError",
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
    "TooManyStreamsError",
    "TrailersReceived",
    "UnknownFrameReceived",
    "WindowUpdated",
]


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


class ServerConnection(H2Connection):
    """An h2 server connection whose owner bounds the streams and checks the header rules.

    * `local_settings` given at birth are in force at once, without waiting for the peer's acknowledgement: the
      header list limit must hold for the first request already.
    * Counting open streams is the owner's business (h2 walks over all of them for every new one and then kills
      the connection; the owner can answer REFUSED_STREAM). So is `forget`, once a stream is over.
    * GOAWAY neither closes the state nor drops what waits to be sent.
    * Answers are encoded without a table, see `literal_hpack`.
    """

    # What is remembered of ended streams only decides between two error codes; 65,536 of them would be 8 MB.
    MAX_CLOSED_STREAMS = 1_000

    def __init__(self, settings: dict[SettingCodes, int]) -> None:
        super().__init__(
            H2Configuration(
                client_side=False,
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
                validate_inbound_headers=False,
                normalize_inbound_headers=False,
            )
        )
        self.state_machine = _OutlivesGoaway()
        self.encoder = LiteralEncoder()  # type: ignore[assignment]  # the two members h2 uses are there
        self.local_settings = Settings(client=False, initial_values=settings)
        self.decoder.max_header_list_size = self.local_settings.max_header_list_size or 0
        self.max_inbound_frame_size = self.local_settings.max_frame_size

    @property
    def open_inbound_streams(self) -> int:
        """Always 0: the owner counts, and refuses single streams rather than the connection."""
        return 0

    @property
    def unsent_bytes(self) -> int:
        """How many bytes wait for `data_to_send`."""
        return len(self._data_to_send)

    def clear_outbound_data_buffer(self) -> None:
        """Keeps the buffer: h2 calls this on GOAWAY, when answers to earlier streams may still wait in it."""

    def forget(self, stream_id: int) -> None:
        """Drop the state of a stream that is over in both directions; a no-op for an unknown one."""
        stream = self.streams.pop(stream_id, None)
        if stream is not None:
            self._closed_streams[stream_id] = stream.closed_by
