"""The short way of answers leads where h2's own way leads."""

from typing import Any

import hpack
from h2.connection import H2Connection
from h2.events import Event
from h2.stream import StreamState
from hyperframe.frame import DataFrame, HeadersFrame, SettingsFrame
from hypothesis import given
from hypothesis import strategies as st

from gateway.net import quick_answers
from gateway.net.http2_client import ClientConnection, GoAway
from gateway.net.literal_hpack import literal_block
from gateway.net.quick_frames import QuickData, QuickHeaders
from tests.net.kept import streams_and_windows
from tests.net.test_quick_frames import FRAMES, REQUEST, WINDOW, frame

BLOCK = hpack.Encoder().encode([(b":status", b"200"), (b"content-length", b"4")])
WHOLE = ["END_HEADERS"]


class Long(ClientConnection):
    """Ours, but for the short way of answers."""

    def _receive_frame(self, frame: Any) -> list[Event]:
        return H2Connection._receive_frame(self, frame)


def made(kind: type[ClientConnection]) -> ClientConnection:
    """With an unfinished request on stream 1, and finished ones on 3 and, by HEAD, on 5."""
    connection = kind(stream_window_bytes=WINDOW, header_bytes_max=4_096)
    connection.initiate_connection()
    connection.open(literal_block(REQUEST), b"POST", end_stream=False)
    connection.open(literal_block(REQUEST), b"GET", end_stream=True)
    connection.open(literal_block(REQUEST), b"HEAD", end_stream=True)
    return connection


def fed(connection: ClientConnection, octets: bytes) -> tuple[list[str], str, bytes]:
    """The events, the error that ended them, and what is to be sent because of them."""
    events: list[Event | GoAway] = []
    error = ""
    try:
        events.extend(connection.feed(octets))
    except Exception as raised:  # whatever it is, it must be the same
        error = repr(raised)
    return [repr(event) for event in events], error, connection.data_to_send()


def kept(connection: ClientConnection) -> object:
    """All that h2 goes on with."""
    return *streams_and_windows(connection), connection.state_machine.state


@given(st.lists(FRAMES, max_size=10))
def test_a_client_is_told_the_same_and_keeps_the_same(frames: list[bytes]) -> None:
    """Whatever frames a bank sends, one by one: the same events, the same error, the same bytes in answer, and the same
    state behind it."""
    ours, theirs = made(ClientConnection), made(Long)
    for octets in [SettingsFrame(0).serialize(), *frames]:
        answer, reference = fed(ours, octets), fed(theirs, octets)
        assert answer == reference
        assert kept(ours) == kept(theirs)
        if answer[1]:
            return


def test_the_short_way_is_taken_and_only_once() -> None:
    """An everyday answer never comes to h2's own handlers; what follows its end does."""
    connection = made(ClientConnection)
    list(connection.feed(SettingsFrame(0).serialize()))
    assert quick_answers.continued(connection, QuickData(3, b"abcd", frozenset())) is None
    assert quick_answers.begun(connection, QuickHeaders(3, BLOCK, frozenset()))
    assert quick_answers.begun(connection, QuickHeaders(3, BLOCK, frozenset())) is None
    assert quick_answers.continued(connection, QuickData(3, b"abcd", frozenset(("END_STREAM",))))
    assert connection.streams[3].state_machine.state is StreamState.CLOSED
    assert quick_answers.continued(connection, QuickData(3, b"", frozenset())) is None


def test_an_early_answer_leaves_the_request_open() -> None:
    """A bank that answers before it has the whole request: our half goes on until it is reset."""
    connection = made(ClientConnection)
    octets = frame(HeadersFrame, 1, WHOLE, BLOCK, 0) + frame(DataFrame, 1, ["END_STREAM"], b"abcd", 0)
    list(connection.feed(SettingsFrame(0).serialize() + octets))
    assert connection.streams[1].state_machine.state is StreamState.HALF_CLOSED_REMOTE
