"""The wall clock of the real world."""

import time


class SystemClock:
    """core.ports.WallClock on the machine's clock."""

    def now_ns(self) -> int:
        return time.time_ns()
