"""A server that does nothing but answer: shows how fast the generator is, and that it sees a server that stalls.

`python -m loadtest.mirror`: plaintext, echoes each message; one JSON line when it listens.
"""

import json
import signal
import struct
from collections.abc import Awaitable, Callable
from functools import partial

import trio

from loadtest.http2 import (
    ACK,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    INITIAL_WINDOW_SIZE,
    MAX_CONCURRENT_STREAMS,
    PREFACE,
    SETTINGS,
    WINDOW_DEFAULT,
    WINDOW_MAX,
    WINDOW_UPDATE,
    frame,
    literal,
)

READ_BYTES = 1 << 17
STREAMS_MAX = 1_000
CREDIT_BYTES = 1 << 22

_HEAD = b"\x88" + literal(b"content-type", b"application/grpc")
_TRAILERS = literal(b"grpc-status", b"0")
_HEADER = struct.Struct(">HBBBL")

Pause = Callable[[], Awaitable[None]]


async def no_pause() -> None:
    """A mirror that never stalls."""


class Mirror:
    """One connection: a unary call is answered when it is whole, a stream's DATA goes back as it came."""

    def __init__(self) -> None:
        settings = struct.pack(">HLHL", MAX_CONCURRENT_STREAMS, STREAMS_MAX, INITIAL_WINDOW_SIZE, WINDOW_MAX)
        credit = struct.pack(">L", WINDOW_MAX - WINDOW_DEFAULT)
        self._out = bytearray(frame(SETTINGS, 0, 0, settings) + frame(WINDOW_UPDATE, 0, 0, credit))
        self._in = bytearray()
        self._skip = len(PREFACE)
        self._taken = 0
        self._begun: set[int] = set()

    def receive(self, data: bytes) -> bytes:
        """The peer's bytes in, ours out."""
        self._in += data
        if self._skip and len(self._in) >= self._skip:
            del self._in[: self._skip]
            self._skip = 0
        at = 0
        while not self._skip and len(self._in) - at >= 9:
            high, low, kind, flags, stream_id = _HEADER.unpack_from(self._in, at)
            length = high << 8 | low
            if len(self._in) - at - 9 < length:
                break
            self._hear(kind, flags, stream_id, bytes(self._in[at + 9 : at + 9 + length]))
            at += 9 + length
        del self._in[:at]
        out, self._out = bytes(self._out), bytearray()
        return out

    def _hear(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        if kind == SETTINGS and not flags & ACK:
            self._out += frame(SETTINGS, ACK, 0)
        elif kind == DATA:
            self._taken += len(payload)
            if self._taken > CREDIT_BYTES:
                self._out += frame(WINDOW_UPDATE, 0, 0, struct.pack(">L", self._taken))
                self._taken = 0
            if stream_id not in self._begun:
                self._begun.add(stream_id)
                self._out += frame(HEADERS, END_HEADERS, stream_id, _HEAD)
            self._out += frame(DATA, 0, stream_id, payload)
            if flags & END_STREAM:
                self._begun.discard(stream_id)
                self._out += frame(HEADERS, END_HEADERS | END_STREAM, stream_id, _TRAILERS)


async def reflect(stream: trio.abc.Stream, pause: Pause = no_pause) -> None:
    """One connection until the peer leaves. `pause` is awaited before each answer: a server that stalls."""
    mirror = Mirror()
    try:
        await stream.send_all(mirror.receive(b""))
        while data := await stream.receive_some(READ_BYTES):
            await pause()
            if out := mirror.receive(bytes(data)):
                await stream.send_all(out)
    except trio.BrokenResourceError:
        pass  # the generator has seen enough


async def serve() -> None:
    """Until SIGTERM."""
    with trio.open_signal_receiver(signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:
            listeners = await nursery.start(partial(trio.serve_tcp, reflect, 0, host="127.0.0.1"))
            print(json.dumps({"ready": True, "port": listeners[0].socket.getsockname()[1]}), flush=True)
            async for _ in signals:
                nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(serve)
