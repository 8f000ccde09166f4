"""Fail points: the places where a crash campaign ends the daemon on purpose. Off in every daemon that pays.

What can go wrong in a daemon that never forgets is decided by the moment at which it dies: between two lines of
`journey.deliver` lies the difference between a payment made once and one made twice. So these moments have names, and
a campaign (tests/campaign) kills the process in each of them and asks the bank's ledger afterwards.

Each place reads `if failpoints.armed: failpoints.reached(Point.X)`: one look at a module's flag while off. Nothing here
reads a file or the environment: `gateway.config.read_failpoints` does, and only when the daemon was started with the
switch *and* the environment agrees. Each point is reached from one thread only, so counting needs no lock.
"""

import logging
import os
import signal
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

logger = logging.getLogger(__name__)


class Point(StrEnum):
    """Where the process may end. In the order in which a payment meets them."""

    COMMIT_BEGUN = "commit.begun"  # the batch is taken from the queue, the transaction not begun
    COMMIT_FILLED = "commit.filled"  # everything put, nothing flushed
    COMMIT_DURABLE = "commit.durable"  # both flushes returned, nobody told
    COMMIT_TOLD = "commit.told"  # handed to the event loop: acknowledgements may be leaving
    SEND_MARKED = "send.marked"  # the attempt is committed, the exchange not begun
    SEND_FRAMED = "send.framed"  # the request is bytes, the transport does not have them
    SEND_WRITTEN = "send.written"  # the transport has all of the request that the windows let out
    SEND_ANSWERED = "send.answered"  # the exchange has ended, its outcome is not committed
    SEND_RECORDED = "send.recorded"  # its outcome is committed
    INQUIRY_ANSWERED = "inquiry.answered"  # the bank has said what it knows, it is not committed
    REPORT_READ = "report.read"  # a page of the mailbox is read, none of its words committed
    CURSOR_DUE = "cursor.due"  # its words are committed, the cursor is not
    CURSOR_MOVED = "cursor.moved"  # the cursor is committed
    RECOVERY_PAGE = "recovery.page"  # a start has put some of what was SENDING in doubt, not all


class Act(StrEnum):
    """What happens at a point."""

    KILL = "kill"  # SIGKILL to this process: no handler runs, nothing is flushed
    RAISE = "raise"  # FailPointReached, as a defect of ours would


class FailPointReached(Exception):
    """Raised at a point armed with Act.RAISE."""


@dataclass(frozen=True, slots=True)
class FailPoint:
    """One act, at the `hit`-th time (from 1) that `at` is reached."""

    at: Point
    hit: int = 1
    act: Act = Act.KILL


armed = False
"""Whether any fail point is set. Read at every point; written by `arm` and `disarm` only."""

_set: dict[Point, FailPoint] = {}
_hits: Counter[Point] = Counter()


def arm(points: Sequence[FailPoint]) -> None:
    """Sets these points, one act each, and counts hits from nought. The caller has checked that this is a test."""
    global armed
    disarm()
    _set.update({point.at: point for point in points})
    armed = bool(_set)


def disarm() -> None:
    """Every point is off again."""
    global armed
    armed = False
    _set.clear()
    _hits.clear()


def reached(at: Point) -> None:
    """Counts the hit and acts if it is the one. Raises FailPointReached, or does not return."""
    point = _set.get(at)
    if point is None:
        return
    _hits[at] += 1
    if _hits[at] != point.hit:
        return
    if point.act is Act.RAISE:
        raise FailPointReached(f"{at.value}, hit {point.hit}")
    # Written past all buffers: the log's last line says which point ended us.
    os.write(2, f"fail point {at.value}, hit {point.hit}: kill -9 of this process\n".encode())
    os.kill(os.getpid(), signal.SIGKILL)
