"""A histogram's buckets, counted by us and told as the SDK tells its own: recording into the SDK's costs ten times as
much, and happens on the way of every payment."""

import math
from bisect import bisect_left
from collections.abc import Mapping
from typing import Final

from opentelemetry.sdk.metrics.export import HistogramDataPoint

from gateway.telemetry import names


class Buckets:
    """One combination of attributes. Not for several threads at once: the meter's lock is held around each method."""

    __slots__ = ("_began_at_ns", "bounds", "counts", "least", "most", "outside", "total")

    def __init__(self, bounds: tuple[float, ...], outside: Mapping[str, names.Value], began_at_ns: int) -> None:
        """`bounds`: the upper ones, which belong to their bucket; one more bucket takes what is above the last."""
        self.bounds: Final = bounds
        self.outside: Final = outside
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0
        self.least, self.most = math.inf, -math.inf
        self._began_at_ns = began_at_ns

    def add(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value
        if value < self.least:
            self.least = value
        if value > self.most:
            self.most = value

    def point(self, now_ns: int, *, delta: bool) -> HistogramDataPoint | None:
        """Since the beginning, or (`delta`) since the last call. None: nothing happened."""
        count = sum(self.counts)
        if not count:
            self._began_at_ns = now_ns
            return None
        point = HistogramDataPoint(
            attributes=self.outside,
            start_time_unix_nano=self._began_at_ns,
            time_unix_nano=now_ns,
            count=count,
            sum=self.total,
            bucket_counts=tuple(self.counts),
            explicit_bounds=self.bounds,
            min=self.least,
            max=self.most,
        )
        if delta:
            self.counts = [0] * len(self.counts)
            self.total = 0.0
            self.least, self.most = math.inf, -math.inf
            self._began_at_ns = now_ns
        return point
