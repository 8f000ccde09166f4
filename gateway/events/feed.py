"""The feed of facts: what was committed, in order, from any position on.

What can go wrong: a commit between "nothing new in the store" and "wait for news" would be slept through. So the bell
that is waited for is taken *before* the store is read; a commit in between has rung it already.

A watcher reads at its own pace, a page at a time: the latest facts from memory, older ones from the store. The writer
rings and knows no watcher: the slowest one in the world costs payments nothing, and a thousand that have caught up
read each fact out of the store not even once.
"""

from collections.abc import AsyncGenerator, Sequence
from typing import Final

import trio

from gateway import limits
from gateway.core.errors import Overloaded
from gateway.core.facts import Fact
from gateway.core.ports import Store

RETRY_AFTER_S: Final = 5.0
"""When a place for a watcher may have become free."""
RECENT_MAX: Final = 10 * limits.WATCH_PAGE_MAX
"""Latest facts kept in memory, below 1 MiB: whoever is further behind reads the store."""


class Feed:
    """One per store. Listens to its commits from the moment it is made."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._bell = trio.Event()
        self._recent: list[Fact] = []
        self._watchers = 0
        self._closed = False
        self._reading = trio.Lock()  # a thousand who are behind read one after another, and payments go on between
        store.on_commit(self._ring)

    @property
    def watchers(self) -> int:
        """How many follow now."""
        return self._watchers

    async def follow(self, after: int, *, patience_s: float = float("inf")) -> AsyncGenerator[Sequence[Fact], None]:
        """Pages of all facts above `after`, in order: what the store has, then what is committed. Ends with `close`.

        An empty page says that all was told and nothing came for `patience_s` seconds; one comes at once where there
        is nothing to begin with. Raises Overloaded at the first page where limits.WATCHERS_MAX follow already.
        Close it (contextlib.aclosing), or its place stays taken until the garbage collector finds it.
        """
        if self._watchers >= limits.WATCHERS_MAX:
            raise Overloaded("the number of watchers", RETRY_AFTER_S)
        self._watchers += 1
        try:
            bell = self._bell
            page = await self._page(after)
            yield page
            while not self._closed:
                if page:
                    after = page[-1].sequence
                came = len(page) == limits.WATCH_PAGE_MAX or await _rung(bell, patience_s)
                bell = self._bell
                page = await self._page(after)
                if page or not came:
                    yield page
        finally:
            self._watchers -= 1

    def close(self) -> None:
        """Ends every follower, once it has been told what there is: the house is going down, and they resume with the
        next one."""
        self._closed = True
        self._bell.set()

    async def _page(self, after: int) -> Sequence[Fact]:
        recent = self._recent
        if not recent or after + 1 < recent[0].sequence:
            async with self._reading:
                return await self._store.facts(after, limits.WATCH_PAGE_MAX)
        await trio.lowlevel.checkpoint()
        start = after + 1 - recent[0].sequence  # sequences have no gaps
        return recent[start : start + limits.WATCH_PAGE_MAX]

    def _ring(self, facts: Sequence[Fact]) -> None:
        """Called on the event loop after each commit."""
        if not facts:
            return
        follows_on = not self._recent or facts[0].sequence == self._recent[-1].sequence + 1
        # Should a commit ever not be told of, its facts are found in the store, not missed.
        self._recent = [*(self._recent if follows_on else ()), *facts][-RECENT_MAX:]
        bell, self._bell = self._bell, trio.Event()
        bell.set()


async def _rung(bell: trio.Event, patience_s: float) -> bool:
    with trio.move_on_after(patience_s):
        await bell.wait()
    return bell.is_set()
