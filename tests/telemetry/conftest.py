"""Telemetry that exports into memory or to a collector of the tests' own."""

import io
import json
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from gateway.config import TelemetrySettings
from gateway.telemetry.setup import Telemetry, start


class Heard:
    """Telemetry and all it said."""

    def __init__(self, **settings: Any) -> None:
        self.out, self.err = io.StringIO(), io.StringIO()
        self.telemetry: Telemetry = start(TelemetrySettings(**settings), self.out, self.err)
        self.trail = self.telemetry.trail

    def spans(self) -> list[dict[str, Any]]:
        assert self.telemetry.flush(5)
        return [said for said in map(json.loads, self.out.getvalue().splitlines()) if "span_id" in said]

    def text(self) -> str:
        """The log as it is."""
        logging.getLogger().handlers[-1].flush()
        return self.err.getvalue()

    def logged(self, by: str = "gateway.test") -> list[dict[str, Any]]:
        """Records of one logger: exporters of earlier tests may still be complaining."""
        records = [json.loads(text) for text in self.text().splitlines()]
        return [record for record in records if record["logger"] == by]


Listen = Callable[..., Heard]


@pytest.fixture
def listen() -> Iterator[Listen]:
    """listen(**telemetry settings) → Heard; console spans of every trace unless told otherwise."""
    root = logging.getLogger()
    before = (list(root.handlers), root.level, logging.raiseExceptions)
    hooks = (sys.excepthook, threading.excepthook)
    heard: list[Heard] = []

    def listen(**settings: Any) -> Heard:
        heard.append(Heard(**{"traces": "console", "traces_sample_ratio": 1.0, "instance": "test", **settings}))
        return heard[-1]

    yield listen
    for one in heard:
        one.telemetry.shutdown()
    root.handlers[:], logging.raiseExceptions = before[0], before[2]
    root.setLevel(before[1])
    sys.excepthook, threading.excepthook = hooks


class Collector:
    """An OTLP/HTTP collector on loopback that keeps what it was sent."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.spans: list[Any] = []
        self.metrics: list[Any] = []
        self.resource: dict[str, str] = {}
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                collector.take(self.path, self.rfile.read(int(self.headers["content-length"])))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *args: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"

    def take(self, path: str, body: bytes) -> None:
        self.bodies.append(body)
        if path == "/v1/traces":
            for group in ExportTraceServiceRequest.FromString(body).resource_spans:
                self.resource = {pair.key: pair.value.string_value for pair in group.resource.attributes}
                self.spans.extend(span for scope in group.scope_spans for span in scope.spans)
        elif path == "/v1/metrics":
            for metrics in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                self.metrics.extend(metric for scope in metrics.scope_metrics for metric in scope.metrics)
        else:
            raise AssertionError(f"no such OTLP path: {path}")

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


@pytest.fixture
def collector() -> Iterator[Collector]:
    here = Collector()
    yield here
    here.close()
