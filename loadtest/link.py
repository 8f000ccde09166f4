"""One connection of the generator: a GrpcWire on a trio stream, one `send_all` per turn of the loop."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import trio

from loadtest.http2 import Answer, GrpcWire, PeerBroke

READ_BYTES = 1 << 16
CONNECT_S_MAX = 10.0

Hear = Callable[["Link", list[Answer]], None]


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server is; with the three PEM files, over mutual TLS."""

    host: str
    port: int
    ca: str = ""
    certificate: str = ""
    key: str = ""

    @property
    def scheme(self) -> str:
        return "https" if self.ca else "http"


class Link:
    """`run` until cancelled or the peer ends; `wake` when the wire has something to send."""

    def __init__(self, stream: trio.abc.Stream, hear: Hear) -> None:
        self.wire = GrpcWire()
        self.ready = trio.Event()
        self._stream = stream
        self._hear = hear
        self._wake = trio.Event()
        self._wake.set()

    def wake(self) -> None:
        self._wake.set()

    async def run(self) -> None:
        """Raises PeerBroke when the connection ends: a load whose connections vanish has measured nothing."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write)
            await self._read()

    async def _read(self) -> None:
        while True:
            try:
                data = await self._stream.receive_some(READ_BYTES)
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                raise PeerBroke("the connection broke") from error
            if not data:
                raise PeerBroke("the server closed the connection")
            answers = self.wire.receive(bytes(data))
            if self.wire.ready and not self.ready.is_set():
                self.ready.set()
            self._hear(self, answers)  # also without answers: a window may have opened
            self._wake.set()

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            if data := self.wire.take():
                try:
                    await self._stream.send_all(data)
                except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                    raise PeerBroke("the connection broke") from error


async def connect(address: Address) -> trio.abc.Stream:
    """Raises OSError, ssl.SSLError (as trio.BrokenResourceError) or trio.TooSlowError."""
    with trio.fail_after(CONNECT_S_MAX):
        tcp = await trio.open_tcp_stream(address.host, address.port)
        if not address.ca:
            return tcp
        stream = trio.SSLStream(tcp, _context(address), server_hostname="localhost")
        await stream.do_handshake()
        return stream


def _context(address: Address) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=address.ca)
    if address.certificate:
        context.load_cert_chain(Path(address.certificate), Path(address.key))
    context.set_alpn_protocols(["h2"])
    return context
