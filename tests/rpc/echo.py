"""A service of raw bytes with one method per behaviour, and ways to reach it without sockets."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc
import pytest
import trio
import trio.testing

from gateway.rpc.client import CallFailed, Channel, open_channel
from gateway.rpc.context import Context
from gateway.rpc.server import Batch, Requests, Server, ServerLimits

SERVICE = "test.Echo"


@dataclass
class Echo:
    """Handlers, and what became of those that wait."""

    started: trio.Event = field(default_factory=trio.Event)
    cancelled: trio.Event = field(default_factory=trio.Event)
    seen: list[bytes] = field(default_factory=list)

    async def unary(self, request: bytes, context: Context) -> bytes:
        return request

    async def concat(self, requests: Requests[bytes], context: Context) -> bytes:
        return b"".join([request async for request in requests])

    async def repeat(self, request: bytes, context: Context) -> AsyncIterator[bytes]:
        for _ in range(3):
            yield request

    async def bidi(self, requests: Requests[bytes], context: Context) -> AsyncIterator[bytes]:
        async for request in requests:
            yield request

    async def batches(self, requests: Requests[bytes], context: Context) -> AsyncIterator[Batch[bytes]]:
        while batch := await requests.batch():
            yield Batch(batch)

    async def hang(self, request: bytes, context: Context) -> bytes:
        await self._sleep()
        return b""

    async def deaf(self, requests: Requests[bytes], context: Context) -> bytes:
        """Never reads its requests."""
        await self._sleep()
        return b""

    async def early(self, requests: Requests[bytes], context: Context) -> bytes:
        """Answers without having read anything."""
        return b"early"

    async def pour(self, request: bytes, context: Context) -> AsyncIterator[bytes]:
        """Endless; whoever does not read must stop it."""
        self.started.set()
        try:
            while True:
                self.seen.append(b"poured")
                yield bytes(10_000)
        finally:
            self.cancelled.set()

    async def _sleep(self) -> None:
        self.started.set()
        try:
            await trio.sleep_forever()
        finally:
            self.cancelled.set()

    def add_to(self, server: Server) -> None:
        server.add_registered_method_handlers(
            SERVICE,
            {
                "Unary": grpc.unary_unary_rpc_method_handler(self.unary),
                "Concat": grpc.stream_unary_rpc_method_handler(self.concat),
                "Repeat": grpc.unary_stream_rpc_method_handler(self.repeat),
                "Bidi": grpc.stream_stream_rpc_method_handler(self.bidi),
                "Batches": grpc.stream_stream_rpc_method_handler(self.batches),
                "Hang": grpc.unary_unary_rpc_method_handler(self.hang),
                "Deaf": grpc.stream_unary_rpc_method_handler(self.deaf),
                "Early": grpc.stream_unary_rpc_method_handler(self.early),
                "Pour": grpc.unary_stream_rpc_method_handler(self.pour),
            },
        )


def path(method: str) -> str:
    return f"/{SERVICE}/{method}"


@asynccontextmanager
async def channel_to(server: Server) -> AsyncIterator[Channel]:
    """Our client joined to this server by two memory streams."""
    ours, theirs = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.serve_stream, theirs)
        async with open_channel(ours, authority="localhost") as channel:
            yield channel
        nursery.cancel_scope.cancel()


SMALL = ServerLimits(stream_window_bytes=65_535, max_receive_message_bytes=100_000, max_send_message_bytes=100_000)


def server_of(echo: Echo, limits: ServerLimits = ServerLimits()) -> Server:  # noqa: B008  # frozen
    server = Server(limits=limits)
    echo.add_to(server)
    return server


def server_with(behaviour: object, kind: str = "unary_unary") -> Server:
    """A server whose only method is `behaviour`, as /test.Echo/Method."""
    server = Server()
    handler = getattr(grpc, f"{kind}_rpc_method_handler")(behaviour)
    server.add_registered_method_handlers("test.Echo", {"Method": handler})
    return server


async def failure_of(server: Server, method: str = "Method", **options: object) -> CallFailed:
    """How one unary call to this method fails."""
    async with channel_to(server) as channel:
        with pytest.raises(CallFailed) as caught:
            await channel.unary_unary(path(method))(b"", **options)
    return caught.value
