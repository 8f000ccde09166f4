"""Whatever a bank says, the wires neither break nor prove too much."""

from collections.abc import Callable

import pytest
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    PushPromiseFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)
from hypothesis import given
from hypothesis import strategies as st

from gateway.connector.http1_wire import Http1Wire
from gateway.connector.http2_wire import Http2Wire
from gateway.connector.link import REASONS
from gateway.connector.wire import Answered, Failed, Wire, WireEvent
from gateway.core.ports import WireRequest
from gateway.core.reasons import may_retry

PAY = WireRequest("POST", "/payments", (), b"<Document/>")


def http2() -> Wire:
    wire = Http2Wire("bank.example", 10)
    wire.greet()
    wire.receive(SettingsFrame(0).serialize())
    return wire


def http1() -> Wire:
    return Http1Wire("bank.example")


def play(wire: Wire, chunks: list[bytes], *, clean: bool) -> list[WireEvent]:
    """Begin what there is room for, say these chunks, then end; every event that came of it."""
    begun = set()
    while wire.room > 0 and len(begun) < 3:
        begun.add(wire.begin(PAY))
    wire.bytes_to_send()
    events: list[WireEvent] = []
    for chunk in chunks:
        if not wire.finished:
            events += wire.receive(chunk)
            wire.bytes_to_send()
    events += wire.end(clean=clean)
    assert {event.key for event in events} == begun, "every exchange ends"
    assert len(events) == len(begun), "and only once"
    assert wire.open == 0
    return events


def proofs(events: list[WireEvent]) -> list[WireEvent]:
    return [event for event in events if isinstance(event, Failed) and may_retry(REASONS[event.ending])]


@pytest.mark.parametrize("make", [http1, http2])
@given(chunks=st.lists(st.binary(max_size=200), max_size=5), clean=st.booleans())
def test_noise_is_doubt(make: Callable[[], Wire], chunks: list[bytes], clean: bool) -> None:
    """Random bytes end every exchange exactly once, and prove nothing."""
    assert not proofs(play(make(), [chunk for chunk in chunks if chunk], clean=clean))


IDS = st.sampled_from([0, 1, 3, 5, 7, 2])
FLAGS = st.lists(st.sampled_from(["END_STREAM", "END_HEADERS"]), max_size=2)
BLOCKS = st.sampled_from([b"\x88", b"\x8d", b"\x08\x03103", b"\x00\x01a\x01b", b"\xff\xff"]) | st.binary(max_size=30)


def _frame(kind: type[Frame], stream_id: int, block: bytes, flags: list[str], number: int) -> bytes:
    try:
        if kind is RstStreamFrame:
            return RstStreamFrame(stream_id, error_code=number if number != 7 else 8).serialize()
        if kind is WindowUpdateFrame:
            return WindowUpdateFrame(stream_id, window_increment=number).serialize()
        if kind is SettingsFrame:
            return SettingsFrame(stream_id, settings={number % 7: number}).serialize()
        if kind is PingFrame:
            return PingFrame(stream_id, opaque_data=block[:8]).serialize()
        if kind is PriorityFrame:
            return PriorityFrame(stream_id, depends_on=number).serialize()
        if kind is PushPromiseFrame:
            return PushPromiseFrame(stream_id, promised_stream_id=number, data=block).serialize()
        known = [flag for flag in flags if flag in {each.name for each in kind.defined_flags}]
        return kind(stream_id, data=block, flags=known).serialize()  # type: ignore[call-arg]
    except Exception:  # hyperframe refuses to make some of these; they are then left out
        return b""


KINDS = st.sampled_from(
    [
        *(HeadersFrame, HeadersFrame, HeadersFrame, DataFrame, DataFrame, ContinuationFrame, RstStreamFrame),
        *(WindowUpdateFrame, SettingsFrame, PingFrame, PriorityFrame, PushPromiseFrame),
    ]
)
FRAMES = st.builds(_frame, KINDS, IDS, BLOCKS, FLAGS, st.integers(0, 2**31 - 1) | st.integers(0, 20))


@given(frames=st.lists(FRAMES, max_size=12), clean=st.booleans())
def test_frames_in_any_order_prove_nothing(frames: list[bytes], clean: bool) -> None:
    """Well-formed frames in senseless order end every exchange once; without REFUSED_STREAM and GOAWAY nothing is
    proven, and an answer is one only if its END_STREAM was seen."""
    frames = [frame for frame in frames if frame]
    events = play(http2(), frames, clean=clean)
    assert not proofs(events)
    answered = sum(isinstance(event, Answered) for event in events)
    ends = sum(frame[3] in (0, 1) and bool(frame[4] & 1) for frame in frames)
    assert answered <= ends


RESPONSES = [
    b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n<ok/>",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n<ok/>\r\n0\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.0 500 Oops\r\ncontent-length: 5\r\n\r\n<ok/>",
]


@given(st.sampled_from(RESPONSES), st.data())
def test_http1_answer_cut_anywhere_is_doubt(response: bytes, data: st.DataObject) -> None:
    """An HTTP/1.1 answer that ends before its end, cleanly or not, is doubt; whole, it is an answer."""
    cut = data.draw(st.integers(0, len(response)) | st.just(len(response)))
    wire = http1()
    events = play(wire, [response[:cut]] if cut else [], clean=data.draw(st.booleans()))
    assert not proofs(events)
    assert isinstance(events[0], Answered) == (cut == len(response))
