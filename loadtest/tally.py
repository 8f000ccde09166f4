"""What came of the requests: counts, an HdrHistogram of latencies, and a line per second."""

from array import array
from dataclasses import asdict, dataclass
from typing import Any

from hdrh.histogram import HdrHistogram

LATENCY_US_MAX = 600_000_000  # longer ones count as ten minutes
DIGITS = 3  # significant decimal digits: a value is off by 0.1 % at most
PERCENTILES = (50.0, 90.0, 99.0, 99.9)
SHAPE = (0.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.5, 99.9, 99.95, 99.99, 100.0)
"""Percentiles of the latency curve in the report."""

NOTHING, ACKNOWLEDGED, REFUSED, FAILED, SENT = 0, 1, 2, 3, 4
"""What is known of a request, by its number."""


@dataclass(slots=True)
class Second:
    """One second of a run. Latencies in milliseconds; `backlog` is what was due and could not be sent yet."""

    at_s: float
    acknowledged: int = 0
    refused: int = 0
    failed: int = 0
    backlog: int = 0
    open_calls: int = 0
    p50_ms: float = 0.0
    p99_ms: float = 0.0


class Latencies:
    """An HdrHistogram in microseconds."""

    def __init__(self) -> None:
        self._histogram = HdrHistogram(1, LATENCY_US_MAX, DIGITS)

    def record(self, seconds: float, count: int = 1) -> None:
        self._histogram.record_value(max(1, min(int(seconds * 1e6), LATENCY_US_MAX)), count)

    @property
    def count(self) -> int:
        return int(self._histogram.get_total_count())

    def ms(self, percentile: float) -> float:
        """0.0 when nothing was recorded."""
        return float(self._histogram.get_value_at_percentile(percentile)) / 1e3

    def summary(self) -> dict[str, Any]:
        """Milliseconds by percentile, the largest, and the curve."""
        found: dict[str, Any] = {f"p{percentile:g}": self.ms(percentile) for percentile in PERCENTILES}
        found["max"] = self.ms(100.0)
        found["count"] = self.count
        found["curve"] = [[percentile, self.ms(percentile)] for percentile in SHAPE]
        return found


class Tally:
    """Collects from `measured_from_s` on (seconds of the run); before it is the warm-up, which only `seconds` show."""

    def __init__(self, measured_from_s: float = 0.0) -> None:
        self._from_s = measured_from_s
        self._second: array[float] = array("d")
        self._now = Second(0.0)
        self._refusals = Latencies()
        self._latencies = Latencies()
        self.seconds: list[Second] = []
        self.acknowledged = self.refused = self.failed = 0
        self.states = bytearray()
        self.statuses: dict[int, int] = {}

    def sent(self, number: int) -> None:
        """Requests are numbered from 0 without gaps."""
        if number >= len(self.states):
            self.states.extend(bytes(number + 1 - len(self.states)))
        self.states[number] = SENT

    def ended(self, number: int, status: int, due_s: float, sent_s: float, at_s: float) -> None:
        """`status` is gRPC's; a request that was due at `due_s` and left at `sent_s` ended at `at_s`. A refusal's time
        counts from when it left: what waited in our own queue before was not the server's to refuse."""
        measured = due_s >= self._from_s
        waited_s = at_s - due_s
        if status == 0:
            self.states[number] = ACKNOWLEDGED
            self._now.acknowledged += 1
            self._second.append(waited_s)
            if measured:
                self.acknowledged += 1
                self._latencies.record(waited_s)
            return
        refused = status in (8, 9, 3)  # RESOURCE_EXHAUSTED, FAILED_PRECONDITION, INVALID_ARGUMENT: said in plain words
        self.states[number] = REFUSED if refused else FAILED
        self._now.refused += refused
        self._now.failed += not refused
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if measured:
            self.refused += refused
            self.failed += not refused
            if refused:
                self._refusals.record(at_s - sent_s)

    def tick(self, at_s: float, backlog: int, open_calls: int) -> dict[str, Any]:
        """Ends the present second and returns it."""
        waits = sorted(self._second)
        now = self._now
        now.at_s, now.backlog, now.open_calls = round(at_s, 3), backlog, open_calls
        if waits:
            now.p50_ms = round(waits[len(waits) // 2] * 1e3, 3)
            now.p99_ms = round(waits[min(len(waits) - 1, int(len(waits) * 0.99))] * 1e3, 3)
        self.seconds.append(now)
        self._second, self._now = array("d"), Second(at_s)
        return asdict(now)

    def summary(self, measured_s: float) -> dict[str, Any]:
        """Everything measured. `measured_s` is the time since the warm-up."""
        return {
            "measured_s": measured_s,
            "acknowledged": self.acknowledged,
            "refused": self.refused,
            "failed": self.failed,
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
            "per_s": self.acknowledged / measured_s if measured_s > 0 else 0.0,
            "latency_ms": self._latencies.summary(),
            "refusal_ms": self._refusals.summary(),
            "seconds": [asdict(second) for second in self.seconds],
        }
