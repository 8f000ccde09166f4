"""The way of metrics out of the house: the SDK's exporters, which our histograms join just before they leave."""

from dataclasses import replace
from typing import Any, TextIO

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import Histogram as Instrument
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    ConsoleMetricExporter,
    MetricExportResult,
    MetricsData,
)

from gateway.telemetry.meter import SCOPE, Meter


class OtlpMetrics(OTLPMetricExporter):
    """To a collector."""

    def __init__(self, endpoint: str, timeout_s: float, meter: Meter) -> None:
        super().__init__(endpoint=endpoint, timeout=timeout_s)
        self._meter = meter

    def export(
        self, metrics_data: MetricsData, timeout_millis: float | None = 10_000, **kwargs: Any
    ) -> MetricExportResult:
        # OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE, as the SDK's reader heeds it for its own.
        preferred = self._preferred_temporality or {}
        delta = preferred.get(Instrument) is AggregationTemporality.DELTA
        return super().export(joined(metrics_data, self._meter, delta=delta), timeout_millis, **kwargs)


class ConsoleMetrics(ConsoleMetricExporter):
    """To the console, a line of JSON for each export."""

    def __init__(self, out: TextIO, meter: Meter) -> None:
        super().__init__(out=out, formatter=lambda data: str(data.to_json(indent=None)) + "\n")
        self._meter = meter

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> MetricExportResult:
        return super().export(joined(metrics_data, self._meter, delta=False), timeout_millis, **kwargs)


def joined(data: MetricsData, meter: Meter, *, delta: bool) -> MetricsData:
    """The same with the meter's histograms in its scope. (The SDK may tell of itself in another.)"""
    told = meter.histograms(delta=delta)
    (of_resource,) = data.resource_metrics
    scopes = [
        replace(one, metrics=[*one.metrics, *told]) if one.scope.name == SCOPE else one
        for one in of_resource.scope_metrics
    ]
    return MetricsData([replace(of_resource, scope_metrics=scopes)])
