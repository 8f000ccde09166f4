"""The wire without I/O: what a request looks like, what is no answer, and what a large answer is given room for."""

import hpack
import pytest
from hyperframe.frame import DataFrame, Frame, HeadersFrame, SettingsFrame, WindowUpdateFrame

from gateway.connector.http2_wire import CONNECTION_WINDOW_BYTES, METHODS_KEPT_MAX, STREAM_WINDOW_BYTES, Http2Wire
from gateway.connector.link import Ending
from gateway.connector.wire import Answered, Failed
from gateway.core.ports import WireRequest
from gateway.net.literal_hpack import literal_block
from tests.connector.bank import PAY

FRAME_BYTES = 16_384


def greeted(settings: dict[int, int] | None = None) -> Http2Wire:
    wire = Http2Wire("bank.example", 10)
    wire.greet()
    wire.receive(SettingsFrame(0, settings or {}).serialize())
    frames_of(wire.bytes_to_send()[24:])
    return wire


def frames_of(octets: bytes) -> list[Frame]:
    frames = []
    while octets:
        frame, length = Frame.parse_frame_header(memoryview(octets)[:9])
        frame.parse_body(memoryview(octets)[9 : 9 + length])
        frames.append(frame)
        octets = octets[9 + length :]
    return frames


def head(stream_id: int, status: bytes) -> bytes:
    return HeadersFrame(stream_id, literal_block([(b":status", status)]), flags=["END_HEADERS"]).serialize()


def data(stream_id: int, octets: bytes, *flags: str) -> bytes:
    return DataFrame(stream_id, octets, flags=flags).serialize()


@pytest.mark.parametrize("status", [b"", b"20", b"0200", b"\xb200", b"2x0", b"9" * 5_000, b"099"])
def test_what_is_no_status(status: bytes) -> None:
    """An answer without a status of three digits is no answer: doubt, and only for its own exchange."""
    wire = greeted()
    key, other = wire.begin(PAY), wire.begin(PAY)
    wire.bytes_to_send()
    assert wire.receive(head(key, status) + data(key, b"<ok/>", "END_STREAM")) == [
        Failed(key, Ending.PROTOCOL_BROKEN, "no final status")
    ]
    (event,) = wire.receive(head(other, b"200") + data(other, b"<ok/>", "END_STREAM"))
    assert isinstance(event, Answered)


def test_a_request_on_the_wire() -> None:
    """One HEADERS and one DATA, and no field of them in any table."""
    wire = greeted()
    wire.begin(WireRequest("POST", "/payments", (("authorization", "secret"), ("x-ref", "1")), b"<Document/>"))
    headers, body = frames_of(wire.bytes_to_send())
    decoder = hpack.Decoder()
    fields = decoder.decode(headers.data, raw=True)
    assert [tuple(field) for field in fields] == [
        (b":method", b"POST"),
        (b":scheme", b"https"),
        (b":authority", b"bank.example"),
        (b":path", b"/payments"),
        (b"authorization", b"secret"),
        (b"x-ref", b"1"),
        (b"content-length", b"11"),
    ]
    assert not decoder.header_table.dynamic_entries
    assert isinstance(fields[4], hpack.NeverIndexedHeaderTuple)
    assert (body.data, "END_STREAM" in body.flags) == (b"<Document/>", True)


@pytest.mark.parametrize("table_bytes", [0, 100, 65_536])
def test_a_bank_with_another_table(table_bytes: int) -> None:
    """Whoever changes its table size hears once, in the next block, that we use none (RFC 7541 section 4.2)."""
    wire = greeted({SettingsFrame.HEADER_TABLE_SIZE: table_bytes})
    decoder = hpack.Decoder()
    decoder.max_allowed_table_size = table_bytes
    for _ in range(2):
        wire.begin(PAY)
        headers, _ = frames_of(wire.bytes_to_send())
        assert dict(decoder.decode(headers.data))[":path"] == "/payments"
    assert decoder.header_table_size == 0


def test_a_large_answer_is_given_room() -> None:
    """Half a window read is half a window given back, on the stream and on the connection."""
    wire = greeted()
    given = {0: 0}
    for _ in range(5):
        key = wire.begin(PAY)
        given[key] = 0
        wire.bytes_to_send()
        wire.receive(head(key, b"200"))
        for _ in range(STREAM_WINDOW_BYTES // FRAME_BYTES):
            wire.receive(data(key, bytes(FRAME_BYTES)))
        for frame in frames_of(wire.bytes_to_send()):
            assert isinstance(frame, WindowUpdateFrame)
            given[frame.stream_id] += frame.window_increment
        (event,) = wire.receive(data(key, b"", "END_STREAM"))
        assert isinstance(event, Answered)
        assert len(event.answer.body) == STREAM_WINDOW_BYTES
    assert given.pop(0) == CONNECTION_WINDOW_BYTES // 2
    assert set(given.values()) == {STREAM_WINDOW_BYTES}


def test_streams_that_are_over_leave_nothing() -> None:
    """Thousands of exchanges keep no more than those that are open."""
    wire = greeted()
    for number in range(200):
        key = wire.begin(WireRequest("M" * (number % 20 + 1), "/payments", (), b"x"))
        wire.bytes_to_send()
        if number % 3:
            wire.receive(head(key, b"200") + data(key, b"<ok/>", "END_STREAM"))
        else:
            wire.abandon(key)
        assert not wire._connection.streams
    assert len(wire._heads) == METHODS_KEPT_MAX
