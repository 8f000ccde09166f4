"""One attacker's connection: bytes as they please, and how the server ended it."""

import struct
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import trio

from gateway.net.http2 import ErrorCodes
from gateway.net.literal_hpack import literal_block

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
GREETING: Final = PREFACE + bytes(3) + b"\x04" + bytes(5)
"""The preface and empty SETTINGS."""
DATA, HEADERS, PRIORITY, RESET, SETTINGS, PING, GOAWAY, WINDOW, CONTINUATION = 0, 1, 2, 3, 4, 6, 7, 8, 9
END_STREAM, END_HEADERS = 1, 4
CONNECT_S: Final = 20.0
FROM: Final = "127.0.0.2" if sys.platform == "linux" else None
"""Where attackers come from: all of 127/8 is loopback on Linux, and the bystander comes from 127.0.0.1."""


def frame(kind: int, flags: int, stream_id: int, payload: bytes = b"") -> bytes:
    """A frame by hand."""
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream_id.to_bytes(4, "big") + payload


def call(method: str, *more: tuple[bytes, bytes]) -> bytes:
    """The header block of a call to one of our methods."""
    fields = (
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", method.encode()),
        (b":authority", b"localhost"),
        (b"te", b"trailers"),
        (b"content-type", b"application/grpc"),
    )
    return literal_block((*fields, *more))


def message(body: bytes, *, flag: int = 0, length: int | None = None) -> bytes:
    """A gRPC message, with a length that may lie."""
    return struct.pack(">BL", flag, len(body) if length is None else length) + body


def window(stream_id: int, by: int) -> bytes:
    return frame(WINDOW, 0, stream_id, by.to_bytes(4, "big"))


class Attacker:
    """`heard` counts frames by (kind, stream); `ending` is "" while the connection lives, then the GOAWAY's code, or
    "closed" where there was none."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._rest = bytearray()
        self._over = trio.Event()
        self._news = trio.Event()
        self.heard: dict[tuple[int, int], int] = {}
        self.statuses: dict[int, int] = {}
        self.ending = ""

    @property
    def alive(self) -> bool:
        return not self._over.is_set()

    async def send(self, data: bytes) -> bool:
        """False once the server has ended the connection."""
        if self.alive:
            try:
                await self._stream.send_all(data)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                # What the server said before it closed is still to be read.
                await self._over.wait()
        return self.alive

    async def ended(self) -> str:
        """How the server ended the connection; waits for it."""
        await self._over.wait()
        return self.ending

    async def news(self) -> None:
        """Waits until more was heard, or the end."""
        await self._news.wait()

    async def until(self, kind: int, stream_id: int) -> bool:
        """Whether a frame of this kind came on this stream before the end."""
        while (kind, stream_id) not in self.heard and self.alive:
            await self._news.wait()
        return (kind, stream_id) in self.heard

    async def listen(self) -> None:
        try:
            while data := await self._stream.receive_some(65_536):
                self._rest += data
                self._read()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # a reset is an end like any other
        self.ending = self.ending or "closed"
        self._over.set()
        self._news.set()

    def _read(self) -> None:
        rest = self._rest
        while len(rest) >= 9 and len(rest) >= 9 + int.from_bytes(rest[:3], "big"):
            size = 9 + int.from_bytes(rest[:3], "big")
            self._frame(rest[3], int.from_bytes(rest[5:9], "big"), bytes(rest[9:size]))
            del rest[:size]
        self._news.set()
        self._news = trio.Event()

    def _frame(self, kind: int, stream_id: int, payload: bytes) -> None:
        self.heard[kind, stream_id] = self.heard.get((kind, stream_id), 0) + 1
        if kind == GOAWAY:
            self.ending = ErrorCodes(int.from_bytes(payload[4:8], "big")).name
        if kind == HEADERS and b"grpc-status" in payload:
            # Our server writes its blocks as literals: name, length, value.
            at = payload.index(b"grpc-status") + len(b"grpc-status")
            self.statuses[stream_id] = int(payload[at + 1 : at + 1 + payload[at]])


@asynccontextmanager
async def attacker(address: str, *, greet: bytes = GREETING, reads: bool = True) -> AsyncIterator[Attacker]:
    """Connected, with the greeting sent. `reads` False: it never takes a byte from the socket."""
    host, port = address.rsplit(":", 1)
    with trio.fail_after(CONNECT_S):
        stream = await trio.open_tcp_stream(host, int(port), local_address=FROM)
    async with trio.open_nursery() as nursery:
        one = Attacker(stream)
        if reads:
            nursery.start_soon(one.listen)
        await one.send(greet)
        yield one
        nursery.cancel_scope.cancel()
    await trio.aclose_forcefully(stream)
