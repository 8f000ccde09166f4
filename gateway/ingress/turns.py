"""Pages are read and translated one part after another, whoever asks for them.

What goes wrong without: all tasks that are ready run before any socket is looked at again. A hundred calls for pages
of a thousand payments, ready at once, kept payments and everybody else waiting for a quarter of a minute.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import trio

from gateway.core.errors import Overloaded

TURN_MAX: Final = 10
"""Payments or facts translated at a time: some 0.6 ms of work."""
GIVE_WAY_TURNS: Final = 5
"""Turns of the loop between two parts: an answer takes its call through about five, and should not meet a part in
each. Of a page made while nobody else calls they take a fifth of the time."""
PAGES_WAITING_MAX: Final = 32
"""Calls that wait for a part of their page: a few seconds of work."""
RETRY_AFTER_S: Final = 1.0


class Turns:
    """One after another, in the order of asking."""

    def __init__(self) -> None:
        self._lock = trio.StrictFIFOLock()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Everybody else's turn comes before the caller's next one."""
        async with self._lock:
            yield
            for _ in range(GIVE_WAY_TURNS):
                await trio.lowlevel.checkpoint()

    async def pause(self) -> None:
        """Waits for a turn; what follows it until the next checkpoint is done in it."""
        async with self.turn():
            pass

    def check_room(self) -> None:
        """Raises Overloaded where too many wait already."""
        if self._lock.statistics().tasks_waiting >= PAGES_WAITING_MAX:
            raise Overloaded("the pages asked for", RETRY_AFTER_S)
