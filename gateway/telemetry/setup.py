"""Starts and ends telemetry. The only place that knows where spans and metrics go.

A collector may be slow, dead or a black hole. Nothing on the way of a payment waits for it: closed spans go into a
bounded queue that drops when it is full, and are exported by a thread of their own. At the end `shutdown` gives what
is left a bounded time; the threads are daemons, so that an export that hangs cannot keep the process alive.
"""

import json
import logging
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TextIO

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import AlwaysOffExemplarFilter, MeterProvider
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, MetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import StatusCode, format_span_id, format_trace_id

from gateway.config import TelemetrySettings
from gateway.telemetry import logs
from gateway.telemetry.meter import Meter
from gateway.telemetry.trail import OtelTrail, SpanSink

SCOPE: Final = "causeway"
SCHEMA_URL: Final = "https://opentelemetry.io/schemas/1.41.0"

SPAN_QUEUE_MAX: Final = 8_192
"""Closed spans that wait for export, about 10 MiB; more are dropped, payments are not delayed."""
SPAN_BATCH_MAX: Final = 512
SPAN_EXPORT_EVERY_MS: Final = 1_000
EXPORT_TIMEOUT_S: Final = 5.0
"""One export, its repetitions included."""
LAST_EXPORT_S: Final = 0.5
"""What the last spans get to leave in, however long the house took to stop: a collector that is there needs less."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Telemetry:
    """Running telemetry. Stop it last: what the rooms say while they stop is worth most."""

    trail: OtelTrail
    shutdown_s_max: float
    _ends: tuple[Callable[[], object], ...] = ()
    _flushes: tuple[Callable[[], object], ...] = ()
    _files: tuple[TextIO, ...] = field(default=(), repr=False)
    _log: logging.Handler = field(default_factory=logging.NullHandler, repr=False)
    _began_s: list[float] = field(default_factory=list, repr=False)
    """When the end began, where it was announced."""

    def flush(self, timeout_s: float | None = None) -> bool:
        """Exports what is there. Blocks for `timeout_s` (default: shutdown_s_max) at most; False: not all is out."""
        return _bounded((*self._flushes, self._log.flush), self.shutdown_s_max if timeout_s is None else timeout_s)

    def begin_end(self) -> None:
        """The house begins to stop: what is there is exported beside that, and what `shutdown` may take counts from
        here. Returns at once; to be called once."""
        self._began_s.append(time.monotonic())
        _started(self._flushes)

    def shutdown(self) -> bool:
        """Exports what is there and stops. Blocks for what is left of shutdown_s_max since `begin_end`, but at least
        for LAST_EXPORT_S of it, and 0.5 s for the log; False: not all is out."""
        spent_s = time.monotonic() - self._began_s[0] if self._began_s else 0.0
        least_s = min(LAST_EXPORT_S, self.shutdown_s_max)
        whole = _bounded(self._ends, max(self.shutdown_s_max - spent_s, least_s))
        self._log.flush()  # last, and with a bound of its own: exporters tell why they could not deliver
        if whole:
            for file in self._files:
                file.close()
        return whole


class HashedOnce(Resource):
    """A resource that never changes. The encoder of spans asks for its hash with each span, and the SDK's own makes
    JSON of it every time: 2 of the 17 us that a span costs on its way out."""

    def __init__(self, attributes: Mapping[str, str], schema_url: str) -> None:
        super().__init__(attributes, schema_url)
        self._hash = super().__hash__()

    def __hash__(self) -> int:
        return self._hash


def start(settings: TelemetrySettings, stdout: TextIO = sys.stdout, stderr: TextIO = sys.stderr) -> Telemetry:
    """Installs the log on `stderr` and starts what the settings ask for. `stdout` takes the console exporters.

    Raises OSError where the file of `traces = "file:PATH"` cannot be opened for appending.
    """
    log = logs.install(settings, stderr)
    resource = HashedOnce(
        {"service.name": settings.service_name, "service.instance.id": settings.instance_name}, SCHEMA_URL
    )
    files: list[TextIO] = []
    spans = _span_processor(settings, stdout, files)
    metering = _metering(settings, resource, stdout)
    sink = SpanSink(spans, resource, InstrumentationScope(SCOPE, schema_url=SCHEMA_URL)) if spans else None
    meter = Meter(metering.get_meter(SCOPE, schema_url=SCHEMA_URL) if metering else None)
    ways_out = [way for way in (spans, metering) if way]
    return Telemetry(
        OtelTrail(sink, meter, sample_ratio=settings.traces_sample_ratio),
        settings.shutdown_s_max,
        tuple(way.shutdown for way in ways_out),
        tuple(way.force_flush for way in ways_out),
        tuple(files),
        log,
    )


def _span_processor(settings: TelemetrySettings, stdout: TextIO, files: list[TextIO]) -> BatchSpanProcessor | None:
    """Sampling is decided in trail.py, before a span comes here."""
    exporter = _span_exporter(settings, stdout, files)
    if exporter is None:
        return None
    return BatchSpanProcessor(exporter, SPAN_QUEUE_MAX, SPAN_EXPORT_EVERY_MS, SPAN_BATCH_MAX, EXPORT_TIMEOUT_S * 1e3)


def _span_exporter(settings: TelemetrySettings, stdout: TextIO, files: list[TextIO]) -> SpanExporter | None:
    file = settings.traces_file
    if file is not None:
        files.append(_appending(file))
        return ConsoleSpanExporter(out=files[-1], formatter=line)
    if settings.traces == "console":
        return ConsoleSpanExporter(out=stdout, formatter=line)
    if settings.traces == "otlp":
        return OTLPSpanExporter(endpoint=f"{settings.otlp_endpoint.rstrip('/')}/v1/traces", timeout=EXPORT_TIMEOUT_S)
    return None


def _appending(file: Path) -> TextIO:
    """Readable by the owner only: spans hold no account data, but who pays when is nobody's business either."""
    file.touch(mode=0o600)
    return file.open("a", encoding="utf-8")


def _metering(settings: TelemetrySettings, resource: Resource, stdout: TextIO) -> MeterProvider | None:
    exporter: MetricExporter
    if settings.metrics == "otlp":
        endpoint = f"{settings.otlp_endpoint.rstrip('/')}/v1/metrics"
        exporter = OTLPMetricExporter(endpoint=endpoint, timeout=EXPORT_TIMEOUT_S)
    elif settings.metrics == "console":
        exporter = ConsoleMetricExporter(out=stdout, formatter=lambda data: str(data.to_json(indent=None)) + "\n")
    else:
        return None
    reader = PeriodicExportingMetricReader(exporter, settings.metrics_every_s * 1e3, EXPORT_TIMEOUT_S * 1e3)
    return MeterProvider([reader], resource, AlwaysOffExemplarFilter(), shutdown_on_exit=False)


def line(span: ReadableSpan) -> str:
    """A span as one line of JSON: trace_id, span_id, parent_id, name, kind, start (UTC), duration_ms, error,
    attributes, links (trace ids with span ids)."""
    context = span.get_span_context()
    assert context is not None
    started_ns, ended_ns = span.start_time or 0, span.end_time or 0
    about: dict[str, Any] = {
        "trace_id": format_trace_id(context.trace_id),
        "span_id": format_span_id(context.span_id),
        "parent_id": format_span_id(span.parent.span_id) if span.parent else "",
        "name": span.name,
        "kind": span.kind.name.lower(),
        "start": datetime.fromtimestamp(started_ns / 1e9, UTC).isoformat(timespec="microseconds"),
        "duration_ms": round((ended_ns - started_ns) / 1e6, 3),
        "error": span.status.status_code is StatusCode.ERROR,
        "attributes": dict(span.attributes or {}),
        "links": [
            f"{format_trace_id(link.context.trace_id)}-{format_span_id(link.context.span_id)}" for link in span.links
        ],
    }
    return json.dumps(about, ensure_ascii=False, separators=(",", ":")) + "\n"


def _bounded(acts: tuple[Callable[[], object], ...], seconds_max: float) -> bool:
    """Runs all acts at once on daemon threads and waits for `seconds_max` together. False: one was not done."""
    # The SDK's own shutdown waits up to 30 s for a dead collector and takes no other bound.
    threads = _started(acts)
    ends_at_s = time.monotonic() + seconds_max
    for thread in threads:
        thread.join(max(0.0, ends_at_s - time.monotonic()))
    return not any(thread.is_alive() for thread in threads)


def _started(acts: tuple[Callable[[], object], ...]) -> list[threading.Thread]:
    threads = [threading.Thread(target=act, daemon=True, name="telemetry-end") for act in acts]
    for thread in threads:
        thread.start()
    return threads
