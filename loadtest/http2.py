"""gRPC over HTTP/2 from the client's side, sans I/O and made for speed: it must never be what is measured.

It shares nothing with the gateway, nor h2 with it. A load generator may do what a client may not: say the same headers
every time (one ready block, no dynamic table), forbid the server's dynamic table (SETTINGS_HEADER_TABLE_SIZE 0), so
that equal answers have equal header blocks and each block is decoded once, and open its own receive windows for ever.
Everything a server may still do (SETTINGS, PING, WINDOW_UPDATE, GOAWAY, RST_STREAM, split frames) is heeded.
RFC 9113; the gRPC part is "gRPC over HTTP2".
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field

import hpack

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20
HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE = 1, 2, 3, 4

WINDOW_DEFAULT = 65_535  # RFC 9113 section 6.9.2
WINDOW_MAX = 2**31 - 1
CREDIT_BYTES = 1 << 24  # the connection's window is given back in such pieces: few frames, never empty
FRAME_BYTES_MAX = 16_384  # the most every peer accepts
STREAMS_MAX = 1_000  # open at once on one connection, should the peer set no bound
BLOCKS_MAX = 1_024  # header blocks remembered; errors with unique texts are decoded each time

UNAVAILABLE, CANCELLED = 14, 1
"""gRPC status of a call that the connection or a reset ended."""

_HEAD = struct.Struct(">HBBBL")


class PeerBroke(Exception):
    """The peer sent what HTTP/2 or gRPC does not allow, or ended the connection."""


@dataclass(slots=True)
class Call:
    """One gRPC call. `token` is the caller's; `window` is what may still be sent on it, in bytes."""

    token: int
    stream_id: int
    streaming: bool
    window: int
    body: bytes = b""
    rest: bytearray = field(default_factory=bytearray)


@dataclass(frozen=True, slots=True)
class Answer:
    """A message (status None), or a call's end: of a unary call with its message, of a stream without."""

    call: Call
    body: bytes
    status: int | None


def frame(kind: int, flags: int, stream_id: int, payload: bytes = b"") -> bytes:
    """One HTTP/2 frame."""
    length = len(payload)
    return _HEAD.pack(length >> 8, length & 0xFF, kind, flags, stream_id) + payload


def framed(message: bytes) -> bytes:
    """A gRPC length-prefixed message, uncompressed."""
    return b"\0" + len(message).to_bytes(4, "big") + message


def literal(name: bytes, value: bytes) -> bytes:
    """HPACK literal without indexing, no Huffman (RFC 7541 section 6.2.2); both shorter than 127 bytes."""
    assert max(len(name), len(value)) < 127
    return bytes((0, len(name))) + name + bytes((len(value),)) + value


def request_block(path: str, scheme: str, authority: str = "localhost") -> bytes:
    """The header block of every call of one method."""
    return (
        (b"\x83\x86" if scheme == "http" else b"\x83\x87")  # static table: :method POST, :scheme
        + literal(b":path", path.encode())
        + literal(b":authority", authority.encode())
        + literal(b"content-type", b"application/grpc")
        + literal(b"te", b"trailers")
    )


class GrpcWire:
    """One connection. Bytes in by `receive`, bytes out by `take`; `ready` once the server's SETTINGS have come."""

    def __init__(self) -> None:
        settings = struct.pack(">HLHLHL", HEADER_TABLE_SIZE, 0, ENABLE_PUSH, 0, INITIAL_WINDOW_SIZE, WINDOW_MAX)
        credit = struct.pack(">L", WINDOW_MAX - WINDOW_DEFAULT)
        self._out = bytearray(PREFACE + frame(SETTINGS, 0, 0, settings) + frame(WINDOW_UPDATE, 0, 0, credit))
        self._in = bytearray()
        self._calls: dict[int, Call] = {}
        self._next_stream = 1
        self._window = WINDOW_DEFAULT
        self._window_initial = WINDOW_DEFAULT
        self._consumed = 0
        self._headers: tuple[int, int, bytearray] | None = None  # stream, flags, block that CONTINUATION goes on
        self._statuses: dict[bytes, int | None] = {}
        self.streams_max = STREAMS_MAX
        self.ready = False
        self.leaving = False
        """The server said GOAWAY: no new calls."""

    # ---- sending

    @property
    def open_calls(self) -> int:
        return len(self._calls)

    def has_room(self, size: int) -> bool:
        """Whether a unary call with so many bytes may start now."""
        return (
            self.ready
            and not self.leaving
            and len(self._calls) < self.streams_max
            and size + 5 <= min(self._window, self._window_initial)
        )

    def unary(self, block: bytes, token: int, message: bytes) -> Call:
        """A whole call; `has_room` must have said so."""
        call = self._open(block, token, streaming=False)
        data = framed(message)
        self._window -= len(data)
        self._out += frame(DATA, END_STREAM, call.stream_id, data)
        return call

    def watch(self, block: bytes, token: int, message: bytes) -> Call:
        """A call with one request and many answers."""
        call = self._open(block, token, streaming=True)
        data = framed(message)
        self._window -= len(data)
        self._out += frame(DATA, END_STREAM, call.stream_id, data)
        return call

    def stream(self, block: bytes, token: int) -> Call:
        """A call whose messages follow by `send`."""
        return self._open(block, token, streaming=True)

    def room(self, call: Call) -> int:
        """Bytes that may be sent on this call now."""
        return min(self._window, call.window)

    def send(self, call: Call, data: bytes) -> None:
        """Length-prefixed messages (`framed`), as few DATA frames as there can be. At most `room` bytes."""
        assert len(data) <= self.room(call), "more than the window"
        self._window -= len(data)
        call.window -= len(data)
        for at in range(0, len(data), FRAME_BYTES_MAX):
            self._out += frame(DATA, 0, call.stream_id, data[at : at + FRAME_BYTES_MAX])

    def end(self, call: Call) -> None:
        """Nothing more will be sent on this call."""
        self._out += frame(DATA, END_STREAM, call.stream_id)

    def cancel(self, call: Call) -> None:
        """Gives the call up."""
        if self._calls.pop(call.stream_id, None) is not None:
            self._out += frame(RST_STREAM, 0, call.stream_id, struct.pack(">L", 8))

    def take(self) -> bytes:
        """What is to be sent now; empty when nothing is."""
        data, self._out = bytes(self._out), bytearray()
        return data

    def _open(self, block: bytes, token: int, *, streaming: bool) -> Call:
        call = Call(token, self._next_stream, streaming, self._window_initial)
        self._next_stream += 2
        self._calls[call.stream_id] = call
        self._out += frame(HEADERS, END_HEADERS, call.stream_id, block)
        return call

    # ---- receiving

    def receive(self, data: bytes) -> list[Answer]:
        """Raises PeerBroke."""
        answers: list[Answer] = []
        self._in += data
        at, end = 0, len(self._in)
        while end - at >= 9:
            high, low, kind, flags, stream_id = _HEAD.unpack_from(self._in, at)
            length = high << 8 | low
            if end - at - 9 < length:
                break
            at += 9
            self._hear(kind, flags, stream_id & WINDOW_MAX, bytes(self._in[at : at + length]), answers)
            at += length
        del self._in[:at]
        return answers

    def _hear(self, kind: int, flags: int, stream_id: int, payload: bytes, answers: list[Answer]) -> None:
        match kind:
            case 0:
                self._data(flags, stream_id, payload, answers)
            case 1:
                self._header_block(flags, stream_id, _unpadded(flags, payload), answers)
            case 9 if self._headers is not None:
                stream_id, first_flags, block = self._headers
                self._header_block(first_flags | flags, stream_id, bytes(block) + payload, answers)
            case 3:
                if (call := self._calls.pop(stream_id, None)) is not None:
                    answers.append(Answer(call, b"", UNAVAILABLE if payload[3] == 7 else CANCELLED))
            case 4 if not flags & ACK:
                self._settings(payload)
            case 6 if not flags & ACK:
                self._out += frame(PING, ACK, 0, payload)
            case 7:
                self.leaving = True
            case 8:
                self._widen(stream_id, int.from_bytes(payload, "big") & WINDOW_MAX)
            case _:
                pass  # acknowledgements, priorities and unknown frames say nothing we act on

    def _widen(self, stream_id: int, by: int) -> None:
        if stream_id == 0:
            self._window += by
        elif (call := self._calls.get(stream_id)) is not None:
            call.window += by

    def _settings(self, payload: bytes) -> None:
        for at in range(0, len(payload), 6):
            name, value = struct.unpack_from(">HL", payload, at)
            if name == MAX_CONCURRENT_STREAMS:
                self.streams_max = min(value, STREAMS_MAX)
            elif name == INITIAL_WINDOW_SIZE:
                for call in self._calls.values():
                    call.window += value - self._window_initial
                self._window_initial = value
        self._out += frame(SETTINGS, ACK, 0)
        self.ready = True

    def _data(self, flags: int, stream_id: int, payload: bytes, answers: list[Answer]) -> None:
        self._consumed += len(payload)
        if self._consumed >= CREDIT_BYTES:
            self._out += frame(WINDOW_UPDATE, 0, 0, struct.pack(">L", self._consumed))
            self._consumed = 0
        call = self._calls.get(stream_id)
        if call is None:
            return  # given up meanwhile
        if flags & PADDED:
            payload = payload[1 : len(payload) - payload[0]]
        for message in self._messages(call, payload):
            if call.streaming:
                answers.append(Answer(call, message, None))
            else:
                call.body = message
        if flags & END_STREAM:
            raise PeerBroke("a gRPC call ended without trailers")

    def _messages(self, call: Call, payload: bytes) -> Iterable[bytes]:
        if call.rest:
            call.rest += payload
            payload = bytes(call.rest)
        at, end = 0, len(payload)
        found = []
        while end - at >= 5:
            length = int.from_bytes(payload[at + 1 : at + 5], "big")
            if end - at - 5 < length:
                break
            found.append(payload[at + 5 : at + 5 + length])
            at += 5 + length
        call.rest = bytearray(payload[at:])
        return found

    def _header_block(self, flags: int, stream_id: int, block: bytes, answers: list[Answer]) -> None:
        if not flags & END_HEADERS:
            self._headers = (stream_id, flags, bytearray(block))
            return
        self._headers = None
        status = self._status(block)
        if flags & END_STREAM and (call := self._calls.pop(stream_id, None)) is not None:
            answers.append(Answer(call, call.body, UNAVAILABLE if status is None else status))

    def _status(self, block: bytes) -> int | None:
        """grpc-status in a header block; None where there is none."""
        known = self._statuses.get(block, -1)
        if known != -1:
            return known
        try:
            headers = dict(hpack.Decoder().decode(block, raw=True))
        except hpack.HPACKError as error:
            raise PeerBroke("a header block that needs a dynamic table we forbade, or a broken one") from error
        text = headers.get(b"grpc-status")
        status = None if text is None else int(text)
        if len(self._statuses) < BLOCKS_MAX:
            self._statuses[block] = status
        return status


def _unpadded(flags: int, payload: bytes) -> bytes:
    """A HEADERS payload without padding and priority."""
    if flags & PADDED:
        payload = payload[1 : len(payload) - payload[0]]
    return payload[5:] if flags & PRIORITY else payload
