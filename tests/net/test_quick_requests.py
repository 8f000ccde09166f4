"""The short way of requests leads where h2's own way leads."""

from typing import Any

import hpack
from h2.connection import H2Connection
from h2.stream import StreamState
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)
from hypothesis import given
from hypothesis import strategies as st

from gateway.net import http2, quick_requests
from gateway.net.quick_frames import QuickHeaders
from tests.net.kept import streams_and_windows
from tests.net.test_quick_frames import FLAGS, PADS, STREAMS, WHOLE, fed, frame

WINDOW = 100  # small enough to be overrun
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
FIELDS = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/s/M"), (b"te", b"trailers")]
ODD = [(b":status", b"200"), (b":status", b"103"), (b"content-length", b"4"), (b"content-length", b"x"), (b"x", b"y")]
BLOCKS = st.lists(st.sampled_from(ODD), max_size=2).map(
    lambda fields: hpack.Encoder().encode([*fields, *FIELDS, *fields])
) | st.sampled_from((hpack.Encoder().encode(FIELDS), b"\xff\xff", b""))
BODIES = st.sampled_from([b"", b"abcd", b"x" * 60])
OTHERS = [SettingsFrame, PingFrame, RstStreamFrame, WindowUpdateFrame, ContinuationFrame]
FRAMES = st.one_of(
    st.builds(frame, st.just(HeadersFrame), STREAMS, WHOLE, BLOCKS, st.just(0)),
    st.builds(frame, st.just(HeadersFrame), STREAMS, FLAGS, BLOCKS, PADS),
    st.builds(frame, st.just(DataFrame), STREAMS, FLAGS, BODIES, PADS),
    st.builds(frame, st.just(DataFrame), STREAMS, FLAGS, BODIES, st.just(0)),
    st.builds(frame, st.sampled_from(OTHERS), STREAMS, FLAGS, BLOCKS, st.just(0)),
)


class Long(http2.ServerConnection):
    """Ours, but for the short way of requests."""

    def _receive_frame(self, frame: Any) -> list[http2.Event]:
        self.frames += 1
        return H2Connection._receive_frame(self, frame) or [http2.FrameIgnored()]


def made(kind: type[http2.ServerConnection]) -> http2.ServerConnection:
    connection = kind({http2.SettingCodes.INITIAL_WINDOW_SIZE: WINDOW, http2.SettingCodes.MAX_CONCURRENT_STREAMS: 9})
    connection.initiate_connection()
    return connection


def kept(connection: http2.ServerConnection) -> object:
    """All that h2 goes on with."""
    ends = connection.highest_inbound_stream_id, connection.state_machine.state
    return *streams_and_windows(connection), ends, connection.frames


@given(st.lists(FRAMES, max_size=10), st.booleans())
def test_a_server_is_told_the_same_and_keeps_the_same(frames: list[bytes], greeted: bool) -> None:
    """Whatever frames a client sends, one by one, with its SETTINGS before them or without: the same events, the same
    error, the same bytes in answer, and the same state behind it."""
    ours, theirs = made(http2.ServerConnection), made(Long)
    for octets in [PREFACE, *([SettingsFrame(0).serialize()] if greeted else []), *frames]:
        answer, reference = fed(ours, octets), fed(theirs, octets)
        assert answer == reference
        assert kept(ours) == kept(theirs)
        if answer[1]:
            return


def test_the_short_way_is_taken() -> None:
    """An everyday request never comes to h2's own handlers; the next HEADERS on its stream do."""
    connection = made(http2.ServerConnection)
    block = hpack.Encoder().encode(FIELDS)
    first = PREFACE + SettingsFrame(0).serialize() + frame(HeadersFrame, 1, ["END_HEADERS"], block, 0)
    connection.receive_data(first)
    assert connection.streams[1].state_machine.state is StreamState.OPEN
    assert quick_requests.opened(connection, QuickHeaders(1, block, frozenset())) is None
    assert quick_requests.opened(connection, QuickHeaders(3, block, frozenset()))
