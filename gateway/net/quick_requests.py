"""The short way of an everyday request through h2: HEADERS that open a stream, and DATA on it.

h2 asks three tables and makes eight lists for them. Here stand the same steps, as they come out in the one case that
nearly every frame is: a new stream of the client's on an open connection, and a stream that is open. What is told and
what is kept afterwards (states, windows, lengths) is h2's own, to the last field; tests/net/test_quick_requests.py puts
the same bytes to both. Whatever is different in any way goes h2's way from the beginning, and so do all errors but
those of HPACK and of windows, which are h2's own as well.
"""

from typing import Final

from h2.connection import ConnectionState, H2Connection, _decode_headers
from h2.events import DataReceived, Event, RequestReceived, StreamEnded
from h2.stream import H2Stream, StreamState

from .quick_frames import QuickData, QuickHeaders

_TELLING: Final = frozenset((b":status", b"content-length"))
"""Fields that h2 draws conclusions from; a request of gRPC has none of them."""


def opened(connection: H2Connection, frame: QuickHeaders) -> list[Event] | None:
    """What HEADERS say that open a stream; None where they do not, and nothing is done. The owner counts open streams,
    see ServerConnection.

    Raises ProtocolError and its kinds where the block cannot be decoded.
    """
    stream_id = frame.stream_id
    if stream_id <= connection.highest_inbound_stream_id or not stream_id & 1:
        return None
    if connection.state_machine.state is not ConnectionState.SERVER_OPEN:
        return None
    headers = _decode_headers(connection.decoder, frame.data)
    stream = H2Stream(
        stream_id,
        config=connection.config,
        inbound_window_size=connection.local_settings.initial_window_size,
        outbound_window_size=connection.remote_settings.initial_window_size,
    )
    stream.max_outbound_frame_size = connection.max_outbound_frame_size
    connection.streams[stream_id] = stream
    connection.highest_inbound_stream_id = stream_id
    for name, _ in headers:
        if name in _TELLING:
            frames, events = stream.receive_headers(headers, "END_STREAM" in frame.flags, None)
            connection._prepare_for_sending(frames)
            return events
    machine = stream.state_machine
    machine.client = False
    machine.headers_received = True
    event = RequestReceived(stream_id=stream_id)
    event.headers = list(headers)
    if not frame.flags:
        machine.state = StreamState.OPEN
        return [event]
    machine.state = StreamState.HALF_CLOSED_REMOTE
    event.stream_ended = StreamEnded(stream_id=stream_id)
    return [event, event.stream_ended]


def received(connection: H2Connection, frame: QuickData) -> list[Event] | None:
    """What DATA say on an open stream without an announced length; None on any other, and nothing is done.

    Raises FlowControlError where they overrun a window.
    """
    stream = connection.streams.get(frame.stream_id)
    if stream is None or stream._expected_content_length is not None:
        return None
    machine = stream.state_machine
    if machine.state is not StreamState.OPEN or connection.state_machine.state is not ConnectionState.SERVER_OPEN:
        return None
    size = frame.flow_controlled_length
    connection._inbound_flow_control_window_manager.window_consumed(size)
    stream._inbound_window_manager.window_consumed(size)
    stream._actual_content_length += size
    event = DataReceived(stream_id=frame.stream_id)
    event.data = frame.data
    event.flow_controlled_length = size
    if not frame.flags:
        return [event]
    machine.state = StreamState.HALF_CLOSED_REMOTE
    event.stream_ended = StreamEnded(stream_id=frame.stream_id)
    return [event, event.stream_ended]
