"""Whether the disk has room, for those who ask with every instruction.

Asking the file system lets go of the interpreter, and who does that on the event loop while the writer's thread works
gets it back after daemon.SWITCH_S: three questions for one instruction cost more than all else that was done for it.
So where there is plenty, the answer holds for LOOK_S; near the reserve every question is asked.
"""

import time
from collections.abc import Callable
from typing import Final

LOOK_S: Final = 0.05
PLENTY: Final = 4
"""Times the reserve: nothing writes three reserves in LOOK_S, and the writer itself asks before each commit."""


class DiskRoom:
    """`free` tells the bytes that we may still take of the disk, of which `reserve_bytes` are to be left."""

    def __init__(
        self, free: Callable[[], int], reserve_bytes: int, steady: Callable[[], float] = time.monotonic
    ) -> None:
        self._free = free
        self._reserve_bytes = reserve_bytes
        self._steady = steady
        self._plenty_until = float("-inf")

    def there(self) -> bool:
        """Whether more than the reserve is free."""
        now = self._steady()
        if now < self._plenty_until:
            return True
        free = self._free()
        if free >= PLENTY * self._reserve_bytes:
            self._plenty_until = now + LOOK_S
        return free >= self._reserve_bytes
