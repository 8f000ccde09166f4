"""Starts and ends telemetry. The only place that knows where spans and metrics go.

A collector may be slow, dead or a black hole. Nothing on the way of a payment waits for it: closed spans go into a
bounded queue that drops when it is full, and are exported by a thread of their own. At the end `shutdown` gives what
is left a bounded time; the threads are daemons, so that an export that hangs cannot keep the process alive.
"""

import logging
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, TextIO

from opentelemetry.sdk.metrics import AlwaysOffExemplarFilter, MeterProvider
from opentelemetry.sdk.metrics.export import MetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

from gateway.config import TelemetrySettings
from gateway.telemetry import logs
from gateway.telemetry.meter import SCOPE, Meter
from gateway.telemetry.metric_export import ConsoleMetrics, OtlpMetrics
from gateway.telemetry.otlp import Encoder
from gateway.telemetry.span_export import Lines, Otlp, SpanExport, Way
from gateway.telemetry.trail import OtelTrail

SCHEMA_URL: Final = "https://opentelemetry.io/schemas/1.41.0"

EXPORT_TIMEOUT_S: Final = 5.0
"""One export, its repetitions included."""
LAST_EXPORT_S: Final = 0.5
"""What the last spans get to leave in, however long the house took to stop: a collector that is there needs less."""


Act = Callable[[], bool]
"""Exports, and says whether all is out. May block."""


@dataclass(frozen=True, slots=True)
class Telemetry:
    """Running telemetry. Stop it last: what the rooms say while they stop is worth most."""

    trail: OtelTrail
    shutdown_s_max: float
    _ends: tuple[Act, ...] = ()
    _flushes: tuple[Act, ...] = ()
    _files: tuple[TextIO, ...] = field(default=(), repr=False)
    _log: logging.Handler = field(default_factory=logging.NullHandler, repr=False)
    _began_s: list[float] = field(default_factory=list, repr=False)
    """When the end began, where it was announced."""

    def flush(self, timeout_s: float | None = None) -> bool:
        """Exports what is there. Blocks for `timeout_s` (default: shutdown_s_max) at most; False: not all is out."""
        whole = _bounded(self._flushes, self.shutdown_s_max if timeout_s is None else timeout_s)
        self._log.flush()
        return whole

    def begin_end(self) -> None:
        """The house begins to stop: what is there is exported beside that, and what `shutdown` may take counts from
        here. Returns at once; to be called once."""
        self._began_s.append(time.monotonic())
        _started(self._flushes, [])

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


def start(settings: TelemetrySettings, stdout: TextIO = sys.stdout, stderr: TextIO = sys.stderr) -> Telemetry:
    """Installs the log on `stderr` and starts what the settings ask for. `stdout` takes the console exporters.

    Raises OSError where the file of `traces = "file:PATH"` cannot be opened for appending.
    """
    log = logs.install(settings, stderr)
    about = {"service.name": settings.service_name, "service.instance.id": settings.instance_name}
    files: list[TextIO] = []
    way = _way(settings, about, stdout, files)
    spans = SpanExport(way) if way else None
    metering, meter = _metering(settings, about, stdout)
    ends: list[Act] = []
    flushes: list[Act] = []
    if spans is not None:
        ends.append(spans.end)
        flushes.append(spans.flush)
    if metering is not None:
        ends.append(partial(_ended, metering))
        flushes.append(metering.force_flush)
    trail = OtelTrail(spans, meter, sample_ratio=settings.traces_sample_ratio)
    return Telemetry(trail, settings.shutdown_s_max, tuple(ends), tuple(flushes), tuple(files), log)


def _way(settings: TelemetrySettings, about: Mapping[str, str], stdout: TextIO, files: list[TextIO]) -> Way | None:
    """Where spans go. Whether a trace is sampled is decided in trail.py, before a span comes there."""
    file = settings.traces_file
    if file is not None:
        files.append(_appending(file))
        return Lines(files[-1])
    if settings.traces == "console":
        return Lines(stdout)
    if settings.traces == "otlp":
        endpoint = f"{settings.otlp_endpoint.rstrip('/')}/v1/traces"
        return Otlp(endpoint, EXPORT_TIMEOUT_S, Encoder(about, SCOPE, SCHEMA_URL))
    return None


def _appending(file: Path) -> TextIO:
    """Readable by the owner only: spans hold no account data, but who pays when is nobody's business either."""
    file.touch(mode=0o600)
    return file.open("a", encoding="utf-8")


def _metering(
    settings: TelemetrySettings, about: Mapping[str, str], stdout: TextIO
) -> tuple[MeterProvider | None, Meter]:
    """The meter, and the SDK's part of it: None where nobody reads it."""
    meter = Meter(read=settings.metrics != "none")
    exporter: MetricExporter
    if settings.metrics == "otlp":
        endpoint = f"{settings.otlp_endpoint.rstrip('/')}/v1/metrics"
        exporter = OtlpMetrics(endpoint, EXPORT_TIMEOUT_S, meter)
    elif settings.metrics == "console":
        exporter = ConsoleMetrics(stdout, meter)
    else:
        return None, meter
    reader = PeriodicExportingMetricReader(exporter, settings.metrics_every_s * 1e3, EXPORT_TIMEOUT_S * 1e3)
    resource = Resource(about, SCHEMA_URL)
    provider = MeterProvider([reader], resource, AlwaysOffExemplarFilter(), shutdown_on_exit=False)
    meter.tell(provider.get_meter(SCOPE, schema_url=SCHEMA_URL))
    return provider, meter


def _ended(metering: MeterProvider) -> bool:
    """What could not be delivered the exporter tells in the log; a total not told once is told by the next start."""
    metering.shutdown()
    return True


def _bounded(acts: tuple[Act, ...], seconds_max: float) -> bool:
    """Runs all acts at once on daemon threads and waits for `seconds_max` together. False: one was not done, or not
    all of it is out."""
    # The SDK's own shutdown waits up to 30 s for a dead collector and takes no other bound.
    outs: list[bool] = []
    threads = _started(acts, outs)
    ends_at_s = time.monotonic() + seconds_max
    for thread in threads:
        thread.join(max(0.0, ends_at_s - time.monotonic()))
    return len(outs) == len(acts) and all(outs)


def _started(acts: tuple[Act, ...], outs: list[bool]) -> list[threading.Thread]:
    """`outs` takes what each act said when it is done."""

    def done(act: Act) -> None:
        outs.append(act())

    threads = [threading.Thread(target=done, args=(act,), daemon=True, name="telemetry-end") for act in acts]
    for thread in threads:
        thread.start()
    return threads
