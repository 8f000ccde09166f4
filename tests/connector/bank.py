"""A bank that follows a script, over memory wires, with real TLS and a real h2 on its side."""

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import h2.config
import h2.connection
import h2.events
import h2.settings
import trio
from trio.testing import memory_stream_pair

from gateway.connector.config import LinkConfig
from gateway.connector.pool import Pool
from gateway.core.ports import WireAnswer, WireRequest
from gateway.net.tls import ALPN, client_context, server_context
from gateway.net.tls_stream import TlsStream
from tests.fakes.papers import BANK, Papers

E = TypeVar("E", bound=h2.events.Event)
Headers = list[tuple[str, str]]
PAY = WireRequest("POST", "/payments", (("content-type", "application/xml"),), b"<Document/>")


class Peer:
    """The bank's end of one connection after the handshake; HTTP/2 by `connection`, or bytes by `stream`."""

    def __init__(self, stream: TlsStream) -> None:
        self.stream = stream
        self.connection = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
        )
        self._events: deque[h2.events.Event] = deque()

    async def greet(self, settings: dict[Any, int] | None = None, then: bytes = b"") -> None:
        """Our SETTINGS, and in the same packet what shall follow them."""
        self.connection.local_settings = h2.settings.Settings(client=False, initial_values=settings or {})
        self.connection.initiate_connection()
        await self.stream.send_all(self.connection.data_to_send() + then)

    async def flush(self) -> None:
        await self.stream.send_all(self.connection.data_to_send())

    async def event(self, kind: type[E]) -> E:
        """The next event of this kind; others are passed over, windows are kept open."""
        while True:
            while self._events:
                event = self._events.popleft()
                if isinstance(event, h2.events.DataReceived) and event.flow_controlled_length:
                    self.connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                if isinstance(event, kind):
                    await self.flush()
                    return event
            data = await self.stream.receive_some()
            if not data:
                raise EOFError
            self._events.extend(self.connection.receive_data(data))
            await self.flush()

    async def request(self) -> int:
        """The stream id of the next whole request."""
        return (await self.event(h2.events.StreamEnded)).stream_id

    async def answer(self, stream_id: int, body: bytes = b"<ok/>", status: int = 200, end: bool = True) -> None:
        self.connection.send_headers(stream_id, [(":status", str(status)), ("content-type", "text/xml")])
        self.connection.send_data(stream_id, body, end_stream=end)
        await self.flush()

    async def serve(self) -> None:
        """Answer everything, until the connection ends."""
        await self.greet()
        while True:
            await self.answer(await self.request())


Script = Callable[[Peer], Awaitable[Any]]


class Bank:
    """Each dial is served by the next script; the last one serves all that follow."""

    def __init__(self, papers: Papers, nursery: trio.Nursery) -> None:
        self.papers = papers
        self._nursery = nursery
        self.scripts: list[Script] = [Peer.serve]
        self.alpn: tuple[str, ...] = ALPN
        self.files = papers.server_files()
        self.dials = 0
        self.wires: list[trio.StapledStream[Any, Any]] = []
        """Our ends of the wires, for tests that cut or clog them."""

    async def dial(self) -> trio.abc.Stream:
        ours, theirs = memory_stream_pair()
        script = self.scripts[min(self.dials, len(self.scripts) - 1)]
        self.dials += 1
        self.wires.append(ours)
        self._nursery.start_soon(self._serve, theirs, script)
        return ours

    async def _serve(self, wire: trio.abc.Stream, script: Script) -> None:
        stream = TlsStream(wire, server_context(self.files, self.alpn), server_side=True)
        try:
            await stream.do_handshake()
            await script(Peer(stream))
        except (trio.BrokenResourceError, trio.ClosedResourceError, EOFError):
            pass  # the gateway has hung up, and the script was not to blame
        finally:
            await stream.aclose()

    def new_pool(self, **terms: Any) -> Pool:
        """A pool towards this bank, not yet running."""
        terms.setdefault("tls_context", lambda: client_context(self.papers.client_files()))
        terms.setdefault("dial", self.dial)
        return Pool(LinkConfig(host=BANK, port=443, **terms))

    async def pool(self, **terms: Any) -> Pool:
        """A running pool towards this bank."""
        pool = self.new_pool(**terms)
        await self._nursery.start(pool.run)
        return pool


async def outcome(pool: Pool, request: WireRequest = PAY, timeout_s: float = 10.0) -> str:
    """How one exchange ends, in words: "200 <ok/>", or "NotSent STREAM_REFUSED"."""
    try:
        answer: WireAnswer = await pool.exchange(request, timeout_s=timeout_s)
    except Exception as error:
        return f"{type(error).__name__} {getattr(error, 'reason', error)}"
    return f"{answer.status} {answer.body.decode()}"


class Tally:
    """Outcomes of exchanges that run beside the test."""

    def __init__(self) -> None:
        self.ends: list[str] = []

    async def pay(self, pool: Pool, timeout_s: float = 10.0) -> None:
        self.ends.append(await outcome(pool, timeout_s=timeout_s))
