"""A log that nobody reads delays nothing, and says what it had to leave out."""

import io
import logging
import threading
import time
from collections.abc import Iterator

import pytest

from gateway.telemetry.log_writer import FLUSH_S_MAX, LOG_QUEUE_MAX, QueuedHandler
from tests.fills import fills


class Stalled(io.StringIO):
    """A stream whose reader does not read until `reads` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = threading.Event()
        self.writing = threading.Event()

    def write(self, text: str) -> int:
        self.writing.set()
        assert self.reads.wait(30)
        return super().write(text)


@pytest.fixture
def stalled() -> Iterator[Stalled]:
    stream = Stalled()
    yield stream
    stream.reads.set()


def record(level: int, message: str) -> logging.LogRecord:
    return logging.LogRecord("gateway.test", level, __file__, 1, message, None, None)


@fills("LOG_QUEUE_MAX")
def test_stalled_reader_delays_nobody(stalled: Stalled) -> None:
    """More records than the queue holds are taken at once while the stream hangs; the rest is counted and told."""
    handler = QueuedHandler(stalled)
    handler.emit(record(logging.INFO, "first"))
    assert stalled.writing.wait(5)
    for number in range(LOG_QUEUE_MAX + 7):
        handler.emit(record(logging.INFO, str(number)))
    stalled.reads.set()
    handler.flush()
    handler.emit(record(logging.INFO, "after"))
    handler.flush()
    lines = stalled.getvalue().splitlines()
    assert len(lines) == 1 + LOG_QUEUE_MAX + 2
    assert lines[-2:] == ["log records dropped", "after"]
    handler.close()


@fills("FLUSH_S_MAX")
def test_critical_record_waits_for_the_reader_within_a_bound(stalled: Stalled) -> None:
    """The last words before an exit get a chance to be read, but cannot hold the exit up."""
    handler = QueuedHandler(stalled)
    began_s = time.monotonic()
    handler.emit(record(logging.CRITICAL, "the store failed"))
    assert FLUSH_S_MAX * 0.9 < time.monotonic() - began_s < FLUSH_S_MAX + 1.0
    stalled.reads.set()
    handler.close()
    assert stalled.getvalue() == "the store failed\n"


def test_gone_reader_is_no_error() -> None:
    """A closed pipe ends the log, not the daemon."""
    stream = io.StringIO()
    stream.close()
    handler = QueuedHandler(stream)
    handler.emit(record(logging.ERROR, "nobody hears"))
    handler.close()
