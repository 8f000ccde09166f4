"""Writes the log on a thread of its own.

Standard error is often a pipe. When its reader stalls, a write blocks, and with it would block the event loop and
every payment. So records are formatted where they arise (they need that task's trace ids) and written elsewhere, from
a bounded queue; what does not fit is dropped, counted, and told as soon as there is room again. Records that announce
the end of the process are waited for, within a bound.
"""

import logging
import threading
from queue import Full, Queue
from typing import Final, TextIO

LOG_QUEUE_MAX: Final = 10_000
"""Formatted records that wait to be written: some seconds of a very bad day, about 5 MiB."""

FLUSH_S_MAX: Final = 0.5
"""How long a critical record, and the end of the process, wait for the reader of the log."""


class QueuedHandler(logging.Handler):
    """A logging.Handler that never blocks on its stream, except for FLUSH_S_MAX after a critical record."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._queue: Queue[str | None] = Queue(LOG_QUEUE_MAX)
        self._dropped = 0
        threading.Thread(target=self._write, name="log-writer", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record)
        except Exception:
            # A record that cannot be formatted must not take down who logged it; logging has its own way to say so.
            self.handleError(record)
            return
        try:
            if self._dropped:
                self._queue.put_nowait(self._drop_notice())
                self._dropped = 0
            self._queue.put_nowait(text)
        except Full:
            self._dropped += 1
        if record.levelno >= logging.CRITICAL:
            self.flush()

    def flush(self) -> None:
        """Waits until everything is written, FLUSH_S_MAX at most."""
        with self._queue.all_tasks_done:
            self._queue.all_tasks_done.wait_for(lambda: not self._queue.unfinished_tasks, FLUSH_S_MAX)

    def close(self) -> None:
        self.flush()
        try:
            self._queue.put_nowait(None)
        except Full:
            pass  # the writer hangs on its stream; it is a daemon and ends with the process
        super().close()

    def _drop_notice(self) -> str:
        notice = logging.LogRecord(__name__, logging.WARNING, __file__, 0, "log records dropped", None, None)
        notice.count = self._dropped
        return self.format(notice)

    def _write(self) -> None:
        while (text := self._queue.get()) is not None:
            try:
                self._stream.write(text + "\n")
                self._stream.flush()
            except (OSError, ValueError):
                pass  # the reader is gone or the stream is closed: there is no one left to tell
            finally:
                self._queue.task_done()
        self._queue.task_done()
