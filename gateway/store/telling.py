"""Those who waited for a commit are told in parts, one in each turn of the event loop: all whom we wake answer before a
socket is looked at again.

A turn of a loop that has much else to do is long, and a fixed part in each would be next to nothing: with a hundred
connections full of calls to refuse, those admitted waited for their answers, and with them the room for others. So a
part takes about as long as all others took since the last one, where that is more.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

import trio

from gateway import limits
from gateway.store.job import Job

ANSWER_S: Final = 0.0004
"""What an answer takes, with its way to the socket; said high, so that others keep the larger share."""


class Telling:
    """Runs on the event loop. `told` hears of each job before its caller is woken."""

    def __init__(self, token: trio.lowlevel.TrioToken, told: Callable[[Job], None]) -> None:
        self._token = token
        self._told = told

    def tell(self, jobs: Sequence[Job], *, sheds: bool) -> None:
        """The first part now, the others in the turns after. `sheds`: others are refused, and must not wait behind many
        answers."""
        self._part(jobs, limits.COMMIT_TOLD_SHEDDING_MAX if sheds else limits.COMMIT_TOLD_MAX, None)

    def _part(self, jobs: Sequence[Job], most: int, before_s: float | None) -> None:
        """`before_s`: when the part before was told, by what this thread has worked: a machine that stood still made
        nobody wait for others."""
        now_s = time.thread_time()
        room = most if before_s is None else max(most, int((now_s - before_s) / ANSWER_S))
        told = 0
        while told < len(jobs) and room > 0:
            job = jobs[told]
            told += 1
            room -= job.weight
            self._told(job)
            job.done.set()
        if told < len(jobs):
            with suppress(trio.RunFinishedError):  # the loop has ended: nobody is left to be woken
                self._token.run_sync_soon(self._part, jobs[told:], most, now_s)
