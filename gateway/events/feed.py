"""The feed of facts: what was committed, in order, from any position on.

What can go wrong: a commit between "nothing new in the store" and "wait for news" would be slept through. So the bell
that is waited for is taken *before* the store is read; a commit in between has rung it already.

A watcher only ever reads the store, a page at a time and at its own pace. The writer rings and knows no watcher: the
slowest one in the world costs payments nothing.
"""

from collections.abc import AsyncGenerator, Sequence

import trio

from gateway import limits
from gateway.core.errors import Overloaded
from gateway.core.facts import Fact
from gateway.core.ports import Store

RETRY_AFTER_S = 5.0
"""When a place for a watcher may have become free."""


class Feed:
    """One per store. Listens to its commits from the moment it is made."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._bell = trio.Event()
        self._watchers = 0
        store.on_commit(self._ring)

    @property
    def watchers(self) -> int:
        """How many follow now."""
        return self._watchers

    async def follow(self, after: int, *, patience_s: float = float("inf")) -> AsyncGenerator[Sequence[Fact], None]:
        """Pages of all facts above `after`, in order, without end: what the store has, then what is committed.

        An empty page says that all was told and nothing came for `patience_s` seconds; one comes at once where there
        is nothing to begin with. Raises Overloaded at the first page where limits.WATCHERS_MAX follow already.
        Close it (contextlib.aclosing), or its place stays taken until the garbage collector finds it.
        """
        if self._watchers >= limits.WATCHERS_MAX:
            raise Overloaded("the number of watchers", RETRY_AFTER_S)
        self._watchers += 1
        try:
            bell = self._bell
            page = await self._store.facts(after, limits.WATCH_PAGE_MAX)
            yield page
            while True:
                if page:
                    after = page[-1].sequence
                came = len(page) == limits.WATCH_PAGE_MAX or await _rung(bell, patience_s)
                bell = self._bell
                page = await self._store.facts(after, limits.WATCH_PAGE_MAX)
                if page or not came:
                    yield page
        finally:
            self._watchers -= 1

    def _ring(self, facts: Sequence[Fact]) -> None:
        """Called on the event loop after each commit."""
        self._bell.set()
        self._bell = trio.Event()


async def _rung(bell: trio.Event, patience_s: float) -> bool:
    with trio.move_on_after(patience_s):
        await bell.wait()
    return bell.is_set()
