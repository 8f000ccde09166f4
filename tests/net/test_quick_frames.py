"""The short way of frames leads where h2's own way leads."""

from itertools import pairwise
from typing import Any

import h2.config
import h2.connection
import h2.events
import hpack
import pytest
from h2.exceptions import FrameTooLargeError, ProtocolError
from h2.frame_buffer import FrameBuffer
from h2.settings import Settings
from hyperframe.exceptions import InvalidPaddingError
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)
from hypothesis import given
from hypothesis import strategies as st

from gateway.net.http2_client import ClientConnection
from gateway.net.literal_hpack import literal_block
from gateway.net.quick_frames import QuickData, QuickFrameBuffer, QuickHeaders

REQUEST = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"bank.example"), (b":path", b"/")]
WINDOW = 200  # small enough to be overrun
STREAMS = st.sampled_from([0, 1, 1, 1, 3, 3, 5, 2, 9])
LENGTH = b"content-length"
HEADERS = st.lists(
    st.sampled_from([(b":status", b"200"), (b":status", b"103"), (LENGTH, b"4"), (LENGTH, b"x"), (b"date", b"d")]),
    max_size=3,
).map(lambda fields: hpack.Encoder().encode([*fields]))


def frame(kind: type[Frame], stream_id: int, flags: list[str], body: bytes, pad: int) -> bytes:
    """Bytes of a frame that hyperframe would not let anybody make."""
    made = kind(stream_id or 1) if kind not in (SettingsFrame, PingFrame) else kind(0)
    for flag in flags:
        if flag in {each.name for each in kind.defined_flags}:
            made.flags.add(flag)
    if isinstance(made, DataFrame | HeadersFrame | ContinuationFrame):
        made.data = body
        made.pad_length = pad
    if isinstance(made, WindowUpdateFrame):
        made.window_increment = 5
    octets = made.serialize()
    return octets[:5] + stream_id.to_bytes(4, "big") + octets[9:]


FLAGS = st.lists(st.sampled_from(["END_STREAM", "END_HEADERS", "PADDED", "PRIORITY"]), max_size=3)
WHOLE = FLAGS.map(lambda flags: [*flags, "END_HEADERS"])
PADS = st.integers(0, 3)
OTHERS = [SettingsFrame, PingFrame, RstStreamFrame, WindowUpdateFrame, ContinuationFrame, PriorityFrame]
FRAMES = st.one_of(
    st.builds(frame, st.just(HeadersFrame), STREAMS, WHOLE, HEADERS, st.just(0)),
    st.builds(frame, st.just(HeadersFrame), STREAMS, FLAGS, HEADERS, PADS),
    st.builds(frame, st.just(DataFrame), STREAMS, FLAGS, st.sampled_from([b"", b"abcd", b"x" * 90]), PADS),
    st.builds(frame, st.sampled_from(OTHERS), STREAMS, FLAGS, HEADERS, st.just(0)),
    st.binary(min_size=1, max_size=20),
)


def stock() -> h2.connection.H2Connection:
    """h2 itself, with our settings."""
    config = h2.config.H2Configuration(client_side=True, header_encoding=False, normalize_inbound_headers=False)
    connection = h2.connection.H2Connection(config)
    ours = ClientConnection(stream_window_bytes=WINDOW, header_bytes_max=4_096)
    connection.local_settings = Settings(client=True, initial_values=dict(ours.local_settings))
    connection.decoder.max_header_list_size = 4_096
    return connection


def told(event: h2.events.Event) -> tuple[str, dict[str, Any]]:
    what = {key: value for key, value in vars(event).items() if key not in ("stream_ended", "priority_updated")}
    if "headers" in what:
        what["headers"] = [tuple(field) for field in what["headers"]]
    return type(event).__name__, what


def fed(connection: Any, octets: bytes) -> tuple[list[tuple[str, dict[str, Any]]], str, bytes]:
    """What a connection makes of these bytes: events, the error that ended it, what it wants to say."""
    events: list[tuple[str, dict[str, Any]]] = []
    error = ""
    try:
        feed = connection.feed(octets) if isinstance(connection, ClientConnection) else connection.receive_data(octets)
        events += [told(event) for event in feed]
    except ProtocolError as raised:
        error = raised.error_code.name
    return events, error, connection.data_to_send()


@given(st.lists(FRAMES, max_size=8))
def test_a_client_is_told_the_same(frames: list[bytes]) -> None:
    """Whatever frames a bank sends, one by one: the same events, the same error, the same bytes in answer."""
    ours, theirs = ClientConnection(stream_window_bytes=WINDOW, header_bytes_max=4_096), stock()
    for connection in (ours, theirs):
        connection.initiate_connection()
    for _ in range(3):
        ours.open(literal_block(REQUEST), b"GET", end_stream=True)
        theirs.send_headers(theirs.get_next_available_stream_id(), REQUEST, end_stream=True)
    ours.data_to_send(), theirs.data_to_send()
    for octets in frames:
        answer, reference = fed(ours, octets), fed(theirs, octets)
        if answer[1] == "FRAME_SIZE_ERROR" != reference[1]:
            return  # ours says so at the header, h2 would wait for the whole frame
        assert answer == reference
        if answer[1]:
            return


@given(st.lists(FRAMES, max_size=6), st.lists(st.integers(0, 400), max_size=4))
def test_frames_are_cut_the_same(frames: list[bytes], cuts: list[int]) -> None:
    """However the bytes arrive, the buffer gives what h2's gives, frame by frame."""
    octets = b"".join(frames)
    edges = sorted({0, len(octets), *[cut % (len(octets) + 1) for cut in cuts]})
    ours, theirs = QuickFrameBuffer(), FrameBuffer()
    for start, end in pairwise(edges):
        answers = [_frames(buffer, octets[start:end]) for buffer in (ours, theirs)]
        if answers[0][1]:
            return  # ours says so at the header, h2's when it has the whole frame
        assert answers[0] == answers[1]


def _frames(buffer: FrameBuffer, octets: bytes) -> tuple[list[object], bool]:
    buffer.max_frame_size = 16_384
    buffer.add_data(octets)
    frames: list[object] = []
    try:
        for each in buffer:
            frames.append((each.stream_id, "END_STREAM" in each.flags, getattr(each, "data", None)))
    except (ProtocolError, InvalidPaddingError):
        return frames, True
    return frames, False


def test_the_short_way_is_taken() -> None:
    """DATA and HEADERS of an everyday answer need no hyperframe; padded ones do."""
    buffer = QuickFrameBuffer()
    buffer.max_frame_size = 16_384
    buffer.add_data(frame(HeadersFrame, 1, ["END_HEADERS"], b"\x88", 0) + frame(DataFrame, 1, ["END_STREAM"], b"ok", 0))
    buffer.add_data(frame(DataFrame, 1, ["PADDED"], b"ok", 3))
    assert [type(each) for each in buffer] == [QuickHeaders, QuickData, DataFrame]


def test_a_frame_too_large_is_refused_by_its_header() -> None:
    """h2 would first collect it."""
    buffer = QuickFrameBuffer()
    buffer.max_frame_size = 16_384
    buffer.add_data(b"\x00\x40\x01\x00\x00\x00\x00\x00\x01")
    with pytest.raises(FrameTooLargeError):
        next(buffer)
