"""Claims about how the writer's queue is bounded in time, and how its callers are woken."""

import threading
from collections.abc import Iterable
from pathlib import Path

import pytest
import trio
import trio.testing

from gateway import limits
from gateway.core.errors import Overloaded
from gateway.store.pace import FIXED_SHARE, Pace
from gateway.store.store import LmdbStore
from gateway.store.writer import DISK_RESERVE_BYTES
from tests.fakes.admissions import queued
from tests.fakes.clock import FakeClock
from tests.fakes.environment import FailingOpener
from tests.fills import fills


def paced(commits: Iterable[int], fixed_s: float, each_s: float) -> Pace:
    pace = Pace()
    for writes in commits:
        pace.measured(writes, fixed_s + each_s * writes)
    return pace


def test_where_the_flush_is_all_the_queue_is_open() -> None:
    """A fuller commit costs nothing, so nothing is shed for time, however slow the flush."""
    for flush_s in (0.001, 4.0):
        assert paced([1, 10, 300, 1_000], flush_s, 0.0).writes_max() == limits.WRITER_QUEUE_MAX


@fills("ADMISSION_WRITES_S_MAX")
def test_what_each_write_costs_bounds_the_queue() -> None:
    """At 1 ms for each write, as many may wait as take ADMISSION_WRITES_S_MAX, and that is what they take."""
    pace = paced([1, 10, 300, 1_000], 0.004, 0.001)
    assert abs(pace.writes_max() - limits.ADMISSION_WRITES_S_MAX / 0.001) <= 1
    assert abs(pace.seconds(pace.writes_max()) - 0.004 - limits.ADMISSION_WRITES_S_MAX) <= 0.001


@fills("FIXED_PARTS_MAX")
def test_a_slow_flush_is_used_well() -> None:
    """Where flushes are slow, writes may add so many flushes' time; then commits give 8/9 of the best they can."""
    pace = paced([1, 10, 300, 1_000], 0.5, 0.005)
    assert abs(pace.writes_max() - limits.FIXED_PARTS_MAX * 0.5 / 0.005) <= 1


@fills("ADMISSIONS_WAITING_MIN")
def test_some_may_always_wait() -> None:
    """However slow commits seem, and a stall makes them seem so, ADMISSIONS_WAITING_MIN writes may wait."""
    assert paced([1, 2, 3, 4], 0.0, 1.0).writes_max() == limits.ADMISSIONS_WAITING_MIN


@fills("COMMIT_SHEDDING_MIN")
def test_a_commit_while_others_are_refused_is_as_large_as_the_disk_gains_by() -> None:
    """Where each write costs, small commits are as good as large ones; where the flush is all, only large ones are."""
    assert paced([1, 10, 300, 1_000], 0.0002, 0.002).commit_writes() == limits.COMMIT_SHEDDING_MIN
    assert abs(paced([1, 10, 300, 1_000], 0.004, 0.001).commit_writes() - 0.004 / 0.001 / FIXED_SHARE) <= 1
    assert paced([1, 10, 300, 1_000], 0.2, 0.001).commit_writes() == limits.COMMIT_PAYMENTS_MAX
    assert Pace().commit_writes() == limits.COMMIT_PAYMENTS_MAX


def test_commits_of_one_size_keep_what_is_known() -> None:
    """A full queue makes commits of a size, which show no slope: the bound must not fall open for it."""
    pace = paced([1, 10, 300, *[250] * 50], 0.004, 0.001)
    assert abs(pace.writes_max() - limits.ADMISSION_WRITES_S_MAX / 0.001) <= 1


def test_a_disk_that_turns_slow_is_known_soon() -> None:
    """Two commits after the change the old ones count no more."""
    pace = paced([1_000, 900, 10, 1_000], 0.004, 0.0)
    for writes in (5, 40):
        pace.measured(writes, 0.004 + 0.01 * writes)
    assert pace.writes_max() == limits.ADMISSIONS_WAITING_MIN


@fills("COMMIT_TOLD_MAX", "COMMIT_TOLD_SHEDDING_MAX")
@pytest.mark.parametrize("most", [limits.COMMIT_TOLD_MAX, limits.COMMIT_TOLD_SHEDDING_MAX])
async def test_the_callers_of_a_large_commit_are_woken_in_parts(tmp_path: Path, most: int) -> None:
    """Never more than COMMIT_TOLD_MAX answer before others have their turn, and all are answered; fewer at a time where
    others have just been refused, whose answers must not wait behind them."""
    opener, gate, woken, turns = FailingOpener(), threading.Event(), 0, []
    full = False

    def free(_: Path) -> int:
        return 0 if full else 2 * DISK_RESERVE_BYTES  # so little that it is looked at each time

    async with LmdbStore(tmp_path, clock=FakeClock(), open_with=opener, disk_free=free) as store:
        assert opener.env is not None

        async def one(number: int) -> None:
            nonlocal woken
            await store.admit([queued(f"order-{number}")])
            woken += 1

        async def look() -> None:
            seen = 0
            while woken < total:
                await trio.lowlevel.checkpoint()
                if woken > seen:
                    turns.append(woken - seen)
                    seen = woken

        total = 5 * limits.COMMIT_TOLD_MAX
        opener.env.before_commit = lambda: gate.wait(30) and None
        async with trio.open_nursery() as nursery:
            for number in range(total):
                nursery.start_soon(one, number)
            await trio.testing.wait_all_tasks_blocked()
            if most < limits.COMMIT_TOLD_MAX:
                full = True
                with pytest.raises(Overloaded):
                    store.check_room(1)
                full = False
            gate.set()
            nursery.start_soon(look)
    assert sum(turns) == total
    assert most <= max(turns) <= 2 * most


async def test_commits_are_small_while_others_are_refused(tmp_path: Path) -> None:
    """On a disk where each write costs, what waits when somebody is refused is not written in one commit, so that
    neither filling it nor answering its callers keeps refusals waiting; all of it is written."""
    opener, sizes, full = FailingOpener(), [], False
    each_s, waiting, stop = 0.001, 1, threading.Event()

    def free(_: Path) -> int:
        return 0 if full else 2 * DISK_RESERVE_BYTES

    def shed(store: LmdbStore) -> None:
        nonlocal full
        full = True
        with pytest.raises(Overloaded):
            store.check_room(1)
        full = False

    async with LmdbStore(tmp_path, clock=FakeClock(), open_with=opener, disk_free=free) as store:
        assert opener.env is not None
        opener.env.before_commit = lambda: stop.wait(each_s * waiting) and None
        for waiting in (1, 40, 200):  # so that the disk is known
            await store.admit([queued(f"known-{waiting}-{number}") for number in range(waiting)])
        waiting = limits.COMMIT_SHEDDING_MIN
        store.on_commit(lambda facts: sizes.append(len({fact.payment_id for fact in facts})))
        store.on_commit(lambda _: shed(store))  # however slow this machine is, it is still refused lately
        shed(store)
        async with trio.open_nursery() as nursery:
            for number in range(200):
                nursery.start_soon(store.admit, [queued(f"order-{number}")])
    assert sum(sizes) == 200
    assert max(sizes) < 200


@fills("READ_TXN_S_MAX")
async def test_a_read_that_pins_pages_too_long_says_so(tmp_path: Path, caplog) -> None:  # type: ignore[no-untyped-def]
    """At the bound nothing is said; above it there is a warning. Reads never await, so nothing can end them."""
    now_s = [0.0]
    step_s = limits.READ_TXN_S_MAX

    def steady() -> float:
        now_s[0] += step_s
        return now_s[0]

    async with LmdbStore(tmp_path, clock=FakeClock(), steady=steady) as store:
        await store.last_sequence()
        assert "too long" not in caplog.text
        step_s = 1.01 * limits.READ_TXN_S_MAX
        await store.last_sequence()
    assert "a read of the store took too long" in caplog.text
