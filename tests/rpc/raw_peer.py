"""An HTTP/2 client that does as it is told, also what no decent client does."""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio
import trio.testing

from gateway.net import http2
from gateway.rpc.server import Server

HEADERS = (
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":path", b"/test.Echo/Unary"),
    (b":authority", b"localhost"),
    (b"te", b"trailers"),
    (b"content-type", b"application/grpc"),
)


def headers(**changes: bytes | None) -> list[tuple[bytes, bytes]]:
    """The usual headers; keywords replace (pseudo-headers by bare name, `_` for `-`), add, or remove (None)."""
    fields = dict(HEADERS)
    for keyword, value in changes.items():
        name = keyword.replace("_", "-").encode()
        name = b":" + name if b":" + name in fields else name
        if value is None:
            fields.pop(name, None)
        else:
            fields[name] = value
    return list(fields.items())


def frame_bytes(kind: int, flags: int, stream_id: int, payload: bytes) -> bytes:
    """A frame by hand, for what h2 refuses to send."""
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream_id.to_bytes(4, "big") + payload


@dataclass
class RawPeer:
    """Collects all events it receives."""

    stream: trio.abc.Stream
    h2: http2.H2Connection
    events: list[http2.Event] = field(default_factory=list)
    eof: bool = False
    acknowledge: bool = True

    async def flush(self) -> None:
        await self.stream.send_all(self.h2.data_to_send())

    async def send_raw(self, data: bytes) -> None:
        await self.flush()
        await self.stream.send_all(data)

    async def request(
        self,
        fields: Iterable[tuple[bytes, bytes]] = HEADERS,
        body: bytes | None = None,
        *,
        end: bool = True,
    ) -> int:
        stream_id = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream_id, list(fields), end_stream=end and body is None)
        if body is not None:
            self.h2.send_data(stream_id, body, end_stream=end)
        await self.flush()
        return stream_id

    async def receive(self) -> bool:
        """One read; False at the end of the connection."""
        try:
            data = await self.stream.receive_some(65_536)
        except trio.BrokenResourceError:
            data = b""
        if not data:
            self.eof = True
            return False
        for event in self.h2.receive_data(bytes(data)):
            self.events.append(event)
            if isinstance(event, http2.DataReceived) and self.acknowledge:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        if self.acknowledge:
            try:
                await self.flush()
            except trio.BrokenResourceError:
                pass  # the server has closed; what it said before is still to be read
        return True

    async def wait_for(self, kind: type[http2.Event], stream_id: int | None = None) -> http2.Event:
        """The first event of this kind (on this stream)."""
        seen = 0
        while True:
            for event in self.events[seen:]:
                seen += 1
                if isinstance(event, kind) and stream_id in (None, getattr(event, "stream_id", None)):
                    return event
            if not await self.receive():
                raise EOFError(f"the connection ended before {kind.__name__}: {self.events}")

    async def wait_for_window(self, stream_id: int) -> None:
        """One more WINDOW_UPDATE for this stream."""
        seen = self.count(http2.WindowUpdated)[stream_id]
        while self.count(http2.WindowUpdated)[stream_id] == seen:
            if not await self.receive():
                raise EOFError("the connection ended")

    async def wait_for_eof(self) -> None:
        while await self.receive():
            pass

    def fields_of(self, stream_id: int) -> dict[bytes, bytes]:
        """All header fields received on a stream, trailers included."""
        fields: dict[bytes, bytes] = {}
        for event in self.events:
            if isinstance(event, http2.ResponseReceived | http2.TrailersReceived) and event.stream_id == stream_id:
                fields.update(event.headers)
        return fields

    def data_of(self, stream_id: int) -> bytes:
        return b"".join(
            event.data
            for event in self.events
            if isinstance(event, http2.DataReceived) and event.stream_id == stream_id
        )

    def count(self, kind: type[http2.Event]) -> dict[int, int]:
        """How many events of this kind came per stream."""
        counts: dict[int, int] = defaultdict(int)
        for event in self.events:
            if isinstance(event, kind):
                counts[getattr(event, "stream_id", 0)] += 1
        return counts

    @property
    def goaway(self) -> http2.ConnectionTerminated | None:
        """The last GOAWAY."""
        found = [event for event in self.events if isinstance(event, http2.ConnectionTerminated)]
        return found[-1] if found else None


def new_connection() -> http2.H2Connection:
    """An h2 client that checks nothing it sends and survives GOAWAY."""
    connection = http2.StreamingConnection({}, client_side=True)
    connection.initiate_connection()
    return connection


@asynccontextmanager
async def raw_peer(server: Server) -> AsyncIterator[RawPeer]:
    """Joined to the server by memory streams; the handshake is done."""
    ours, theirs = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.serve_stream, theirs)
        peer = RawPeer(ours, new_connection())
        await peer.flush()
        await peer.wait_for(http2.RemoteSettingsChanged)
        yield peer
        nursery.cancel_scope.cancel()
