"""Claims about following the log: every fact, in order, without a lost wake-up, at no cost to payments."""

from collections.abc import Sequence
from contextlib import aclosing
from itertools import pairwise

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from gateway import limits
from gateway.core.errors import Overloaded
from gateway.core.facts import Fact
from gateway.core.states import State
from gateway.events.feed import RECENT_MAX, Feed
from gateway.events.watch import watch
from tests.fakes.admissions import queued
from tests.fakes.clock import FakeClock
from tests.fakes.memory_store import MemoryStore
from tests.fills import fills

ALL = {"payment_ids": frozenset[bytes](), "states": frozenset[State](), "bank": ""}


async def admitted(store: MemoryStore, *keys: str) -> None:
    """Two facts a payment: received and cleared."""
    await store.admit([queued(key) for key in keys])


async def followed(feed: Feed, after: int, count: int) -> list[Fact]:
    """The next so many facts."""
    seen: list[Fact] = []
    async with aclosing(feed.follow(after)) as pages:
        async for page in pages:
            seen += page
            if len(seen) >= count:
                break
    return seen


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(FakeClock())


@fills("WATCH_PAGE_MAX")
async def test_from_any_position_every_later_fact_comes_once_and_in_order(store: MemoryStore) -> None:
    """Also over more pages than one."""
    payments = limits.WATCH_PAGE_MAX + 7
    await admitted(store, *(f"k{number}" for number in range(payments)))
    feed, last = Feed(store), 2 * payments
    for after in (0, 1, limits.WATCH_PAGE_MAX, last - 1):
        seen = await followed(feed, after, last - after)
        assert [fact.sequence for fact in seen] == list(range(after + 1, last + 1))


async def test_a_follower_that_has_caught_up_is_told_of_the_next_commit(
    store: MemoryStore, autojump_clock: MockClock
) -> None:
    """It sleeps until then: no polling, no matter how long."""
    feed = Feed(store)
    seen: list[Fact] = []

    async def follow() -> None:
        seen.extend(await followed(feed, 0, 4))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(follow)
        await trio.sleep(3_600)
        await admitted(store, "a")
        await wait_all_tasks_blocked()
        await trio.sleep(3_600)
        await admitted(store, "b")
    assert [fact.sequence for fact in seen] == [1, 2, 3, 4]


class CommitsWhileRead(MemoryStore):
    """Something is committed right after the first read: the moment a wake-up can be lost."""

    sneaks: int = 1

    async def facts(self, after: int, limit: int) -> list[Fact]:
        page = await super().facts(after, limit)
        if self.sneaks:
            self.sneaks -= 1
            await admitted(self, "sneaked")
        return page


@pytest.mark.parametrize("before", [0, 1])
async def test_no_wake_up_is_lost(before: int, autojump_clock: MockClock) -> None:
    """A commit between "nothing more" and "wait for news" is seen without another commit."""
    store = CommitsWhileRead(FakeClock())
    await admitted(store, *["before"][:before])
    with trio.fail_after(60):
        seen = await followed(Feed(store), 0, 2 * before + 2)
    assert [fact.sequence for fact in seen] == list(range(1, 2 * before + 3))


async def test_a_slow_watcher_costs_payments_nothing(store: MemoryStore, autojump_clock: MockClock) -> None:
    """While it does not read, commits go on, nothing is kept for it, and later it still gets every fact."""
    feed = Feed(store)
    async with aclosing(feed.follow(0)) as pages:
        assert await anext(pages) == []
        started_s = trio.current_time()
        for number in range(2 * limits.WATCH_PAGE_MAX):
            await admitted(store, f"k{number}")
        assert trio.current_time() == started_s
        seen: list[Fact] = []
        while len(seen) < 4 * limits.WATCH_PAGE_MAX:
            page = await anext(pages)
            assert len(page) <= limits.WATCH_PAGE_MAX
            seen += page
    assert [fact.sequence for fact in seen] == list(range(1, 4 * limits.WATCH_PAGE_MAX + 1))


class CountsReads(MemoryStore):
    reads: int = 0

    async def facts(self, after: int, limit: int) -> list[Fact]:
        self.reads += 1
        return await super().facts(after, limit)


async def test_who_has_caught_up_does_not_read_the_store(autojump_clock: MockClock) -> None:
    """A thousand watchers of the newest facts cost the store one read each, when they come."""
    store = CountsReads(FakeClock())
    feed = Feed(store)
    async with aclosing(feed.follow(0)) as pages:
        assert await anext(pages) == []
        for number in range(20):
            await admitted(store, f"k{number}")
            assert [fact.sequence for fact in await anext(pages)] == [2 * number + 1, 2 * number + 2]
    assert store.reads == 1


async def test_a_commit_nobody_told_of_is_found_in_the_store(store: MemoryStore) -> None:
    """A gap between what the feed was told and what there is closes by reading; no fact is skipped."""
    feed = Feed(store)
    await admitted(store, "a")
    store._listeners.clear()
    await admitted(store, "untold")
    store.on_commit(feed._ring)
    await admitted(store, "b")
    assert [fact.sequence for fact in await followed(feed, 0, 6)] == [1, 2, 3, 4, 5, 6]


async def test_closing_ends_followers_after_what_there_is(store: MemoryStore, autojump_clock: MockClock) -> None:
    """Those asleep wake and end, those who come later get one page and end; nobody holds up the exit."""
    feed = Feed(store)
    ends: list[list[int]] = []

    async def follow() -> None:
        ends.append([fact.sequence async for page in feed.follow(0) for fact in page])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(follow)
        await wait_all_tasks_blocked()
        await admitted(store, "a")
        feed.close()
        await wait_all_tasks_blocked()
        await admitted(store, "b")
        nursery.start_soon(follow)
    assert ends == [[1, 2], [1, 2, 3, 4]]
    assert feed.watchers == 0


@fills("WATCHERS_MAX")
async def test_the_number_of_watchers_is_bounded_and_places_come_back(
    store: MemoryStore, autojump_clock: MockClock
) -> None:
    """One more than WATCHERS_MAX is told to come back; when one leaves, the next may stay."""
    feed = Feed(store)
    async with trio.open_nursery() as nursery:
        for _ in range(limits.WATCHERS_MAX):
            nursery.start_soon(followed, feed, 0, 1)
        await wait_all_tasks_blocked()
        assert feed.watchers == limits.WATCHERS_MAX
        with pytest.raises(Overloaded):
            await followed(feed, 0, 1)
        await admitted(store, "a")
    assert feed.watchers == 0
    assert len(await followed(feed, 0, 2)) == 2


async def told(
    store: MemoryStore, tenant: str, *, pages: int, after: int = 0, **which: object
) -> list[tuple[Sequence[Fact], int]]:
    """So many pages of a watcher."""
    seen: list[tuple[Sequence[Fact], int]] = []
    async with aclosing(watch(Feed(store), tenant, after, **{**ALL, **which})) as watching:  # type: ignore[arg-type]
        async for page in watching:
            seen.append(page)
            if len(seen) == pages:
                break
    return seen


async def test_a_watcher_sees_its_tenants_facts_that_fit(store: MemoryStore, autojump_clock: MockClock) -> None:
    """Tenant always; payment, state and bank where asked for; together they narrow."""
    await admitted(store, "a", "b")
    payments = await store.in_state(State.QUEUED, limit=10)
    tenant, one = payments[0].tenant, payments[0].id

    async def sequences(tenant: str, **which: object) -> list[int]:
        ((facts, looked_at),) = await told(store, tenant, pages=1, **which)
        assert looked_at == 4
        return [fact.sequence for fact in facts]

    assert await sequences(tenant) == [1, 2, 3, 4]
    assert await sequences("another") == []
    assert len(await sequences(tenant, payment_ids=frozenset({one}))) == 2
    assert await sequences(tenant, states=frozenset({State.QUEUED})) == [2, 4]
    assert await sequences(tenant, bank="nobank") == []
    assert len(await sequences(tenant, payment_ids=frozenset({one}), states=frozenset({State.QUEUED}))) == 1


async def test_silence_is_broken_by_heartbeats(store: MemoryStore, autojump_clock: MockClock) -> None:
    """At once where there is nothing to tell, and then every ten seconds, with the position as it stands."""
    await admitted(store, "a")
    started_s = trio.current_time()
    pages = await told(store, "another", pages=4)
    assert pages == [([], 2)] * 4
    assert trio.current_time() - started_s == pytest.approx(30.0)


async def test_facts_of_others_move_the_position_without_a_flood(store: MemoryStore, autojump_clock: MockClock) -> None:
    """A commit of others each second is a heartbeat each ten: the position follows, the line stays quiet."""
    seen: list[tuple[Sequence[Fact], int]] = []

    async def watching() -> None:
        seen.extend(await told(store, "another", pages=4))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watching)
        for number in range(60):
            await trio.sleep(1)
            await admitted(store, f"k{number}")
        nursery.cancel_scope.cancel()
    positions = [looked_at for _, looked_at in seen]
    assert positions[0] == 0
    assert all(later - earlier >= 18 for earlier, later in pairwise(positions))


@fills("RECENT_MAX")
async def test_what_is_kept_for_watchers_is_bounded(store: MemoryStore) -> None:
    """After any number of commits a feed holds the last RECENT_MAX facts; older ones are read from the store."""
    feed = Feed(store)
    for number in range(RECENT_MAX):
        await admitted(store, f"k{number}")
    assert len(feed._recent) == RECENT_MAX
    seen = await followed(feed, 0, 2 * RECENT_MAX)
    assert [fact.sequence for fact in seen] == list(range(1, 2 * RECENT_MAX + 1))
