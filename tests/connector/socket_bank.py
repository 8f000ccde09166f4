"""A bank on a real socket, with the standard library's TLS: it shares neither TLS nor HTTP/2 state with the gateway.

A script plays one connection. It can end it in each of three ways (loadtest.bank.wire says why they differ) and put
any bytes in between, inside TLS and below it.
"""

import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import h2.config
import h2.connection
import h2.events
import h2.settings
import trio

from loadtest.bank.wire import Gone, TlsWire, Wire
from tests.fakes.bank_reports import document
from tests.fakes.papers import Papers

E = TypeVar("E", bound=h2.events.Event)
Pair = tuple[Path, Path]
Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was read whole."""

    stream_id: int
    body: bytes

    def report(self, code: str = "ACSP") -> bytes:
        """A pain.002 that says this of the whole message."""
        found = re.search(rb"<MsgId>([^<]+)</MsgId>", self.body)
        assert found is not None, "not a pain.001"
        return document(found[1].decode(), group=code)


class SocketPeer:
    """The bank's end of one connection after the handshake."""

    def __init__(self, wire: TlsWire, heard: list[Asked]) -> None:
        self.wire = wire
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        self._events: list[h2.events.Event] = []
        self._bodies: dict[int, bytes] = {}
        self._heard = heard

    # ------------------------------------------------------------ HTTP/2

    async def greet(self, settings: dict[h2.settings.SettingCodes, int] | None = None, then: bytes = b"") -> None:
        """Our SETTINGS, and in the same packet what shall follow them."""
        self.h2.local_settings = h2.settings.Settings(client=False, initial_values=settings or {})
        self.h2.initiate_connection()
        await self.wire.send_all(self.h2.data_to_send() + then)

    async def event(self, kind: type[E]) -> E:
        """The next event of this kind; others are passed over. Raises Gone."""
        while True:
            while self._events:
                event = self._events.pop(0)
                if isinstance(event, h2.events.DataReceived):
                    self._bodies[event.stream_id] = self._bodies.get(event.stream_id, b"") + event.data
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                if isinstance(event, kind):
                    return event
            data = await self.wire.receive_some()
            if not data:
                raise Gone
            self._events.extend(self.h2.receive_data(data))
            await self.flush()

    async def asked(self) -> Asked:
        """The next whole request."""
        stream_id = (await self.event(h2.events.StreamEnded)).stream_id
        self._heard.append(Asked(stream_id, self._bodies.pop(stream_id)))
        return self._heard[-1]

    def queue(
        self, to: Asked, body: bytes | None = None, status: int = 200, headers: Headers = (), *, end: bool = True
    ) -> None:
        """An answer, to be flushed; without `body`, the report that takes the payment."""
        self.h2.send_headers(to.stream_id, [(":status", str(status)), *headers])
        self.h2.send_data(to.stream_id, to.report() if body is None else body, end_stream=end)

    async def flush(self, then: bytes = b"") -> None:
        if data := self.h2.data_to_send() + then:
            await self.wire.send_all(data)

    async def answer(
        self, to: Asked, body: bytes | None = None, status: int = 200, headers: Headers = (), *, end: bool = True
    ) -> None:
        self.queue(to, body, status, headers, end=end)
        await self.flush()

    async def informational(self, to: Asked, status: int = 103) -> None:
        self.h2.send_headers(to.stream_id, [(":status", str(status))])
        await self.flush()

    async def reset(self, to: Asked, code: int) -> None:
        self.h2.reset_stream(to.stream_id, code)
        await self.flush()

    # ------------------------------------------------------------ HTTP/1.1

    async def asked1(self) -> Asked:
        """The next whole request. Raises Gone."""
        received = b""
        while not (found := re.search(rb"(?i)content-length: (\d+)\r\n(?:[^\r]+\r\n)*\r\n", received)) or len(
            received
        ) < found.end() + int(found[1]):
            if not (data := await self.wire.receive_some()):
                raise Gone
            received += data
        self._heard.append(Asked(1, received[found.end() :]))
        return self._heard[-1]

    # ------------------------------------------------------------ both

    async def stay(self) -> None:
        """Read and say nothing until the client leaves."""
        while await self.wire.receive_some():
            pass


Script = Callable[[SocketPeer], Awaitable[None]]


@dataclass
class SocketBank:
    """A listening bank: its port, and every request that it read whole on any connection."""

    port: int
    heard: list[Asked] = field(default_factory=list)


def bank_tls(
    papers: Papers,
    *,
    alpn: tuple[str, ...] = ("h2",),
    pair: Pair | None = None,
    version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
) -> ssl.SSLContext:
    """Demands a client certificate of our authority; exactly this version of TLS."""
    certificate, key = pair or papers.server
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = context.maximum_version = version
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(papers.authority.path)
    context.verify_mode = ssl.CERT_REQUIRED
    context.num_tickets = 0
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


@asynccontextmanager
async def socket_bank(context: ssl.SSLContext, *scripts: Script) -> AsyncIterator[SocketBank]:
    """Each connection is played by the next script, the last one by all that follow. A connection whose script has
    ended ends with close_notify and FIN."""
    left = list(scripts)

    async def serve(transport: trio.SocketStream) -> None:
        script = left.pop(0) if len(left) > 1 else left[0]
        wire = TlsWire(transport, context)
        try:
            await wire.handshake()
            await script(SocketPeer(wire, bank.heard))
        except Gone:
            pass  # the gateway has hung up, or was refused: what that means is for the test to say
        finally:
            await wire.close("fin")

    async with listening(serve) as port:
        bank = SocketBank(port)
        yield bank


@asynccontextmanager
async def raw_bank(script: Callable[[Wire], Awaitable[None]]) -> AsyncIterator[SocketBank]:
    """A bank whose TCP connections are played by the script, without TLS."""

    async def serve(transport: trio.SocketStream) -> None:
        wire = Wire(transport)
        try:
            await script(wire)
        finally:
            await wire.close("fin")

    async with listening(serve) as port:
        yield SocketBank(port)


@asynccontextmanager
async def listening(serve: Callable[[trio.SocketStream], Awaitable[None]]) -> AsyncIterator[int]:
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, serve, listeners)
        yield int(listeners[0].socket.getsockname()[1])
        nursery.cancel_scope.cancel()
