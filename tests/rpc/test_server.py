"""Accepting: bounds, upgrades, and what a bad connection may not do to the others. Real loopback sockets."""

import errno
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

import grpc
import trio

from gateway.rpc.client import Channel, open_channel
from gateway.rpc.context import Context
from gateway.rpc.server import Listener, Server, ServerLimits
from tests.fills import fills
from tests.rpc.echo import Echo, path

PATIENCE_S = 10


class Upgraded(trio.abc.Stream):
    """What an upgrade makes of a socket: the socket, with a certificate and a protocol."""

    def __init__(self, inner: trio.SocketStream, alpn: str | None = "h2") -> None:
        self._inner = inner
        self.peer_certificate = b"DER"
        self.selected_alpn = alpn

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._inner.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._inner.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        return await self._inner.receive_some(max_bytes)

    async def aclose(self) -> None:
        await self._inner.aclose()


class OutOfDescriptors:
    """A listener whose first accept fails as if the process had no descriptors left."""

    def __init__(self, inner: trio.SocketListener) -> None:
        self._inner = inner
        self.socket = inner.socket
        self.failures = 2

    async def accept(self) -> trio.SocketStream:
        if self.failures:
            self.failures -= 1
            raise OSError(errno.EMFILE, "Too many open files")
        return await self._inner.accept()


def echo_server(**limits: float) -> Server:
    server = Server(limits=ServerLimits(**limits))  # type: ignore[arg-type]
    Echo().add_to(server)
    return server


async def one_listener() -> tuple[trio.SocketListener, int]:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    return listener, listener.socket.getsockname()[1]


@asynccontextmanager
async def serving(server: Server, listeners: Sequence[Listener]) -> AsyncIterator[None]:
    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            await nursery.start(partial(server.serve, listeners))
            yield
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Channel]:
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    async with open_channel(stream, authority="localhost") as channel:
        yield channel


async def works(port: int) -> bool:
    async with connected(port) as channel:
        return await channel.unary_unary(path("Unary"))(b"x") == b"x"


@fills("max_connections")
async def test_bound_on_connections() -> None:
    """A connection over the bound is closed unread; when one leaves, the next is served."""
    listener, port = await one_listener()
    async with serving(echo_server(max_connections=1), [Listener(listener)]):
        async with connected(port) as channel:
            await channel.unary_unary(path("Unary"))(b"x")
            surplus = await trio.open_tcp_stream("127.0.0.1", port)
            assert await surplus.receive_some(1) == b""
        # The server learns of the end in its own time; until then it refuses.
        while True:
            try:
                assert await works(port)
                break
            except Exception:
                await trio.lowlevel.checkpoint()


@fills("accept_retry_s")
async def test_accept_survives_emfile() -> None:
    """Running out of descriptors pauses accepting and ends nothing."""
    listener, port = await one_listener()
    flaky = OutOfDescriptors(listener)
    async with serving(echo_server(accept_retry_s=0.001), [Listener(flaky)]):  # type: ignore[arg-type]
        assert await works(port)
        assert flaky.failures == 0


async def test_upgrade_gives_the_certificate() -> None:
    """What the upgrade learns of the peer reaches the handler."""

    async def who(request: bytes, context: Context) -> bytes:
        return f"{context.peer()} {context.peer_certificate!r}".encode()

    async def upgrade(socket: trio.SocketStream) -> trio.abc.Stream:
        return Upgraded(socket)

    server = Server()
    handlers = {"Who": grpc.unary_unary_rpc_method_handler(who)}
    server.add_registered_method_handlers("test.Echo", handlers)
    listener, port = await one_listener()
    async with serving(server, [Listener(listener, upgrade)]), connected(port) as channel:
        answer = await channel.unary_unary(path("Who"))(b"")
        own = channel._stream.socket.getsockname()  # type: ignore[attr-defined]
        assert answer == f"ipv4:127.0.0.1:{own[1]} b'DER'".encode()


@fills("handshake_timeout_s")
async def test_failed_and_endless_upgrades() -> None:
    """A handshake that fails, never ends, or chooses another protocol costs its own connection only."""
    attempts = 0

    async def upgrade(socket: trio.SocketStream) -> trio.abc.Stream:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            raise RuntimeError("no certificate")
        if attempts == 2:
            await trio.sleep_forever()
        return Upgraded(socket, "http/1.1" if attempts == 3 else "h2")

    listener, port = await one_listener()
    async with serving(echo_server(handshake_timeout_s=0.05), [Listener(listener, upgrade)]):
        for _ in range(3):
            stream = await trio.open_tcp_stream("127.0.0.1", port)
            assert await stream.receive_some(1) == b""
        assert await works(port)


async def test_drain_ends_serve() -> None:
    """Setting the drain event closes the listener, finishes calls and lets `serve` return."""
    listener, port = await one_listener()
    server, drain, over = echo_server(drain_settle_s=0.05), trio.Event(), trio.Event()

    async def serve(task_status: trio.TaskStatus[None]) -> None:
        await server.serve([Listener(listener)], drain=drain, task_status=task_status)
        over.set()

    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            await nursery.start(serve)
            async with connected(port) as channel, channel.stream_unary(path("Concat"))() as call:
                await call.send(b"a")
                drain.set()
                while channel.goaway is None:
                    await trio.lowlevel.checkpoint()
                await call.send(b"b")
                await call.end()
                assert await call.batch() == [b"ab"]
            await over.wait()
        try:
            await trio.open_tcp_stream("127.0.0.1", port)
        except OSError:
            pass
        else:
            raise AssertionError("the listener is still open")
