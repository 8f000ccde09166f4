"""When a lane stops trying: after failures in a row it waits, then lets one message test whether the bank is back.

Without it an unreachable bank costs two commits per payment and try, and a bank that hangs turns its whole queue into
doubts that people must clear.
"""

from dataclasses import dataclass
from enum import StrEnum


class Breaker(StrEnum):
    CLOSED = "CLOSED"
    OPEN = "OPEN"
    HALF_OPEN = "HALF_OPEN"


@dataclass(slots=True)
class BreakerState:
    """Pure; times are seconds of any monotonic clock."""

    failures_max: int
    """Failures in a row that open it."""
    open_s: float
    """How long it stays open before one message may try."""
    failures: int = 0
    opened_at_s: float | None = None
    trying: bool = False
    """A message is on its way to test the bank."""

    def now(self, at_s: float) -> Breaker:
        if self.opened_at_s is None:
            return Breaker.CLOSED
        # By the very sum that says how long to wait: another one may round otherwise, and the lane would wait 0 s.
        return Breaker.OPEN if self.opens_in_s(at_s) else Breaker.HALF_OPEN

    def allows(self, at_s: float) -> int | None:
        """How many messages may leave now: None = no bound of the breaker's, 0 = none, 1 = one that tests."""
        match self.now(at_s):
            case Breaker.CLOSED:
                return None
            case Breaker.OPEN:
                return 0
            case Breaker.HALF_OPEN:
                return 0 if self.trying else 1

    def opens_in_s(self, at_s: float) -> float:
        """Seconds until a message may try again; 0 where one may now."""
        return 0.0 if self.opened_at_s is None else max(0.0, self.opened_at_s + self.open_s - at_s)

    def began(self, at_s: float) -> None:
        """A message leaves."""
        if self.now(at_s) is Breaker.HALF_OPEN:
            self.trying = True

    def ended(self, *, answered: bool | None, at_s: float) -> None:
        """A message ended; `answered` says whether the bank took it in and said something of use, None that nothing was
        sent: that says nothing about the bank."""
        self.trying = False
        if answered is None:
            return
        if answered:
            self.failures, self.opened_at_s = 0, None
            return
        self.failures += 1
        if self.failures >= self.failures_max:
            self.opened_at_s = at_s
