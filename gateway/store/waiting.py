"""The writes between the event loop and the writer's thread: the one queue in.

A commit costs two flushes and a dozen pages whatever it carries, so under load it pays to let it gather: one that
would carry fewer writes than the last one did waits for as many, for at most GATHER_S. None waits behind a commit of a
single write, so a quiet house is as quick as its disk.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from gateway.store.job import Job

GATHER_S: Final = 0.001  # about the price of a commit: no write waits longer than the commit it is spared


class Waiting:
    """Filled by the event loop, emptied by the writer's thread."""

    def __init__(self) -> None:
        self._jobs: deque[Job] = deque()
        self._writes = 0
        self._changed = threading.Condition()
        self._enough = 1
        """So many writes wake the writer."""
        self._last = 0
        """Writes that the last commit was given."""
        self._closed = False

    @property
    def closed(self) -> bool:
        return self._closed

    def add(self, jobs: Sequence[Job], writes: int) -> None:
        """`writes` is the weight of the jobs."""
        with self._changed:
            self._jobs.extend(jobs)
            self._writes += writes
            if self._writes >= self._enough:
                self._changed.notify()

    def close(self) -> None:
        """What waits is still taken; then the writer is told the end."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def take_all(self) -> list[Job]:
        with self._changed:
            jobs, self._jobs, self._writes = list(self._jobs), deque(), 0
        return jobs

    def take(self, patience_s: float, most: Callable[[], int]) -> list[Job] | None:
        """The jobs of the next commit: at most `most()` writes, or one job; none where none came within
        `patience_s`; None at the end."""
        with self._changed:
            self._wait_for(1, patience_s)
            if not self._jobs:
                return None if self._closed else []
            self._wait_for(self._last, GATHER_S)
            jobs: list[Job] = []
            writes, writes_max = 0, most()
            while self._jobs and (not jobs or writes + self._jobs[0].weight <= writes_max):
                jobs.append(self._jobs.popleft())
                writes += jobs[-1].weight
            self._writes -= writes
            self._last = writes
        return jobs

    def _wait_for(self, writes: int, seconds: float) -> None:
        """While holding the lock; it may end early, which costs nothing but a smaller commit."""
        self._enough = writes
        if self._writes < writes and not self._closed:
            self._changed.wait(seconds)
        self._enough = 1
