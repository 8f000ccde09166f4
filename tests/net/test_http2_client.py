"""GOAWAY as RFC 9113 means it, and what h2 understood before a frame that it refuses."""

from collections.abc import Iterable
from itertools import pairwise

import h2.config
import h2.connection
import pytest
from h2.events import DataReceived, Event, ResponseReceived, StreamEnded
from h2.exceptions import ProtocolError
from hyperframe.frame import Frame, GoAwayFrame, HeadersFrame, SettingsFrame, WindowUpdateFrame
from hypothesis import given
from hypothesis import strategies as st

from gateway.net.http2_client import ClientConnection, GoAway

REQUEST = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"bank.example"), (b":path", b"/")]


def open_client(streams: int = 1) -> ClientConnection:
    client = ClientConnection(stream_window_bytes=65_535, header_bytes_max=4_096)
    client.initiate_connection()
    for _ in range(streams):
        client.send_headers(client.get_next_available_stream_id(), REQUEST, end_stream=True)
    return client


def answers(client: ClientConnection, ids: Iterable[int]) -> bytes:
    """What a server says that answers these streams with "ok"."""
    server = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    server.initiate_connection()
    server.receive_data(client.data_to_send())
    for stream_id in ids:
        server.send_headers(stream_id, [(":status", "200")])
        server.send_data(stream_id, b"ok", end_stream=True)
    return server.data_to_send()


def said(frame: Frame) -> bytes:
    return frame.serialize()


def names(events: Iterable[Event | GoAway]) -> list[str]:
    return [type(event).__name__ for event in events]


def test_streams_complete_after_goaway() -> None:
    """GOAWAY is told, h2 does not see it, and answers that follow are understood."""
    client = open_client(2)
    reply = answers(client, [1, 3])
    events = list(client.feed(said(GoAwayFrame(0, last_stream_id=3, error_code=11)) + reply))
    assert events[0] == GoAway(3, 11)
    assert [event.stream_id for event in events if isinstance(event, StreamEnded)] == [1, 3]


def test_goaway_keeps_what_waits_to_be_sent() -> None:
    """Bytes that wait when GOAWAY comes still leave: they belong to streams that the server will finish."""
    client = open_client()
    waiting = client.unsent_bytes
    assert list(client.feed(said(GoAwayFrame(0, last_stream_id=1)))) == [GoAway(1, 0)]
    assert len(client.data_to_send()) == waiting > 0


def test_events_before_a_bad_frame_are_kept() -> None:
    """A frame that is wrong comes after everything that was right."""
    client = open_client()
    bad = b"\x00\x00\x04\x08\x00\x00\x00\x00\x00" + bytes(4)  # WINDOW_UPDATE by nothing
    feed = client.feed(answers(client, [1]) + bad)
    seen: list[Event | GoAway] = []
    with pytest.raises(ProtocolError):
        seen.extend(feed)
    assert "StreamEnded" in names(seen)


@pytest.mark.parametrize(
    "frame",
    [
        b"\x00\x00\x08\x07\x00\x00\x00\x00\x01" + bytes(8),  # on a stream
        b"\x00\x00\x04\x07\x00\x00\x00\x00\x00" + bytes(4),  # too short
        said(HeadersFrame(1, data=b"\x88")) + said(GoAwayFrame(0)),  # inside a header block
    ],
)
def test_malformed_goaway_is_an_error(frame: bytes) -> None:
    """Only a GOAWAY that RFC 9113 allows is believed: a proof rests on it."""
    client = open_client()
    list(client.feed(said(SettingsFrame(0))))
    with pytest.raises(ProtocolError):
        list(client.feed(frame))


def test_oversized_frame_is_refused_by_its_header() -> None:
    """Nine bytes are enough to refuse a frame above our limit; its body is not waited for."""
    client = open_client()
    with pytest.raises(ProtocolError):
        list(client.feed(b"\x00\x40\x01\x00\x00\x00\x00\x00\x01"))


def test_half_a_frame_says_nothing() -> None:
    """Until a frame is whole nothing is known of it."""
    client = open_client()
    frame = said(GoAwayFrame(0, last_stream_id=1))
    assert list(client.feed(frame[:-1])) == []
    assert list(client.feed(frame[-1:])) == [GoAway(1, 0)]


@given(st.lists(st.integers(0, 200), max_size=8))
def test_cutting_the_bytes_changes_nothing(cuts: list[int]) -> None:
    """The same bytes in any pieces mean the same."""
    client = open_client(2)
    reply = answers(client, [1, 3])
    reply += said(GoAwayFrame(0, last_stream_id=1)) + said(WindowUpdateFrame(0, 5))
    edges = [0, *sorted(cut % len(reply) for cut in cuts), len(reply)]
    events = [event for a, b in pairwise(edges) for event in client.feed(reply[a:b])]
    body = b"".join(event.data for event in events if isinstance(event, DataReceived))
    assert names(events).count("GoAway") == 1
    assert (body, len([event for event in events if isinstance(event, ResponseReceived)])) == (b"okok", 2)
