"""A TestService on a real loopback socket, and how many bytes it has sent."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial

import pytest
import trio

from gateway.rpc.health import Health
from gateway.rpc.reflection import add as add_reflection
from gateway.rpc.server import Listener, Server
from tests.interop import testing_pb2_grpc
from tests.interop.service import TestService


@dataclass
class Wire:
    """Bytes the server has written to all its connections."""

    sent_bytes: int = 0


class CountingStream(trio.abc.Stream):
    """Passes everything on and counts what is sent."""

    def __init__(self, inner: trio.SocketStream, wire: Wire) -> None:
        self._inner = inner
        self._wire = wire

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        self._wire.sent_bytes += len(data)
        await self._inner.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._inner.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        return await self._inner.receive_some(max_bytes)

    async def aclose(self) -> None:
        await self._inner.aclose()


@dataclass
class Target:
    """Where the TestService is, and what it has sent."""

    port: int
    wire: Wire
    health: Health

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"


@pytest.fixture
async def target(nursery: trio.Nursery) -> AsyncIterator[Target]:
    wire = Wire()
    server = Server()
    testing_pb2_grpc.add_TestServiceServicer_to_server(TestService(), server)
    health = Health()
    health.add_to(server)
    health.set("", True)
    add_reflection(server, ("grpc.testing.TestService", "grpc.health.v1.Health"))

    async def count(stream: trio.SocketStream) -> CountingStream:
        return CountingStream(stream, wire)

    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    await nursery.start(partial(server.serve, [Listener(listeners[0], count)]))
    yield Target(listeners[0].socket.getsockname()[1], wire, health)
    nursery.cancel_scope.cancel()
