"""The clocks of the real world."""

import os
import sys
import time
import uuid
from pathlib import Path
from typing import Final

from gateway.core.payment import Uptime

BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
"""Drawn anew by Linux at each start of the machine, the same in all its containers (random(4))."""


class SystemClock:
    """core.ports.WallClock on the machine's clocks."""

    def __init__(self, boot_id: Path = BOOT_ID) -> None:
        self._boot = _boot(boot_id)

    def now_ns(self) -> int:
        return time.time_ns()

    def uptime(self) -> Uptime:
        """CLOCK_BOOTTIME on Linux. On other systems a clock that may stand still while the machine sleeps: less is then
        proven than was waited, never more."""
        clock = time.CLOCK_BOOTTIME if sys.platform == "linux" else time.CLOCK_MONOTONIC
        return Uptime(self._boot, time.clock_gettime_ns(clock))


def _boot(boot_id: Path) -> bytes:
    try:
        return uuid.UUID(boot_id.read_text().strip()).bytes
    except (OSError, ValueError):
        # Not Linux, or hidden from us. Then each process is a start of its own: what it waited itself still counts.
        return os.urandom(16)
