"""Which steps of the event loop take long, and where they were: nobody else has a turn in one.

A step is what a task does from one checkpoint to the next; a round is every step between two looks at the sockets.
Seconds are those that the loop's thread worked (strangers' processes that take its core do not count), so the figures
of a loaded machine can be read. Where a long step was is seen by an alarm amid it, which the system rings by the wall's
clock: on a loaded machine some long steps have no place. Costs about 2 us a step: an instrument, not a part of the
daemon. Only for runs in the main thread.
"""

import gc
import signal
import time
from collections import Counter
from dataclasses import asdict, dataclass
from types import FrameType
from typing import Any, Final

import trio

LONG_S: Final = 0.005
KEPT_MAX: Final = 2_000
"""Long steps and long rounds that are remembered; those after them are only counted."""
FRAMES_MAX: Final = 8
"""Innermost frames that are told of each."""


@dataclass(frozen=True, slots=True)
class Step:
    """`at`: its end (time.monotonic). `collecting_s`: of its seconds, those of the garbage collector."""

    at: float
    seconds: float
    task: str
    where: tuple[str, ...]
    collecting_s: float


@dataclass(frozen=True, slots=True)
class Round:
    """`tasks`: name → how many steps and seconds of it, the largest first."""

    at: float
    seconds: float
    steps: int
    tasks: dict[str, tuple[int, float]]


class LongSteps(trio.abc.Instrument):
    """Give it to trio.run among its instruments."""

    def __init__(self, long_s: float = LONG_S) -> None:
        self.steps: list[Step] = []
        self.rounds: list[Round] = []
        self.unkept = 0
        self._long_s = long_s
        self._began = self._round_began = time.thread_time()
        self._where: tuple[str, ...] = ()
        self._collecting_since = self._collecting_s = 0.0
        self._count: Counter[str] = Counter()
        self._seconds: Counter[str] = Counter()

    def before_run(self) -> None:
        self._handler = signal.signal(signal.SIGALRM, self._look)
        gc.callbacks.append(self._collecting)

    def after_run(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, self._handler)
        gc.callbacks.remove(self._collecting)

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self._collecting_s = 0.0
        self._where = ()
        signal.setitimer(signal.ITIMER_REAL, self._long_s)
        self._began = time.thread_time()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        seconds = time.thread_time() - self._began
        self._count[task.name] += 1
        self._seconds[task.name] += seconds  # type: ignore[assignment]
        if seconds >= self._long_s:
            self._keep(self.steps, Step(time.monotonic(), seconds, task.name, self._where, self._collecting_s))

    def before_io_wait(self, timeout: float) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        seconds = time.thread_time() - self._round_began
        if seconds >= self._long_s:
            tasks = {name: (self._count[name], took) for name, took in self._seconds.most_common(FRAMES_MAX)}
            self._keep(self.rounds, Round(time.monotonic(), seconds, self._count.total(), tasks))

    def after_io_wait(self, timeout: float) -> None:
        self._count.clear()
        self._seconds.clear()
        self._round_began = time.thread_time()

    def report(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return {
            "steps": [asdict(one) for one in self.steps],
            "rounds": [asdict(one) for one in self.rounds],
            "unkept": self.unkept,
        }

    def _keep(self, kept: list[Any], one: Step | Round) -> None:
        if len(kept) < KEPT_MAX:
            kept.append(one)
        else:
            self.unkept += 1

    def _look(self, _: int, frame: FrameType | None) -> None:
        where: list[str] = []
        while frame is not None and len(where) < FRAMES_MAX:
            where.append(f"{frame.f_code.co_filename.rpartition('/')[2]}:{frame.f_lineno} {frame.f_code.co_name}")
            frame = frame.f_back
        self._where = tuple(where)

    def _collecting(self, phase: str, _: dict[str, int]) -> None:
        if phase == "start":
            self._collecting_since = time.thread_time()
        else:
            self._collecting_s += time.thread_time() - self._collecting_since
