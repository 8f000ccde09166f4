"""How long commits take at present: a fixed part, for the two flushes, and a part for each write in them.

Only the second grows with a queue. Where the fixed part is all, a fuller commit costs nothing and the queue may fill
one; where each write costs, what waits is time. The two are told apart by a line through the last commits (least
squares). Commits that are all of a size show no slope, and a stall shows a wrong one: so what is known of the slope is
kept without sizes that differ, and falls by half at most with each commit.
"""

from collections import deque
from typing import Final

from gateway import limits

COMMITS: Final = 8  # looked at; a disk that becomes slow is known as such after a few
SURPRISE: Final = 4.0  # times what was expected: the disk has changed, and older commits say nothing any more
FIXED_SHARE: Final = 0.05  # of a commit: a larger one would spare the disk no more than that
SPREAD_MIN: Final = 0.0025  # variance of sizes over their mean squared: below, five per cent, sizes say nothing


class Pace:
    """Told of each commit by the writer's thread, asked by the event loop: `_line` is replaced whole."""

    def __init__(self) -> None:
        self._line = (0.0, 0.0)
        self._commits: deque[tuple[int, float]] = deque(maxlen=COMMITS)

    def measured(self, writes: int, seconds: float) -> None:
        """A commit of so many writes took so long, filling included."""
        if len(self._commits) > 1 and seconds > SURPRISE * self.seconds(writes):
            self._commits.clear()
        self._commits.append((writes, seconds))
        count = len(self._commits)
        mean_writes = sum(writes for writes, _ in self._commits) / count
        mean_s = sum(seconds for _, seconds in self._commits) / count
        variance = sum((writes - mean_writes) ** 2 for writes, _ in self._commits)
        each_s = self._line[1]
        if variance > count * SPREAD_MIN * mean_writes**2:
            product = sum((writes - mean_writes) * (seconds - mean_s) for writes, seconds in self._commits)
            each_s = max(each_s / 2, product / variance)
        each_s = min(each_s, mean_s / mean_writes)
        self._line = (mean_s - each_s * mean_writes, each_s)

    def seconds(self, writes: int) -> float:
        """What a commit of so many takes, as far as is known."""
        fixed_s, each_s = self._line
        return fixed_s + each_s * writes

    def commit_writes(self) -> int:
        """Writes of a commit whose fixed part is FIXED_SHARE of it: larger ones hardly spare the disk anything. From
        COMMIT_SHEDDING_MIN to COMMIT_PAYMENTS_MAX."""
        fixed_s, each_s = self._line
        if each_s * limits.COMMIT_PAYMENTS_MAX * FIXED_SHARE <= fixed_s:
            return limits.COMMIT_PAYMENTS_MAX
        return max(limits.COMMIT_SHEDDING_MIN, int(fixed_s / (each_s * FIXED_SHARE)))

    def writes_max(self) -> int:
        """Writes that may wait, in all commits ahead: what they add to the fixed parts takes ADMISSION_WRITES_S_MAX,
        or FIXED_PARTS_MAX fixed parts, so that a disk whose flushes are slow is still used well. Never below
        ADMISSIONS_WAITING_MIN: a few commits on
        a busy machine say little."""
        fixed_s, each_s = self._line
        worth_s = max(limits.ADMISSION_WRITES_S_MAX, limits.FIXED_PARTS_MAX * fixed_s)
        if each_s * limits.WRITER_QUEUE_MAX <= worth_s:
            return limits.WRITER_QUEUE_MAX
        return max(limits.ADMISSIONS_WAITING_MIN, int(worth_s / each_s))
