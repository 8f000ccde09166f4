"""When nobody can know whether a batch is durable, it is "unknown": never "rejected", and never written again."""

from collections.abc import Iterator
from pathlib import Path

import lmdb
import pytest
import trio

from gateway import failpoints
from gateway.core.errors import StoreFailed
from gateway.core.ports import Step
from gateway.core.states import State
from gateway.failpoints import Act, FailPoint, Point
from gateway.store.store import LmdbStore
from gateway.store.verify import verify
from tests.fakes.admissions import mark, queued
from tests.fakes.clock import FakeClock
from tests.fakes.environment import FailingOpener


@pytest.fixture
def armed() -> Iterator[None]:
    """The first commit after the opening returns, and then our own code fails."""
    failpoints.arm([FailPoint(Point.COMMIT_DURABLE, 1, Act.RAISE)])
    yield
    failpoints.disarm()


async def test_a_full_disk_at_the_commits_own_page_is_no_refusal(tmp_path: Path) -> None:
    """ENOSPC while LMDB writes its meta page: the admission may be durable, so its caller is told "unknown", not
    "come again", and the store latches."""
    opener = FailingOpener()
    async with LmdbStore(tmp_path, clock=FakeClock(), open_with=opener) as store:
        env = opener.env
        assert env is not None

        def panic() -> None:
            raise lmdb.PanicError("MDB_PANIC: Update of meta page failed or environment had fatal error")

        def full() -> None:
            env.before_begin = panic  # as LMDB refuses everything after this failure
            raise lmdb.DiskError("No space left on device")

        env.before_commit = full
        with pytest.raises(StoreFailed):
            await store.admit([queued("order-1")])
        await store.failed.wait()


async def test_a_fault_after_the_commit_latches(tmp_path: Path, armed: None) -> None:
    """A defect of ours after the commit returned: the batch is durable and is not run again; its callers are told
    "unknown", and the next start finds both payments once."""
    async with LmdbStore(tmp_path, clock=FakeClock()) as store:
        unknown: list[str] = []

        async def admit(key: str) -> None:
            try:
                await store.admit([queued(key)])
            except StoreFailed:
                unknown.append(key)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(admit, "order-1")
            nursery.start_soon(admit, "order-2")
        assert sorted(unknown) == ["order-1", "order-2"]
        await store.failed.wait()
    assert verify(tmp_path).whole


async def test_a_mark_whose_commit_is_unknown_sends_nothing(tmp_path: Path) -> None:
    """The lane learns of no mark, so no byte leaves; the next start finds the mark and makes it a doubt."""
    async with LmdbStore(tmp_path, clock=FakeClock()) as store:
        [admitted] = await store.admit([queued("order-1")])
        failpoints.arm([FailPoint(Point.COMMIT_DURABLE, 1, Act.RAISE)])
        try:
            with pytest.raises(StoreFailed):
                await store.take([Step(admitted.payment.id, happening=mark(admitted.payment))])
        finally:
            failpoints.disarm()
    async with LmdbStore(tmp_path, clock=FakeClock()) as store:
        assert [payment.id for payment in await store.in_state(State.SENDING, limit=10)] == [admitted.payment.id]
