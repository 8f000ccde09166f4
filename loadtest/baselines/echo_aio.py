"""A bare grpc.aio server that echoes bytes: `python -m loadtest.baselines.echo_aio`. One JSON line when it listens.

The one place where asyncio runs: it is what is measured.
"""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio


async def serve() -> None:
    """Serves until SIGTERM."""
    server = grpc.aio.server()
    handlers: dict[str, Any] = {
        "Unary": grpc.unary_unary_rpc_method_handler(_echo),
        "Stream": grpc.stream_stream_rpc_method_handler(_echo_all),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("echo.Echo", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    print(json.dumps({"ready": True, "port": port}), flush=True)
    await stop.wait()
    await server.stop(0)


async def _echo(request: bytes, _context: Any) -> bytes:
    return request


async def _echo_all(requests: AsyncIterator[bytes], _context: Any) -> AsyncIterator[bytes]:
    async for request in requests:
        yield request


if __name__ == "__main__":
    asyncio.run(serve())
