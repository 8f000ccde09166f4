"""A bare grpcio server that echoes bytes: `python -m loadtest.baselines.echo_sync`. One JSON line when it listens."""

import json
import signal
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

WORKERS = 10  # grpcio's own examples; more threads are slower on one core


def main() -> None:
    """Serves until SIGTERM."""
    server = grpc.server(ThreadPoolExecutor(WORKERS))
    handlers: dict[str, Any] = {
        "Unary": grpc.unary_unary_rpc_method_handler(_echo),
        "Stream": grpc.stream_stream_rpc_method_handler(_echo_all),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("echo.Echo", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    signal.signal(signal.SIGTERM, lambda *_: server.stop(0))
    print(json.dumps({"ready": True, "port": port}), flush=True)
    server.wait_for_termination()


def _echo(request: bytes, _context: Any) -> bytes:
    return request


def _echo_all(requests: Any, _context: Any) -> Any:
    yield from requests


if __name__ == "__main__":
    main()
