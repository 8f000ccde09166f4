"""One thread, many callers: grouping, cancelling, bounds, and what happens when the disk does not do its part."""

import errno
from dataclasses import replace
from pathlib import Path

import lmdb
import pytest
import trio

from gateway import limits
from gateway.core import happenings
from gateway.core.errors import Overloaded, StoreFailed
from gateway.core.payment import Payment
from gateway.core.ports import Admission, Step
from gateway.core.reasons import Reason
from gateway.core.states import State
from gateway.store.records import NEW_RECORD_BYTES_MAX
from gateway.store.store import LmdbStore
from gateway.store.verify import verify
from gateway.store.writer import ADMISSIONS_QUEUE_SHARE, DISK_COMMIT_BYTES_MIN, DISK_RESERVE_BYTES, RETRY_AFTER_FULL_S
from tests.fakes.admissions import a_payment, mark, queued
from tests.fakes.clock import START_NS, FakeClock
from tests.fakes.environment import FailingEnvironment, FailingOpener
from tests.fills import fills
from tests.store.gate import hold_commits


def a_store(path: Path, **options: object) -> LmdbStore:
    options = {"map_bytes_initial": 1 << 20, **options}
    return LmdbStore(path, clock=FakeClock(), **options)  # type: ignore[arg-type]


def opened(opener: FailingOpener) -> FailingEnvironment:
    assert opener.env is not None
    return opener.env


async def test_waiting_callers_share_a_commit(tmp_path: Path) -> None:
    """A thousand callers need far fewer than a thousand commits; each has its own answer."""
    answers: dict[int, Payment] = {}

    async with a_store(tmp_path) as store:

        async def submit(n: int) -> None:
            answers[n] = (await store.admit([queued(f"order-{n}")]))[0].payment

        async with trio.open_nursery() as nursery:
            for n in range(1000):
                nursery.start_soon(submit, n)
        usage = store.usage()
        assert usage.writes == 1000
        assert usage.commits < 100
        assert usage.waiting == 0
    assert all(payment.instruction.idempotency_key == f"order-{n}" for n, payment in answers.items())
    assert verify(tmp_path).whole


@fills("COMMIT_PAYMENTS_MAX")
async def test_one_call_may_be_larger_than_a_commit(tmp_path: Path) -> None:
    """A bulk larger than COMMIT_PAYMENTS_MAX is answered whole and in order, in several commits."""
    count = limits.COMMIT_PAYMENTS_MAX + 10
    async with a_store(tmp_path) as store:
        answers = await store.admit([queued(f"order-{n}") for n in range(count)])
        keys = [answer.payment.instruction.idempotency_key for answer in answers]
        assert keys == [f"order-{n}" for n in range(count)]
        assert store.usage().commits == 2


async def test_a_cancelled_caller_does_not_cancel_its_write(tmp_path: Path) -> None:
    """Hanging up takes nothing back: what was handed over is stored although nobody waits for it."""
    async with a_store(tmp_path) as store:
        with trio.CancelScope() as scope:
            scope.cancel()
            await store.admit([queued()])
            raise AssertionError("not cancelled")
        [answer] = await store.admit([queued()])
        assert answer.replay
        assert store.usage().waiting == 0


async def test_closing_writes_what_was_handed_over(tmp_path: Path) -> None:
    """A stop in the middle of many cancelled calls loses none of those handed over."""
    async with a_store(tmp_path) as store, trio.open_nursery() as nursery:
        for n in range(300):
            nursery.start_soon(store.admit, [queued(f"order-{n}")])
        await trio.lowlevel.checkpoint()
        await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    with pytest.raises(StoreFailed, match="closed"):
        await store.admit([queued("late")])
    report = verify(tmp_path)
    assert (report.payments, report.whole) == (300, True)


@fills("WRITER_QUEUE_MAX")
async def test_a_full_queue_sheds_before_any_work(tmp_path: Path) -> None:
    """Above their share of WRITER_QUEUE_MAX admissions are told Overloaded at once, while a bank's word is still
    taken, up to the whole of it; everybody who was taken is answered."""
    opener = FailingOpener()
    size = limits.COMMIT_PAYMENTS_MAX
    async with a_store(tmp_path, open_with=opener) as store:
        [first] = await store.admit([queued("order-1")])
        word = Step(first.payment.id, happening=happenings.inquired(0))
        release = hold_commits(opened(opener))
        async with trio.open_nursery() as nursery:
            for _ in range(12):
                nursery.start_soon(store.admit, [queued("order-1")] * size)
            await trio.testing.wait_all_tasks_blocked()
            assert store.usage().waiting == 12 * size == ADMISSIONS_QUEUE_SHARE * limits.WRITER_QUEUE_MAX
            with pytest.raises(Overloaded) as caught:
                await store.admit([queued("order-2")])
            for _ in range(4):
                nursery.start_soon(store.take, [word] * size)
            await trio.testing.wait_all_tasks_blocked()
            assert store.usage().waiting == limits.WRITER_QUEUE_MAX
            nursery.start_soon(store.take, [word])  # beyond the whole of it a word waits; it is never shed
            await trio.testing.wait_all_tasks_blocked()
            assert store.usage().waiting == limits.WRITER_QUEUE_MAX
            release()
        assert caught.value.retry_after_s > 0
        [answer] = await store.admit([queued("order-2")])
        assert not answer.replay


@pytest.mark.parametrize("error", [lmdb.Error("mdb_txn_commit: Input/output error"), OSError(errno.EIO, "fsync")])
async def test_a_failed_commit_latches_the_store(tmp_path: Path, error: Exception) -> None:
    """After a flush that failed nothing is acknowledged any more: not this batch, not those behind it, not later
    ones, although LMDB itself would go on; the daemon is told."""
    opener = FailingOpener()
    outcomes: list[BaseException | None] = []

    async with a_store(tmp_path, open_with=opener) as store:
        await store.admit([queued("before")])

        async def submit(n: int) -> None:
            try:
                await store.admit([queued(f"order-{n}")])
            except StoreFailed as failed:
                outcomes.append(failed.__cause__)

        def fail() -> None:
            env.before_commit = lambda: None
            raise error

        env = opened(opener)
        env.before_commit = fail
        async with trio.open_nursery() as nursery:
            for n in range(2000):
                nursery.start_soon(submit, n)
        assert len(outcomes) == 2000
        assert all(cause is not None for cause in outcomes)
        await store.failed.wait()
        with pytest.raises(StoreFailed, match="store failed"):
            await store.take([Step(b"\x00" * 16, happening=happenings.cleared())])
        assert await store.by_key("acme", "before") is not None
    assert verify(tmp_path).payments == 1


async def test_the_map_grows_under_load(tmp_path: Path) -> None:
    """A map that is too small grows in the writer while readers read; nobody notices."""
    async with a_store(tmp_path, map_bytes_initial=1 << 18) as store:
        async with trio.open_nursery() as nursery:
            for n in range(20):
                nursery.start_soon(store.admit, [queued(f"order-{n}-{m}") for m in range(100)])
                nursery.start_soon(store.due, "northbank", START_NS, 100)
        usage = store.usage()
        assert usage.map_bytes > 1 << 18
        assert (await store.counts("northbank")).queued == 2000
    async with a_store(tmp_path, map_bytes_initial=1 << 18) as store:
        assert len(await store.due("northbank", START_NS, 3000)) == 2000
    assert verify(tmp_path).whole


async def test_a_full_store_still_records_outcomes(tmp_path: Path) -> None:
    """When the map cannot grow, new instructions are shed before any work and what banks say is still written."""
    async with a_store(tmp_path, map_bytes_max=8 << 20) as store:
        stored = await _fill(store)
        usage = store.usage()
        assert usage.used_bytes > 0.9 * usage.map_bytes_max
        commits = usage.commits
        with pytest.raises(Overloaded):
            await store.admit([queued("one more")])
        assert store.usage().commits == commits
        steps = [Step(payment.id, happening=mark(payment)) for payment in stored[:20]]
        assert all(stepped.taken for stepped in await store.take(steps))
    assert verify(tmp_path).whole


async def test_a_disk_that_fills_sheds_before_the_last_byte(tmp_path: Path) -> None:
    """Below the reserve new instructions are shed before any work and what banks say is still written; with room again
    they are taken. To LMDB a write cut short by a full disk looks like a broken disk, which ends the daemon."""
    free = [DISK_RESERVE_BYTES]
    async with a_store(tmp_path, disk_free=lambda _: free[0]) as store:
        [first] = await store.admit([queued("first")])
        free[0] -= 1
        with pytest.raises(Overloaded) as shed:
            await store.admit([queued("second")])
        assert shed.value.retry_after_s == RETRY_AFTER_FULL_S
        [stepped] = await store.take([Step(first.payment.id, happening=mark(first.payment))])
        assert stepped.taken
        free[0] += 1
        assert not (await store.admit([queued("second")]))[0].replay
    assert verify(tmp_path).whole


async def test_no_commit_is_tried_where_it_might_fit_in_part(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """On the last bytes of a disk an outcome waits and the store does not fail; with room again it is written."""
    free = [DISK_RESERVE_BYTES]
    async with a_store(tmp_path, disk_free=lambda _: free[0]) as store:
        [first] = await store.admit([queued("first")])
        commits, free[0] = store.usage().commits, DISK_COMMIT_BYTES_MIN - 1
        with trio.move_on_after(3 * RETRY_AFTER_FULL_S) as waited:
            await store.take([Step(first.payment.id, happening=mark(first.payment))])
        assert waited.cancelled_caught
        while store.usage().waiting:  # the try that was given up is the writer's still, and must not find room
            await trio.lowlevel.checkpoint()
        assert (store.usage().commits, store.failed.is_set()) == (commits, False)
        free[0] += 1
        [stepped] = await store.take([Step(first.payment.id, happening=mark(first.payment))])
        assert stepped.taken
    assert verify(tmp_path).whole


async def _fill(store: LmdbStore) -> list[Payment]:
    """Admits until the store sheds."""
    stored: list[Payment] = []
    for n in range(1000):
        try:
            stored += [answer.payment for answer in await store.admit([queued(f"order-{n}-{m}") for m in range(50)])]
        except Overloaded:
            return stored
    raise AssertionError("never full")


async def test_an_outcome_waits_for_a_disk_that_is_full(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    """No room even for what the bank said: it is tried again until there is, and neither lost nor an error."""
    opener = FailingOpener()
    async with a_store(tmp_path, open_with=opener) as store:
        [first] = await store.admit([queued("first")])
        env = opened(opener)
        left = [3]

        def full() -> None:
            if left[0]:
                left[0] -= 1
                raise lmdb.DiskError("No space left on device")

        env.before_commit = full
        [stepped] = await store.take([Step(first.payment.id, happening=mark(first.payment))])
        assert stepped.taken
        assert left == [0]
    assert verify(tmp_path).whole


@pytest.mark.parametrize("full", [lmdb.MapFullError("map full"), lmdb.DiskError("No space left on device")])
async def test_a_commit_that_finds_no_room_refuses_admissions_only(tmp_path: Path, full: lmdb.Error) -> None:
    """No room at the commit itself: the admission of the batch is told to come again, the outcome beside it is
    stored, the store is not latched."""
    opener = FailingOpener()
    async with a_store(tmp_path, open_with=opener, map_bytes_max=1 << 20) as store:
        [first] = await store.admit([queued("first")])
        env = opened(opener)
        release = hold_commits(env)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(store.set_cursor, "northbank", "busy")  # keeps the writer while the batch forms
            await release.reached()
            taken: list[bool] = []

            async def take() -> None:
                step = Step(first.payment.id, happening=mark(first.payment))
                taken.append((await store.take([step]))[0].taken)

            async def admit() -> None:
                with pytest.raises(Overloaded):
                    await store.admit([queued("second")])

            nursery.start_soon(take)
            nursery.start_soon(admit)
            await trio.testing.wait_all_tasks_blocked()

            def fail_once() -> None:
                env.before_commit = lambda: None
                raise full

            env.before_commit = fail_once
            release()
        assert taken == [True]
        assert not store.failed.is_set()
        assert await store.by_key("acme", "second") is None
        [again] = await store.admit([queued("second")])
        assert not again.replay
    assert verify(tmp_path).whole


async def test_one_callers_defect_is_its_own(tmp_path: Path) -> None:
    """A write that cannot be filled fails alone: callers of the same commit get their answers."""
    twin = a_payment("order-1")
    opener = FailingOpener()
    async with a_store(tmp_path, open_with=opener) as store:
        await store.admit([Admission(twin)])
        release = hold_commits(opened(opener))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(store.set_cursor, "northbank", "busy")
            await trio.testing.wait_all_tasks_blocked()
            for n in range(2, 12):
                nursery.start_soon(store.admit, [queued(f"order-{n}")])

            async def defective() -> None:
                with pytest.raises(ValueError, match="two instructions"):
                    await store.admit([queued("order-20"), Admission(replace(a_payment("order-21"), id=twin.id))])

            nursery.start_soon(defective)
            await trio.testing.wait_all_tasks_blocked()
            release()
        assert (await store.counts("northbank")).queued == 10
        assert await store.by_key("acme", "order-20") is None
    assert verify(tmp_path).whole


@fills("NEW_RECORD_BYTES_MAX")
async def test_a_record_above_its_bound_is_refused(tmp_path: Path) -> None:
    """An instruction that intake should never have let through fails alone and leaves nothing."""
    async with a_store(tmp_path) as store:
        with pytest.raises(ValueError, match="bytes"):
            await store.admit([queued("order-1", remittance="x" * NEW_RECORD_BYTES_MAX)])
        [answer] = await store.admit([queued("order-1")])
        assert not answer.replay


async def test_a_listeners_defect_stops_nobody(tmp_path: Path) -> None:
    """Callers and other listeners hear of a commit although one listener fails."""
    heard: list[int] = []

    def defective(facts: object) -> None:
        raise RuntimeError("a defect")

    async with a_store(tmp_path) as store:
        store.on_commit(defective)
        store.on_commit(lambda facts: heard.extend(fact.sequence for fact in facts))
        await store.admit([queued()])
        await store.admit([queued("order-2")])
    assert heard == [1, 2, 3, 4]


@fills("EVIDENCE_BYTES_MAX")
async def test_long_evidence_is_cut_and_says_so(tmp_path: Path) -> None:
    """A bank's answer above the bound is kept up to it with its whole length; one answer for many payments is kept
    once, and the facts' hash names exactly the kept bytes."""
    answer = b"<Document>" * limits.EVIDENCE_BYTES_MAX
    async with a_store(tmp_path) as store:
        payments = [a.payment for a in await store.admit([queued("order-1"), queued("order-2")])]
        for payment in payments:
            doubted = happenings.doubted(Reason.REPLY_UNREADABLE, 0, answer)
            await store.take([Step(payment.id, happening=mark(payment)), Step(payment.id, happening=doubted)])
        hashes = {(await store.facts_of(payment.id, 10))[-1].evidence_sha256 for payment in payments}
        assert len(hashes) == 1
        kept = await store.evidence(hashes.pop())
        assert kept is not None
        assert kept.body == answer[: limits.EVIDENCE_BYTES_MAX]
        assert kept.original_bytes == len(answer)
        assert await store.evidence(b"?") is None
    report = verify(tmp_path)
    assert (report.evidence, report.whole) == (1, True)


async def test_no_transaction_outlives_a_turn_of_the_loop(tmp_path: Path) -> None:
    """After every kind of read no reader is left that could pin pages, and the map can move."""
    opener = FailingOpener()
    async with a_store(tmp_path, open_with=opener) as store:
        [answer] = await store.admit([queued()])
        await store.due("northbank", START_NS, 1)
        await store.facts(0, 1)
        await store.in_state(State.QUEUED, limit=1)
        await store.by_end_to_end_id("acme", "E2E-order-1", 1)
        assert "no active readers" in opened(opener).readers() or " -" in opened(opener).readers()
        assert await store.get(answer.payment.id) == answer.payment
