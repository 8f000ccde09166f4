"""Counters, histograms and gauges.

Counters and histograms are our own, which the SDK reads at each export: counting happens on the way of every payment,
and costs a fraction of what the SDK's own cost. Gauges are the SDK's.

Each metric has at most SERIES_MAX combinations of attributes; what comes after is counted together, marked with
`otel.metric.overflow` as OpenTelemetry does. An attribute's value is checked once per combination (telemetry.names).
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.metrics import Meter as SdkMeter
from opentelemetry.sdk.metrics.export import AggregationTemporality, Histogram, Metric

from gateway.telemetry import names
from gateway.telemetry.histograms import Buckets

SCOPE: Final = "causeway"
"""Who speaks, beside the resource: the SDK's "instrumentation scope"."""

SERIES_MAX: Final = 1_000
"""200 banks with a few states each; more means that somebody put an identifier into a metric."""

Reading = tuple[float, Mapping[str, str]]
"""A gauge's value and its attributes by their Python names."""

Attributes = Mapping[str, str | int | bool]
Key = tuple[tuple[str, str | int | bool], ...]
Outside = Mapping[str, names.Value]

OVERFLOW_KEY: Final[Key] = (("overflow", True),)
OVERFLOW: Final[Outside] = {"otel.metric.overflow": True}


class Meter:
    """All metrics of telemetry.names. One that nobody `read`s checks names, and counts for nobody."""

    def __init__(self, *, read: bool) -> None:
        self._read = read
        self._sdk: SdkMeter | None = None
        self._lock = threading.Lock()
        self._series: dict[str, dict[Key, Outside]] = {name: {} for name in names.METRICS}
        """Metric → combination as the house says it → as it leaves the house."""
        self._counts: dict[str, dict[Key, int]] = {name: {} for name in _of_kind("counter")}
        self._buckets: dict[str, dict[Key, Buckets]] = {name: {} for name in _of_kind("histogram")}
        """Combinations that look alike from outside (withheld) share theirs."""
        self.count(names.WITHHOLDINGS, 0, {})  # an alert needs its zero; and the SDK tells nothing where it has nothing

    def tell(self, sdk: SdkMeter) -> None:
        """Shows the counters to the SDK. To be called once, before there are gauges; `sdk` is that of SCOPE."""
        self._sdk = sdk
        for metric in _of_kind("counter").values():
            sdk.create_observable_counter(metric.name, [self._reader(metric.name)], metric.unit, metric.meaning)

    def count(self, name: str, n: int, attributes: Attributes) -> bool:
        """False: no such counter, or it may not have these attributes; nothing was counted."""
        key: Key | None = tuple(attributes.items())
        counts = self._counts.get(name)
        if counts is None or key not in counts:
            key = self._key("counter", name, attributes)
            if key is None:
                return False
            counts = self._counts[name]
        with self._lock:
            counts[key] = counts.get(key, 0) + n
        return True

    def observe(self, name: str, value: float, attributes: Attributes) -> bool:
        """False: no such histogram, or it may not have these attributes; nothing was recorded."""
        known = self._buckets.get(name)
        buckets = known.get(tuple(attributes.items())) if known else None
        if buckets is None:
            buckets = self._new_buckets(name, attributes)
            if buckets is None:
                return False
        if self._read:
            with self._lock:
                buckets.add(value)
        return True

    def histograms(self, *, delta: bool) -> list[Metric]:
        """What was observed, since the beginning or (`delta`) since the last call, for the SDK's exporters."""
        now_ns = time.time_ns()
        temporality = AggregationTemporality.DELTA if delta else AggregationTemporality.CUMULATIVE
        told = []
        for name, known in self._buckets.items():
            with self._lock:
                each = {id(buckets): buckets for buckets in known.values()}.values()
                points = [point for buckets in each if (point := buckets.point(now_ns, delta=delta))]
            if points:
                about = names.METRICS[name]
                told.append(Metric(name, about.meaning, about.unit, Histogram(points, temporality)))
        return told

    def gauge(self, name: str, read: Callable[[], Iterable[Reading]]) -> bool:
        """False: no such gauge."""
        metric = names.METRICS.get(name)
        if metric is None or metric.kind != "gauge":
            return False

        def observations(_: CallbackOptions) -> Iterator[Observation]:
            for value, attributes in read():
                key = self._key("gauge", name, attributes)
                if key is not None:
                    yield Observation(value, self._series[name][key])

        if self._sdk is not None:
            self._sdk.create_observable_gauge(name, [observations], metric.unit, metric.meaning)
        return True

    def _reader(self, name: str) -> Callable[[CallbackOptions], Iterator[Observation]]:
        def observations(_: CallbackOptions) -> Iterator[Observation]:
            series = self._series[name]
            with self._lock:
                counted = [(series[key], n) for key, n in self._counts[name].items()]
            for outside, n in _merged(counted):
                yield Observation(n, outside)

        return observations

    def _new_buckets(self, name: str, attributes: Attributes) -> Buckets | None:
        key = self._key("histogram", name, attributes)
        if key is None:
            return None
        outside, known = self._series[name][key], self._buckets[name]
        with self._lock:
            if key not in known:
                alike = (one for one in known.values() if one.outside == outside)
                known[key] = next(alike, None) or Buckets(names.METRICS[name].bounds, outside, time.time_ns())
            return known[key]

    def _key(self, kind: str, name: str, attributes: Attributes) -> Key | None:
        """The series these attributes count for; None where they are not allowed."""
        key = tuple(attributes.items())
        series = self._series.get(name)
        if series is not None and key in series and names.METRICS[name].kind == kind:
            return key
        metric = names.METRICS.get(name)
        if series is None or metric is None or metric.kind != kind:
            return None
        if any(python not in metric.attributes for python, _ in key):
            return None
        with self._lock:
            if len(series) >= SERIES_MAX:
                series.setdefault(OVERFLOW_KEY, OVERFLOW)
                return OVERFLOW_KEY
            about = ((names.ATTRIBUTES[python], value) for python, value in key)
            series[key] = {attribute.key: names.let_through(attribute, value) for attribute, value in about}
        return key


def _of_kind(kind: str) -> dict[str, names.Metric]:
    return {metric.name: metric for metric in names.METRICS.values() if metric.kind == kind}


def _merged(counted: Iterable[tuple[Outside, int]]) -> Iterable[tuple[Outside, int]]:
    """Combinations that look alike from outside (withheld, overflow) are one series."""
    merged: dict[tuple[tuple[str, names.Value], ...], int] = {}
    for outside, n in counted:
        key = tuple(sorted(outside.items()))
        merged[key] = merged.get(key, 0) + n
    return [(dict(key), n) for key, n in merged.items()]
