"""grpc.health.v1 with the stock messages: what load balancers and probes ask."""

from collections.abc import AsyncIterator

import grpc
import trio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from .context import Context
from .server import Server

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SERVICE_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


class Health(health_pb2_grpc.HealthServicer):
    """Serving status by name; "" stands for the whole server. Names appear when they are first set."""

    def __init__(self) -> None:
        self._serving: dict[str, bool] = {}
        self._changed = trio.Event()

    def add_to(self, server: Server) -> None:
        """Serve grpc.health.v1.Health on this server."""
        health_pb2_grpc.add_HealthServicer_to_server(self, server)

    def set(self, name: str, serving: bool) -> None:
        """Set one name's status; everyone who watches it is told, if it changed."""
        if self._serving.get(name) is not serving:
            self._serving[name] = serving
            changed, self._changed = self._changed, trio.Event()
            changed.set()

    async def Check(  # noqa: N802
        self, request: health_pb2.HealthCheckRequest, context: Context
    ) -> health_pb2.HealthCheckResponse:
        """The status now; NOT_FOUND for a name that was never set."""
        if request.service not in self._serving:
            await context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return self._answer(request.service)

    async def List(  # noqa: N802
        self, request: health_pb2.HealthListRequest, context: Context
    ) -> health_pb2.HealthListResponse:
        """All names and their status now."""
        return health_pb2.HealthListResponse(statuses={name: self._answer(name) for name in self._serving})

    async def Watch(  # noqa: N802
        self, request: health_pb2.HealthCheckRequest, context: Context
    ) -> AsyncIterator[health_pb2.HealthCheckResponse]:
        """The status now and whenever it changes; SERVICE_UNKNOWN as long as the name was never set.

        A watcher that reads slowly misses what came and went in the meantime, never what is true at last.
        """
        told = None
        while True:
            changed = self._changed
            answer = self._answer(request.service)
            if answer.status != told:
                told = answer.status
                yield answer
            if changed is self._changed:
                await changed.wait()

    def _answer(self, name: str) -> health_pb2.HealthCheckResponse:
        serving = self._serving.get(name)
        if serving is None:
            return health_pb2.HealthCheckResponse(status=SERVICE_UNKNOWN)
        return health_pb2.HealthCheckResponse(status=SERVING if serving else NOT_SERVING)
