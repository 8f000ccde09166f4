"""The short way of an everyday answer through h2: the HEADERS that begin it, and DATA behind them.

h2 asks its tables for each of the two and makes half a dozen lists and objects on the way. Here stand the same steps,
as they come out on a stream whose request was sent and whose answer is not over, on an open connection. What is told
and what is kept afterwards (states, windows, lengths) is h2's own; tests/net/test_quick_answers.py puts the same bytes
to both. Whatever is different in any way goes h2's way from the beginning; errors are h2's own.
"""

from typing import Final

from h2.connection import ConnectionState, H2Connection, _decode_headers
from h2.events import DataReceived, Event, ResponseReceived, StreamEnded
from h2.stream import H2Stream, StreamClosedBy, StreamState
from h2.utilities import is_informational_response

from .quick_frames import QuickData, QuickHeaders

_ANSWERABLE: Final = frozenset((StreamState.OPEN, StreamState.HALF_CLOSED_LOCAL))


def begun(connection: H2Connection, frame: QuickHeaders) -> list[Event] | None:
    """What HEADERS say that begin an answer with content; None for any others, and nothing is done.

    Raises ProtocolError and its kinds where the block cannot be decoded or announces no length that is one.
    """
    stream = _awaiting(connection, frame.stream_id)
    if stream is None or frame.flags or stream.state_machine.headers_received:
        return None
    headers = _decode_headers(connection.decoder, frame.data)
    if is_informational_response(headers):
        return stream.receive_headers(headers, False, connection.config.header_encoding)[1]
    stream.state_machine.headers_received = True
    stream._initialize_content_length(headers)
    event = ResponseReceived(stream_id=frame.stream_id)
    event.headers = list(headers)
    return [event]


def continued(connection: H2Connection, frame: QuickData) -> list[Event] | None:
    """What DATA say of an answer that has begun; None for any others, and nothing is done.

    Raises FlowControlError where they overrun a window, InvalidBodyLengthError where they are not what was announced.
    """
    stream = _awaiting(connection, frame.stream_id)
    if stream is None or not stream.state_machine.headers_received:
        return None
    machine, size, ends = stream.state_machine, frame.flow_controlled_length, bool(frame.flags)
    connection._inbound_flow_control_window_manager.window_consumed(size)
    stream._inbound_window_manager.window_consumed(size)
    stream._track_content_length(size, ends)
    event = DataReceived(stream_id=frame.stream_id)
    event.data = frame.data
    event.flow_controlled_length = size
    if not ends:
        return [event]
    if machine.state is StreamState.OPEN:
        machine.state = StreamState.HALF_CLOSED_REMOTE
    else:
        machine.state = StreamState.CLOSED
        machine.stream_closed_by = StreamClosedBy.RECV_END_STREAM
    event.stream_ended = StreamEnded(stream_id=frame.stream_id)
    return [event, event.stream_ended]


def _awaiting(connection: H2Connection, stream_id: int) -> H2Stream | None:
    """The stream, where a request of ours was sent on it and its answer is not over."""
    stream = connection.streams.get(stream_id)
    if stream is None or connection.state_machine.state is not ConnectionState.CLIENT_OPEN:
        return None
    machine = stream.state_machine
    return stream if machine.client is True and machine.state in _ANSWERABLE else None
