"""What we count ourselves is told as the SDK would have told it."""

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.metrics import AlwaysOffExemplarFilter, MeterProvider
from opentelemetry.sdk.metrics import Histogram as Instrument
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader, Metric

from gateway.telemetry import names
from gateway.telemetry.meter import SERIES_MAX, Meter
from tests.telemetry.conftest import Collector, Listen

BANKS = st.sampled_from(["northbank", "southbank", "Not A Bank", "Nor This"])
EXCHANGES = st.lists(
    st.tuples(st.one_of(st.sampled_from(names.SECONDS), st.floats(0, 100)), BANKS, st.sampled_from(["answered", "x"])),
    max_size=30,
)


class Sdk:
    """The SDK's own histogram of exchanges."""

    def __init__(self, temporality: AggregationTemporality) -> None:
        self._reader = InMemoryMetricReader({Instrument: temporality})
        about = names.METRICS[names.EXCHANGE_S]
        provider = MeterProvider([self._reader], exemplar_filter=AlwaysOffExemplarFilter(), shutdown_on_exit=False)
        self._histogram = provider.get_meter("causeway").create_histogram(
            about.name, about.unit, about.meaning, explicit_bucket_boundaries_advisory=list(about.bounds)
        )

    def record(self, value: float, **attributes: str) -> None:
        known = {names.ATTRIBUTES[python]: value for python, value in attributes.items()}
        self._histogram.record(value, {about.key: names.let_through(about, given) for about, given in known.items()})

    def told(self) -> list[dict[str, Any]]:
        data = self._reader.get_metrics_data()
        told = plain(data.resource_metrics[0].scope_metrics[0].metrics) if data else []
        for metric in told:
            for point in metric["data"]["data_points"]:
                point["sum"] = pytest.approx(point["sum"])  # added up export by export, which rounds otherwise
        return told


def plain(metrics: Iterable[Metric]) -> list[dict[str, Any]]:
    """Metrics without their times, points in the order of their attributes."""
    told = [json.loads(metric.to_json()) for metric in metrics]
    for metric in told:
        for point in metric["data"]["data_points"]:
            assert 0 < point.pop("start_time_unix_nano") <= point.pop("time_unix_nano")
        metric["data"]["data_points"].sort(key=lambda point: sorted(point["attributes"].items()))
    return told


@pytest.mark.parametrize("temporality", [AggregationTemporality.CUMULATIVE, AggregationTemporality.DELTA])
@given(parts=st.lists(EXCHANGES, min_size=1, max_size=3))
def test_histograms_are_told_as_the_sdks(
    temporality: AggregationTemporality, parts: list[list[tuple[float, str, str]]]
) -> None:
    """Name, unit, attributes, bounds, buckets, sums, least and most are the SDK's at each export, with values on the
    bounds and above the last, and where several combinations are withheld and look alike."""
    ours, theirs = Meter(read=True), Sdk(temporality)
    for part in parts:
        for value, bank, result in part:
            assert ours.observe(names.EXCHANGE_S, value, {"bank": bank, "result": result})
            theirs.record(value, bank=bank, result=result)
        told = ours.histograms(delta=temporality is AggregationTemporality.DELTA)
        assert plain(told) == theirs.told()


def test_histograms_have_a_bounded_number_of_series() -> None:
    """What comes after SERIES_MAX combinations is observed together."""
    meter = Meter(read=True)
    for number in range(SERIES_MAX + 5):
        assert meter.observe(names.EXCHANGE_S, 0.1, {"bank": f"bank{number}"})
    (metric,) = plain(meter.histograms(delta=False))
    points = metric["data"]["data_points"]
    assert len(points) == SERIES_MAX + 1
    assert [point["count"] for point in points if "otel.metric.overflow" in point["attributes"]] == [5]


def test_a_meter_that_nobody_reads_keeps_nothing() -> None:
    """Without metrics an observation is checked, and forgotten."""
    meter = Meter(read=False)
    assert meter.observe(names.EXCHANGE_S, 0.1, {"bank": "northbank"})
    assert not meter.observe(names.EXCHANGE_S, 0.1, {"creditor": "x"})
    assert meter.histograms(delta=False) == []


def test_histograms_alone_arrive(listen: Listen, collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    """A house in which nothing was counted yet tells its histograms all the same; the temporality is what
    OpenTelemetry's environment variable asks for."""
    for preference, told in (("cumulative", 2), ("delta", 1)):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", preference)
        heard = listen(metrics="otlp", otlp_endpoint=collector.endpoint)
        collector.metrics.clear()
        heard.trail.observe(names.COMMIT_S, 0.02)
        assert heard.telemetry.shutdown()
        (commit,) = [metric for metric in collector.metrics if metric.name == names.COMMIT_S]
        assert (commit.histogram.aggregation_temporality, commit.histogram.data_points[0].count) == (told, 1)
