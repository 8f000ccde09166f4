"""Whatever a stranger sends to the gRPC edge: errors of the protocol's own, and bounded buffers."""

import struct
import zlib

import grpc
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.rpc.client_session import ClientSession
from gateway.rpc.events import Broken, Event, Opened, Readable, Reset
from gateway.rpc.framing import PREFIX_BYTES, MessageReader, frame, inflate
from gateway.rpc.limits import ServerLimits
from gateway.rpc.metadata import (
    MalformedMetadata,
    MalformedRequest,
    encode_metadata,
    parse_timeout,
    read_head,
)
from gateway.rpc.server_session import ServerSession
from gateway.rpc.status import OK, RpcError, trailers
from tests.rpc.raw_peer import HEADERS, frame_bytes, new_connection

MESSAGE_MAX = 1_000
LIMITS = ServerLimits(
    max_receive_message_bytes=100_000,
    max_concurrent_streams=4,
    stream_window_bytes=65_535,
    connection_window_bytes=65_535,
    connection_buffer_bytes=200_000,
    server_buffer_bytes=200_000,
    control_backlog_bytes=32_768,
)
CHUNKS = st.lists(st.binary(max_size=300), max_size=12)


@settings(deadline=None)
@given(CHUNKS, st.booleans())
def test_framing_takes_any_bytes(chunks: list[bytes], gzip: bool) -> None:
    """Messages do not depend on how their bytes were cut; what is no message is an RpcError; the rest is bounded."""

    def read(parts: list[bytes]) -> tuple[list[bytes], bool]:
        reader, messages = MessageReader(MESSAGE_MAX, gzip=gzip), []
        for part in parts:
            try:
                messages += reader.feed(part)
            except RpcError as error:
                assert error.code in (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.INTERNAL)
                return messages, True
            assert reader.partial_bytes < MESSAGE_MAX + PREFIX_BYTES
        return messages, False

    whole = b"".join(chunks)
    in_parts, by_byte = read(chunks), read([whole[at : at + 1] for at in range(len(whole))])
    assert in_parts[1] == by_byte[1]
    assert in_parts[0] == by_byte[0][: len(in_parts[0])], "an error may come before the messages of its own chunk"


@settings(deadline=None)
@given(st.binary(max_size=400) | st.binary(max_size=400).map(zlib.compress) | st.binary(max_size=400).map(frame))
def test_inflating_takes_any_bytes(squeezed: bytes) -> None:
    """Only whole gzip within the limit comes out."""
    try:
        assert len(inflate(squeezed, MESSAGE_MAX)) <= MESSAGE_MAX
    except RpcError:
        pass


NAMES = st.sampled_from([name for name, _ in HEADERS] + [b"grpc-timeout", b"grpc-encoding", b"x-bin", b"x"])
FIELDS = st.lists(st.tuples(NAMES | st.binary(max_size=20), st.binary(max_size=40)), max_size=12)


@settings(deadline=None)
@given(FIELDS, st.booleans())
def test_heads_take_any_fields(fields: list[tuple[bytes, bytes]], complete: bool) -> None:
    """A head is read or refused, and what was read as metadata can be sent again where gRPC allows it."""
    try:
        head = read_head([*(HEADERS if complete else ()), *fields])
    except (MalformedRequest, MalformedMetadata):
        return
    try:
        encode_metadata(head.metadata)
    except ValueError:
        pass  # a lenient reader, a strict writer


@settings(deadline=None)
@given(st.binary(max_size=12))
def test_timeouts_take_any_bytes(value: bytes) -> None:
    """A grpc-timeout is a number of seconds, or malformed."""
    try:
        assert 0 <= parse_timeout(value) <= 99_999_999 * 3_600
    except MalformedMetadata:
        pass


def serve(session: ServerSession, data: bytes, now: float) -> None:
    """What a connection does with a read: every call is answered, some before they end."""
    for event in session.receive(data, now):
        answer(session, event)
    assert session.held <= LIMITS.connection_buffer_bytes + 2 * len(data)
    assert len(session.streams) <= LIMITS.max_concurrent_streams
    while session.take():
        pass


def answer(session: ServerSession, event: Event) -> None:
    match event:
        case Broken(stream, status):
            session.finish(stream, trailers(status), discard=True)
        case Reset():
            session.lingering -= 1
        case Opened(stream) | Readable(stream):
            if stream.id % 4 == 1:
                session.send(stream, frame(b"early"))
            if stream.ended:
                session.finish(stream, trailers(OK))


def greeted() -> ServerSession:
    session = ServerSession(LIMITS, 0.0)
    session.receive(new_connection().data_to_send(), 0.0)
    return session


def play(session: ServerSession, chunks: list[bytes]) -> None:
    for number, chunk in enumerate(chunks):
        if session.failed is not None:
            break
        serve(session, chunk, 0.1 * number)
    session.unburden()
    assert session.held == 0


@settings(deadline=None)
@given(CHUNKS, st.booleans())
def test_a_session_takes_any_bytes(chunks: list[bytes], after_greeting: bool) -> None:
    """Random bytes, before or after the greeting, end at worst the connection."""
    play(greeted() if after_greeting else ServerSession(LIMITS, 0.0), chunks)


FRAMES = st.builds(
    frame_bytes, st.integers(0, 12), st.integers(0, 255), st.sampled_from([0, 1, 3, 5, 7, 2]), st.binary(max_size=60)
)


def conversation() -> bytes:
    """Three calls as a decent client makes them."""
    peer = new_connection()
    peer.data_to_send()
    for stream_id in (1, 3, 5):
        peer.send_headers(stream_id, list(HEADERS))
        peer.send_data(stream_id, frame(b"x" * 50) * 3, end_stream=stream_id != 3)
    peer.reset_stream(3)
    return peer.data_to_send()


CONVERSATION = conversation()


@settings(deadline=None)
@given(st.lists(FRAMES, max_size=12))
def test_a_session_takes_any_frames(frames: list[bytes]) -> None:
    """Frames of any kind, flags and content in any order, while calls are open."""
    play(greeted(), [CONVERSATION, *frames])


@settings(deadline=None)
@given(st.data())
def test_a_session_takes_damaged_conversations(data: st.DataObject) -> None:
    """A decent conversation with bytes cut out, put in and changed, in pieces of any size."""
    whole = CONVERSATION
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(whole)))
        whole = whole[:at] + data.draw(st.binary(max_size=12)) + whole[at + data.draw(st.integers(0, 12)) :]
    size = data.draw(st.sampled_from([1, 7, 64, 10_000]))
    play(greeted(), [whole[at : at + size] for at in range(0, len(whole), size)])


@settings(deadline=None)
@given(CHUNKS, st.lists(FRAMES, max_size=6))
def test_our_client_takes_any_bytes(chunks: list[bytes], frames: list[bytes]) -> None:
    """The client's side of the same session: whatever a server says, it neither raises nor keeps more than it may."""
    session = ClientSession(LIMITS, 0.0)
    session.receive(frame_bytes(4, 0, 0, struct.pack(">HL", 3, 100)), 0.0)
    session.take()
    for chunk in [*frames, *chunks]:
        if session.failed is None:
            session.receive(chunk, 0.0)
            session.take()
