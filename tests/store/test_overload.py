"""A slow disk: what it cannot write soon is not taken, and does not pile up in memory."""

import threading
from pathlib import Path

import pytest
import trio
import trio.testing

from gateway import limits
from gateway.core.errors import Overloaded
from gateway.store.store import LmdbStore
from tests.fakes.admissions import queued
from tests.fakes.clock import FakeClock
from tests.fakes.environment import FailingOpener
from tests.fills import fills

COMMIT_S = 0.6 * limits.ADMISSION_WAIT_S_MAX
"""So that one full commit behind the next may be waited for, and two may not."""


@fills("ADMISSION_WAIT_S_MAX")
async def test_a_slow_disk_takes_what_it_can_write_in_a_second(tmp_path: Path) -> None:
    """While commits take long, admissions are shed far below WRITER_QUEUE_MAX, and told how long the queue is; the
    commit under way and the next one are always filled, so that the disk never waits for us."""
    opener, size = FailingOpener(), limits.COMMIT_PAYMENTS_MAX
    async with LmdbStore(tmp_path, clock=FakeClock(), open_with=opener) as store:
        assert opener.env is not None
        slow, gate = threading.Event(), threading.Event()
        opener.env.before_commit = lambda: slow.wait(COMMIT_S) and None
        await store.admit([queued("order-1")])
        opener.env.before_commit = lambda: gate.wait(30) and None
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                store.check_room(size)
                nursery.start_soon(store.admit, [queued("order-1")] * size)
                await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(Overloaded) as caught:
                store.check_room(1)
            with pytest.raises(Overloaded):
                await store.admit([queued("order-2")])
            assert caught.value.retry_after_s >= 2 * COMMIT_S
            gate.set()
        store.check_room(1)
