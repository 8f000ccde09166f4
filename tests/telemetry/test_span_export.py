"""Closed spans wait in a bounded queue; a collector that is away is asked ever more rarely, and costs nothing else."""

import threading
from collections.abc import Callable, Sequence

import pytest

from gateway.telemetry import names
from gateway.telemetry.meter import Meter
from gateway.telemetry.span_export import AWAY_S_MAX, SEND_TRIES_MAX, SPAN_BATCH_MAX, SPAN_QUEUE_MAX, Sent, SpanExport
from gateway.telemetry.trail import OpenSpan, OtelTrail
from tests.fills import fills
from tests.telemetry.conftest import Listen

WAIT_S_MAX = 20.0


class Collector:
    """A way out whose other side we are. `answer` says what becomes of a batch; what was encoded and sent is kept."""

    every_s = 1.0

    def __init__(self) -> None:
        self.answer: Callable[[], Sent] = lambda: Sent.TAKEN
        self.encoded: list[int] = []
        self.sent: list[bytes] = []
        self.closed = False
        self.tried = threading.Semaphore(0)

    def encode(self, spans: Sequence[OpenSpan]) -> bytes:
        self.encoded.append(len(spans))
        return f"{len(self.encoded)}:{len(spans)}".encode()

    def send(self, body: bytes) -> Sent:
        self.sent.append(body)
        try:
            return self.answer()
        finally:
            self.tried.release()

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def collector() -> Collector:
    return Collector()


def close_spans(export: SpanExport, n: int) -> None:
    trail = OtelTrail(export, Meter(read=False))
    for _ in range(n):
        with trail.span(names.SEND, bank="northbank"):
            pass


def test_a_full_batch_leaves_at_once(collector: Collector) -> None:
    """SPAN_BATCH_MAX spans do not wait for the time to be over, and leave together."""
    export = SpanExport(collector)
    close_spans(export, SPAN_BATCH_MAX)
    assert collector.tried.acquire(timeout=WAIT_S_MAX)
    assert export.end()
    assert (collector.encoded, collector.closed) == ([SPAN_BATCH_MAX], True)


def test_flush_sends_what_is_there_in_order(collector: Collector) -> None:
    """Nothing waits behind a flush, and what was closed first leaves first."""
    export = SpanExport(collector)
    close_spans(export, 3)
    assert export.flush()
    close_spans(export, 1)
    assert export.end()
    assert (collector.encoded, collector.sent) == ([3, 1], [b"1:3", b"2:1"])


@fills("SEND_TRIES_MAX", "AWAY_S_MAX")
def test_a_collector_that_is_away_gets_the_same_bytes_again(collector: Collector) -> None:
    """While nobody takes it one batch is encoded once and kept, and tried ever more rarely, at last each AWAY_S_MAX;
    after SEND_TRIES_MAX tries it is given up: one that a collector fails on does not keep the others, which leave."""
    waits: list[float] = []
    export = SpanExport(collector, waits.append)
    collector.answer = lambda: Sent.TAKEN if collector.sent[-1].startswith(b"2:") else Sent.AWAY
    close_spans(export, SPAN_BATCH_MAX + 5)
    for _ in range(SEND_TRIES_MAX + 1):
        assert collector.tried.acquire(timeout=WAIT_S_MAX)
    assert export.end()
    assert collector.sent == [f"1:{SPAN_BATCH_MAX}".encode()] * SEND_TRIES_MAX + [b"2:5"]
    doubling = [2.0**n for n in range(SEND_TRIES_MAX)]
    for waited, most in zip(waits, doubling, strict=False):
        assert min(most, AWAY_S_MAX) / 2 <= waited <= min(most, AWAY_S_MAX)
    assert doubling[-1] > AWAY_S_MAX
    assert len(waits) == SEND_TRIES_MAX


@fills("SPAN_QUEUE_MAX", "SPAN_BATCH_MAX")
def test_a_dead_collector_costs_a_bounded_queue(collector: Collector, listen: Listen) -> None:
    """Of spans beyond SPAN_QUEUE_MAX the oldest are let go, nothing of them is encoded, the log says so once and says
    how many when the collector is back."""
    heard = listen()
    collector.answer = lambda: Sent.AWAY
    export = SpanExport(collector)
    close_spans(export, SPAN_BATCH_MAX)
    assert collector.tried.acquire(timeout=WAIT_S_MAX)
    close_spans(export, SPAN_QUEUE_MAX + 7)
    assert collector.encoded == [SPAN_BATCH_MAX]
    collector.answer = lambda: Sent.TAKEN
    assert export.flush()
    assert sum(collector.encoded) == SPAN_BATCH_MAX + SPAN_QUEUE_MAX
    told = heard.logged("gateway.telemetry.span_export")
    assert [record.get("count") for record in told] == [None, 7]
    assert export.end()


def test_what_is_refused_is_not_sent_again(collector: Collector) -> None:
    """A collector that says no to a batch is not asked again about it, and gets the next."""
    export = SpanExport(collector)
    collector.answer = lambda: Sent.REFUSED if len(collector.sent) == 1 else Sent.TAKEN
    close_spans(export, 2)
    assert export.flush()
    close_spans(export, 1)
    assert export.end()
    assert collector.sent == [b"1:2", b"2:1"]


def test_a_defect_costs_its_batch_only(collector: Collector, listen: Listen) -> None:
    """A span that cannot be encoded, or a way that breaks, is told in the log and ends neither the thread nor the
    next batch."""
    heard = listen()

    def breaks() -> Sent:
        raise OSError(28, "no room")

    export = SpanExport(collector)
    collector.answer = breaks
    close_spans(export, 1)
    assert export.flush()
    collector.answer = lambda: Sent.TAKEN
    close_spans(export, SPAN_BATCH_MAX)
    for _ in range(2):
        assert collector.tried.acquire(timeout=WAIT_S_MAX)
    assert export.end()
    assert collector.encoded == [1, SPAN_BATCH_MAX]
    assert [record["message"] for record in heard.logged("gateway.telemetry.span_export")] == [
        "spans could not be sent",
        "a batch of spans was given up",
    ]
