"""The generator's own HTTP/2, against h2 as the server."""

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import DataReceived, RequestReceived, StreamEnded
from h2.settings import SettingCodes

from loadtest.http2 import (
    CANCELLED,
    FRAME_BYTES_MAX,
    UNAVAILABLE,
    WINDOW_DEFAULT,
    Answer,
    GrpcWire,
    PeerBroke,
    framed,
    literal,
    request_block,
)

PATH = "/echo.Echo/Unary"
BLOCK = request_block(PATH, "http")
OK = [("grpc-status", "0")]


class Pair:
    """The wire and an h2 server, joined."""

    def __init__(self, **settings: int) -> None:
        self.wire = GrpcWire()
        self.server = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self.server.initiate_connection()
        if settings:
            self.server.update_settings({SettingCodes[name]: value for name, value in settings.items()})
        self.events: list[object] = []
        self.turn()
        self.turn()

    def turn(self) -> list[Answer]:
        """Everything that waits on either side is delivered."""
        answers: list[Answer] = []
        for _ in range(4):
            if data := self.wire.take():
                self.events += self.server.receive_data(data)
            answers += self.wire.receive(self.server.data_to_send())
        return answers

    def bodies(self, stream_id: int) -> bytes:
        return b"".join(e.data for e in self.events if isinstance(e, DataReceived) and e.stream_id == stream_id)

    def answer(self, stream_id: int, body: bytes, trailers: list[tuple[str, str]]) -> None:
        self.server.send_headers(stream_id, [(":status", "200"), ("content-type", "application/grpc")])
        if body:
            self.server.send_data(stream_id, body)
        self.server.send_headers(stream_id, trailers, end_stream=True)


def test_a_call_reaches_the_server_whole_and_its_answer_comes_back() -> None:
    """Headers as gRPC demands them, one length-prefixed message, and grpc-status from the trailers."""
    pair = Pair()
    call = pair.wire.unary(BLOCK, 7, b"hello")
    pair.turn()
    (request,) = (event for event in pair.events if isinstance(event, RequestReceived))
    headers = dict(request.headers)
    assert (headers[":method"], headers[":path"], headers["te"]) == ("POST", PATH, "trailers")
    assert headers["content-type"] == "application/grpc"
    assert pair.bodies(call.stream_id) == framed(b"hello")
    assert any(isinstance(event, StreamEnded) for event in pair.events)
    pair.answer(call.stream_id, framed(b"echo"), OK)
    (answer,) = pair.turn()
    assert (answer.call.token, answer.body, answer.status) == (7, b"echo", 0)
    assert pair.wire.open_calls == 0


def test_answers_are_read_whatever_the_pieces() -> None:
    """One byte at a time gives what all at once gives: a thousand answers in one read are not a special case."""
    pair = Pair()
    calls = [pair.wire.unary(BLOCK, number, b"x") for number in range(3)]
    pair.turn()
    for call, status in zip(calls, ("0", "8", "3"), strict=True):
        pair.answer(call.stream_id, framed(b"m%d" % call.token), [("grpc-status", status)])
    answers = [answer for byte in pair.server.data_to_send() for answer in pair.wire.receive(bytes((byte,)))]
    assert [(a.call.token, a.body, a.status) for a in answers] == [(0, b"m0", 0), (1, b"m1", 8), (2, b"m2", 3)]


def test_a_refusal_without_a_body_is_a_status() -> None:
    """Trailers-only: one header block that ends the stream."""
    pair = Pair()
    call = pair.wire.unary(BLOCK, 1, b"x")
    pair.turn()
    pair.server.send_headers(call.stream_id, [(":status", "200"), ("grpc-status", "8")], end_stream=True)
    (answer,) = pair.turn()
    assert (answer.status, answer.body) == (8, b"")


def test_streamed_messages_are_told_one_by_one_and_may_span_frames() -> None:
    """Three messages in one frame, the third cut: it comes with the next frame."""
    pair = Pair()
    call = pair.wire.stream(BLOCK, 0)
    pair.turn()
    pair.server.send_headers(call.stream_id, [(":status", "200")])
    data = framed(b"one") + framed(b"two") + framed(b"three")
    pair.server.send_data(call.stream_id, data[:-3])
    assert [answer.body for answer in pair.turn()] == [b"one", b"two"]
    pair.server.send_data(call.stream_id, data[-3:])
    assert [(answer.body, answer.status) for answer in pair.turn()] == [(b"three", None)]


def test_sending_keeps_to_the_windows_of_stream_and_connection() -> None:
    """`room` is what h2 would take; both windows, and SETTINGS that change them while a call is open."""
    pair = Pair(INITIAL_WINDOW_SIZE=100_000)
    call = pair.wire.stream(BLOCK, 0)
    assert pair.wire.room(call) == WINDOW_DEFAULT  # the connection's is the narrower one
    pair.wire.send(call, bytes(60_000))
    pair.turn()
    assert pair.wire.room(call) == WINDOW_DEFAULT - 60_000
    pair.server.increment_flow_control_window(1_000_000)
    pair.turn()
    assert pair.wire.room(call) == 40_000
    pair.server.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 150_000})
    pair.turn()
    assert pair.wire.room(call) == 90_000
    frames = [len(event.data) for event in pair.events if isinstance(event, DataReceived)]
    assert max(frames) <= FRAME_BYTES_MAX


def test_no_more_calls_than_the_server_allows() -> None:
    """MAX_CONCURRENT_STREAMS is heeded, and a call that ended makes room."""
    pair = Pair(MAX_CONCURRENT_STREAMS=2)
    calls = [pair.wire.unary(BLOCK, number, b"x") for number in range(2)]
    assert not pair.wire.has_room(10)
    pair.turn()
    pair.answer(calls[0].stream_id, framed(b""), OK)
    pair.turn()
    assert pair.wire.has_room(10)


@pytest.mark.parametrize(("code", "status"), [(ErrorCodes.REFUSED_STREAM, UNAVAILABLE), (ErrorCodes.CANCEL, CANCELLED)])
def test_a_reset_ends_the_call(code: ErrorCodes, status: int) -> None:
    """A stream the server will not serve is a failed request, not one that hangs."""
    pair = Pair()
    call = pair.wire.unary(BLOCK, 1, b"x")
    pair.turn()
    pair.server.reset_stream(call.stream_id, code)
    assert [answer.status for answer in pair.turn()] == [status]


def test_a_server_that_leaves_gets_no_new_calls() -> None:
    """After GOAWAY what is open may end."""
    pair = Pair()
    pair.server.close_connection()
    pair.turn()
    assert pair.wire.leaving
    assert not pair.wire.has_room(1)


def test_pings_and_settings_are_acknowledged() -> None:
    """A client that answers no ping is taken for dead."""
    pair = Pair()
    pair.server.ping(b"12345678")
    pair.turn()
    assert "PingAckReceived" in [type(event).__name__ for event in pair.events]
    assert "SettingsAcknowledged" in [type(event).__name__ for event in pair.events]


def test_a_header_block_that_needs_a_dynamic_table_is_an_error() -> None:
    """We forbade it; remembering blocks by their bytes would otherwise give wrong statuses."""
    pair = Pair()
    call = pair.wire.unary(BLOCK, 1, b"x")
    dynamic = b"\xbe"  # index 62: the first entry of the dynamic table
    head = len(dynamic).to_bytes(3, "big") + b"\x01\x05" + call.stream_id.to_bytes(4, "big")
    with pytest.raises(PeerBroke):
        pair.wire.receive(head + dynamic)


def test_literals_are_short() -> None:
    """Their lengths fit one byte; a longer path would be encoded wrongly and is refused instead."""
    with pytest.raises(AssertionError):
        literal(b":path", b"x" * 127)


def test_any_split_of_the_servers_bytes_is_the_same() -> None:
    """The greeting in every two pieces."""
    server = H2Connection(H2Configuration(client_side=False))
    server.initiate_connection()
    greeting = server.data_to_send()
    for cut in range(len(greeting)):
        wire = GrpcWire()
        wire.receive(greeting[:cut])
        wire.receive(greeting[cut:])
        assert wire.ready
