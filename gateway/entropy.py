"""Random bytes in small pieces, from the system in large ones.

A question to the system lets go of the interpreter, and on the event loop that costs a turn of the writer's thread:
for the ten bytes of a payment's id more than for all the rest of it.
"""

import os
from collections.abc import Callable
from typing import Final

DRAWN_BYTES: Final = 4_096  # four hundred ids


class Entropy:
    """Called with a number of bytes, gives as many that nobody else gets. For one process: it must not be forked."""

    def __init__(self, draw: Callable[[int], bytes] = os.urandom) -> None:
        self._draw = draw
        self._drawn = b""
        self._at = 0

    def __call__(self, size: int) -> bytes:
        if self._at + size > len(self._drawn):
            self._drawn, self._at = self._draw(max(size, DRAWN_BYTES)), 0
        start, self._at = self._at, self._at + size
        return self._drawn[start : self._at]
