"""What leaves the house arrives, and a collector that does not take it delays nothing."""

import json
import socket
import time
from pathlib import Path

import pytest

from gateway.telemetry import names
from gateway.telemetry.meter import SERIES_MAX
from gateway.telemetry.span_export import SPAN_BATCH_MAX, SPAN_QUEUE_MAX
from tests.fills import fills
from tests.telemetry.conftest import Collector, Listen

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_spans_arrive_at_an_otlp_collector(listen: Listen, collector: Collector) -> None:
    """Trace, parent, times, kind, status and attributes arrive as OTLP protobuf; the resource says who speaks."""
    heard = listen(traces="otlp", otlp_endpoint=collector.endpoint)
    with heard.trail.span(names.EXCHANGE, parent=PARENT, bank="northbank", http_status=503) as span:
        span.failed("BANK_ERROR")
    assert heard.telemetry.shutdown()
    (got,) = collector.spans
    assert got.trace_id.hex() == "0af7651916cd43dd8448eb211c80319c"
    assert got.parent_span_id.hex() == "b7ad6b7169203331"
    assert (got.kind, got.status.code) == (3, 2)
    assert 0 < got.start_time_unix_nano <= got.end_time_unix_nano
    values = {pair.key: pair.value.string_value or pair.value.int_value for pair in got.attributes}
    assert values == {"causeway.bank": "northbank", "http.response.status_code": 503, "error.type": "BANK_ERROR"}
    assert collector.resource == {"service.name": "causeway", "service.instance.id": "test"}


def test_metrics_arrive_at_an_otlp_collector(listen: Listen, collector: Collector) -> None:
    """Counters, histograms with our bounds, and gauges arrive with their units."""
    heard = listen(metrics="otlp", otlp_endpoint=collector.endpoint)
    heard.trail.count(names.PAYMENTS, 2, bank="northbank", state="ACCEPTED")
    heard.trail.count(names.PAYMENTS, bank="northbank", state="ACCEPTED")
    heard.trail.count(names.PAYMENTS, bank="northbank", state="SETTLED")
    heard.trail.observe(names.COMMIT_S, 0.02)
    heard.trail.gauge(names.QUEUE_DEPTH, lambda: [(7, {"queue": "writer"}), (1, {"colour": "red"})])
    assert heard.telemetry.shutdown()
    by_name = {metric.name: metric for metric in collector.metrics}
    points = by_name[names.PAYMENTS].sum.data_points
    assert sorted((point.as_int, len(point.attributes)) for point in points) == [(1, 2), (3, 2)]
    (commit,) = by_name[names.COMMIT_S].histogram.data_points
    assert (by_name[names.COMMIT_S].unit, commit.count, tuple(commit.explicit_bounds)) == ("s", 1, names.SECONDS)
    (depth,) = by_name[names.QUEUE_DEPTH].gauge.data_points
    assert (depth.as_double or depth.as_int, depth.attributes[0].key) == (7, "causeway.queue")


@fills("SERIES_MAX")
def test_series_are_bounded(listen: Listen, collector: Collector) -> None:
    """An identifier in a metric costs one extra series, not memory without end."""
    heard = listen(metrics="otlp", otlp_endpoint=collector.endpoint)
    for number in range(SERIES_MAX + 10):
        heard.trail.count(names.PAYMENTS, bank=f"bank{number}", state="ACCEPTED")
    assert heard.telemetry.shutdown()
    (metric,) = [metric for metric in collector.metrics if metric.name == names.PAYMENTS]
    assert len(metric.sum.data_points) == SERIES_MAX + 1
    overflow = [point for point in metric.sum.data_points if point.attributes[0].key == "otel.metric.overflow"]
    assert overflow[0].as_int == 10


def test_span_file_has_a_line_per_span_and_one_owner(listen: Listen, tmp_path: Path) -> None:
    """`file:PATH` is appended to, in JSON, and readable by its owner only."""
    file = tmp_path / "spans.jsonl"
    for _ in range(2):
        heard = listen(traces=f"file:{file}")
        with heard.trail.span(names.RECOVER):
            pass
        assert heard.telemetry.shutdown()
    lines = [json.loads(text) for text in file.read_text().splitlines()]
    assert [span["name"] for span in lines] == ["causeway.recover"] * 2
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("kind", ["refuses", "never answers"])
def test_dead_collector_delays_neither_spans_nor_exit(listen: Listen, kind: str) -> None:
    """Spans close at once and the exit waits shutdown_s_max at most, whatever the collector does."""
    with socket.create_server(("127.0.0.1", 0), backlog=0 if kind == "refuses" else 16) as server:
        port = server.getsockname()[1]
        if kind == "refuses":
            server.close()
        endpoint = f"http://127.0.0.1:{port}"
        heard = listen(traces="otlp", metrics="otlp", otlp_endpoint=endpoint, shutdown_s_max=0.3)
        began_s = time.monotonic()
        for _ in range(2_000):
            with heard.trail.span(names.ADMIT, batch=1):
                pass
        spent_s = time.monotonic() - began_s
        began_s = time.monotonic()
        assert heard.telemetry.shutdown() is False
        waited_s = time.monotonic() - began_s
    assert spent_s < 2.0
    assert waited_s < 0.3 + 0.5


@fills("SPAN_QUEUE_MAX", "SPAN_BATCH_MAX")
def test_full_queue_drops_spans_and_goes_on(listen: Listen) -> None:
    """More spans than the queue holds while the collector hangs are dropped; memory stays bounded."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        endpoint = f"http://127.0.0.1:{server.getsockname()[1]}"
        heard = listen(traces="otlp", otlp_endpoint=endpoint, shutdown_s_max=0.0)
        for _ in range(SPAN_QUEUE_MAX + 2 * SPAN_BATCH_MAX):
            with heard.trail.span(names.ADMIT):
                pass
        assert "Queue full" in heard.text()
        heard.telemetry.shutdown()
