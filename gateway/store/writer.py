"""The writer: one thread that commits what many callers hand it, many writes in one commit.

Why a thread, and why only one: a commit waits for two flushes of the device, however much is in it. While the
thread waits there (LMDB lets the interpreter go on), the event loop collects the next batch; so the commits group
themselves, and the more load there is the cheaper each write becomes. Everything between the loop and the thread
passes through one queue in and one `run_sync_soon` per commit out; no other state is shared but what is said below.

What can go wrong, and what we then know:

* The transaction cannot be filled (our own defect, a corrupt record): it is aborted, nothing of it is written. The
  jobs are run again one by one, so that only the one at fault fails.
* The map or the disk is full: aborted, nothing written, unless it was the commit's own page that found no room (see
  the last point). The map grows, with no transaction open, and the batch runs
  again. If it cannot grow, admissions are told Overloaded and outcomes are tried without them: what a bank has said
  must be written down while anything can be.
* The commit fails in any other way, or LMDB itself does: nobody can know whether the batch is durable. LMDB would
  happily go on over pages the device has lost, so we do not: the store is latched, the callers are told StoreFailed
  ("unknown", never "rejected"), every later write is refused, and the daemon ends (section 7).

A caller that is cancelled only stops waiting: its write goes on, because an instruction that may already be in a
commit cannot be taken back by hanging up.
"""

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import lmdb
import trio

from gateway import failpoints, limits
from gateway.core.errors import Overloaded, StoreFailed
from gateway.core.facts import Fact
from gateway.core.ports import CommitListener
from gateway.failpoints import Point
from gateway.store.disk_room import DiskRoom
from gateway.store.envelope import CorruptRecord
from gateway.store.environment import Maps, is_full
from gateway.store.job import Job
from gateway.store.pace import Pace
from gateway.store.recent import Recent
from gateway.store.telling import Telling
from gateway.store.transaction import Batch
from gateway.store.waiting import Waiting

logger = logging.getLogger(__name__)

RETRY_AFTER_QUEUE_S: Final = 0.1  # the time a full queue takes to be written
RETRY_AFTER_FULL_S: Final = 10.0  # somebody has to make room
SHED_LATELY_S: Final = 2.0  # so long after a refusal the next one is expected, and must not wait behind many answers
HOUSEKEEPING_S: Final = 60.0  # how often readers of dead processes are cleared from LMDB's table
ADMISSIONS_QUEUE_SHARE: Final = 0.75  # of the queue: a flood of instructions must not keep a bank's word out
SHED_SHARE: Final = 0.9  # of the largest map: above it only outcomes are written, the rest is their reserve
DISK_RESERVE_BYTES: Final = 128 << 20  # for outcomes: two commits of the most and longest evidence
DISK_COMMIT_BYTES_MIN: Final = 4 << 20
"""With less than this free no commit is tried. LMDB calls a write that fits only in part an I/O error, and after one of
those nobody goes on: the daemon would end where it only has to wait. A commit of outcomes is mostly below 1 MiB."""
GROWTH_FACTOR: Final = 2
GROWTH_BYTES_MIN: Final = 1 << 20
GROWTHS_MAX: Final = 48
"""Doublings for one batch before we give up. The largest map comes first: so many fit into no 64 bits of address."""

assert GROWTH_BYTES_MIN * GROWTH_FACTOR ** (GROWTHS_MAX - 1) >= 1 << 64
assert DISK_COMMIT_BYTES_MIN < DISK_RESERVE_BYTES
assert DISK_RESERVE_BYTES >= 2 * limits.COMMIT_PAYMENTS_MAX * limits.EVIDENCE_BYTES_MAX


@dataclass(frozen=True, slots=True)
class Usage:
    """How full the store is, and how well commits group."""

    used_bytes: int
    map_bytes: int
    map_bytes_max: int
    waiting: int
    """Writes handed over and not yet answered, at most limits.WRITER_QUEUE_MAX."""
    commits: int
    writes: int


CommitTimed = Callable[[int, float], None]
"""Told of each commit on the event loop: its writes, and the seconds that its two flushes took."""


class _Unknown(Exception):
    """The commit did not return: its batch is in the store, or is not."""


class Writer:
    """Owned by LmdbStore. `submit` and the listeners run on the event loop, everything with `_t_` in its name on the
    writer's thread."""

    def __init__(
        self,
        maps: Maps,
        map_bytes_max: int,
        map_lock: threading.Lock,
        noted: Callable[[CorruptRecord], None],
        disk_free: Callable[[], int],
    ) -> None:
        self.failed = trio.Event()
        self.listeners: list[CommitListener] = []
        self.timed: CommitTimed | None = None
        self.recent = Recent()
        """Filled on the writer's thread."""
        self._maps = maps
        self._map_bytes_max = map_bytes_max
        self._map_lock = map_lock
        """Held by whoever reads, and by the writer while the map moves: moving it ends all open reads."""
        self._noted = noted
        self._disk_free = disk_free
        """Bytes we may still take of the disk."""
        self._disk_room = DiskRoom(disk_free, DISK_RESERVE_BYTES)
        self._queue = Waiting()
        self._latched: BaseException | None = None
        self._waiting = 0
        self._commits = self._writes = 0
        self._last_commit: tuple[int, float] | None = None
        self._committed_s = self._commit_began_s = 0.0
        self._shed_at_s = -math.inf
        self._pace = Pace()
        self._used_bytes = self._map_bytes = 0
        self._page_bytes = maps.env.stat()["psize"]
        self._token = trio.lowlevel.current_trio_token()
        self._telling = Telling(self._token, self._told)
        self._thread = threading.Thread(target=self._t_run, name="causeway-writer", daemon=True)
        self._t_measure()

    # ------------------------------------------------------------ on the event loop

    def start(self) -> None:
        self._thread.start()

    async def submit(self, jobs: Sequence[Job]) -> None:
        """Returns when every job's commit is durable; they are one caller's, sheddable or not. Raises StoreFailed,
        Overloaded before any work, or a job's first error. Being cancelled here takes nothing back."""
        writes = sum([job.weight for job in jobs])
        if self.check_room(writes, sheddable=jobs[0].sheddable) < writes:
            raise Overloaded("store queue", RETRY_AFTER_QUEUE_S)
        self._queue.add(jobs, writes)
        self._waiting += writes
        for job in jobs:
            await job.done.wait()
        for job in jobs:
            if job.error is not None:
                raise job.error

    def check_room(self, writes: int, *, sheddable: bool) -> int:
        """How many of so many writes there is room for now, at least one. Raises StoreFailed, or Overloaded where one
        more would wait too long or has no room. What is not sheddable has room for all or for none."""
        if self._latched is not None or self._queue.closed:
            raise self._store_failed()
        room = self._room(writes) if sheddable else writes * (self._waiting + writes <= limits.WRITER_QUEUE_MAX)
        if room <= 0:
            wait_s = max(self._full_commits_ahead() * self._commit_s(), self._pace.seconds(self._waiting))
            raise self._shed("store queue", min(max(wait_s, RETRY_AFTER_QUEUE_S), RETRY_AFTER_FULL_S))
        if sheddable and self._used_bytes > SHED_SHARE * self._map_bytes_max:
            raise self._shed("store", RETRY_AFTER_FULL_S)
        if sheddable and not self._disk_room.there():
            # LMDB calls a write that the full disk cut short EIO, which latches: admissions must stop before that.
            raise self._shed("disk", RETRY_AFTER_FULL_S)
        return room

    def _shed(self, what: str, retry_after_s: float) -> Overloaded:
        self._shed_at_s = time.monotonic()
        return Overloaded(what, retry_after_s)

    def _sheds(self) -> bool:
        """Whether admissions are refused at present. Asked on both threads."""
        return time.monotonic() - self._shed_at_s < SHED_LATELY_S

    def _room(self, writes: int) -> int:
        """For admissions; the queue is bounded in writes, and in the time that those ahead take."""
        if self._full_commits_ahead() * self._commit_s() > limits.ADMISSION_WAIT_S_MAX:
            return 0
        most = int(ADMISSIONS_QUEUE_SHARE * limits.WRITER_QUEUE_MAX)
        if self._waiting:
            most = min(most, self._pace.writes_max())
        return min(writes, most - self._waiting)

    def _full_commits_ahead(self) -> int:
        """Behind the one under way: the next commit may always be filled, or a slow disk would write half of what it
        can."""
        return max(0, self._waiting // limits.COMMIT_PAYMENTS_MAX - 1)

    def _commit_s(self) -> float:
        """What a commit costs at present: the last one, or the one under way if that takes longer already."""
        began_s = self._commit_began_s
        return max(self._committed_s, time.monotonic() - began_s if began_s else 0.0)

    def _store_failed(self) -> StoreFailed:
        error = StoreFailed("the store is closed" if self._latched is None else f"the store failed: {self._latched}")
        error.__cause__ = self._latched
        return error

    def _deliver(self, jobs: Sequence[Job], facts: Sequence[Fact], timing: tuple[int, float] | None) -> None:
        """Wakes the callers of one commit and tells the listeners its facts. Commits arrive in their order."""
        if self._latched is not None:
            self.failed.set()
        self._telling.tell(jobs, sheds=self._sheds())
        if timing is not None and self.timed is not None:
            self.timed(*timing)
        if not facts:
            return
        for told in self.listeners:
            try:
                told(facts)
            except Exception:
                # The facts are durable and their callers woken: no listener's defect may undo it, or end the loop.
                logger.exception("a commit listener failed")

    def _told(self, job: Job) -> None:
        self._waiting -= job.weight

    def usage(self) -> Usage:
        return Usage(self._used_bytes, self._map_bytes, self._map_bytes_max, self._waiting, self._commits, self._writes)

    async def close(self) -> None:
        """Commits what is queued, then ends the thread. Shielded: a write handed over is written."""
        self._queue.close()
        if self._thread.is_alive():
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(self._thread.join)

    # ------------------------------------------------------------ on the writer's thread

    def _t_run(self) -> None:
        tidied_at = 0.0
        while True:
            try:
                if time.monotonic() - tidied_at >= HOUSEKEEPING_S:
                    self._maps.env.reader_check()
                    tidied_at = time.monotonic()
                jobs = self._queue.take(HOUSEKEEPING_S, self._t_most)
                if jobs is None:
                    return
                if jobs:
                    self._t_write(jobs)
            except Exception as error:
                # A defect of the writer itself: it must not die in silence with callers waiting for it.
                self._t_latch(error, [])

    def _t_most(self) -> int:
        """Writes of the next commit. While others are refused no more than the disk gains by: filling a large commit,
        and waking its callers, keeps the interpreter for long, and refusals wait meanwhile."""
        return self._pace.commit_writes() if self._sheds() else limits.COMMIT_PAYMENTS_MAX

    def _t_write(self, jobs: list[Job]) -> None:
        if self._latched is not None:
            self._t_latch(self._latched, jobs)
            return
        try:
            facts = self._t_commit_growing(jobs)
        except (lmdb.Error, _Unknown) as error:
            self._t_latch(error, jobs)
        except Exception as error:
            if len(jobs) > 1:
                for job in jobs:
                    self._t_write([job])
                return
            jobs[0].error = error
            self._t_hand_over(jobs, ())
        else:
            self._t_hand_over(jobs, facts)
            if failpoints.armed:
                failpoints.reached(Point.COMMIT_TOLD)

    def _t_commit_growing(self, jobs: list[Job]) -> Sequence[Fact]:
        """Commits, in a larger map if it must be. Raises what `_t_commit` raises but "full"."""
        for _ in range(GROWTHS_MAX):
            try:
                return self._t_commit(jobs)
            except lmdb.Error as error:
                if not is_full(error):
                    raise
                if not self._t_grow(error):
                    break
        return self._t_commit_without_admissions(jobs)

    def _t_commit_without_admissions(self, jobs: list[Job]) -> Sequence[Fact]:
        rest = [job for job in jobs if not job.sheddable]
        for job in jobs:
            job.error = Overloaded("store", RETRY_AFTER_FULL_S)
        if not rest:
            return ()
        logger.error("the store is full: only outcomes are written")
        try:
            return self._t_commit(rest)
        except lmdb.Error as error:
            if not is_full(error):
                raise
            return ()  # every job has its Overloaded: nothing was written, all of it may be tried again

    def _t_commit(self, jobs: list[Job]) -> Sequence[Fact]:
        """One transaction. After an exception nothing of it is in the store, but for _Unknown."""
        if self._disk_free() < DISK_COMMIT_BYTES_MIN:
            raise lmdb.DiskError("the disk is full")
        if failpoints.armed:
            failpoints.reached(Point.COMMIT_BEGUN)
        filled_s = time.monotonic()
        txn = self._maps.env.begin(write=True)
        try:
            batch = Batch(self._maps, txn, self.recent)
            for job in jobs:
                job.result = job.fill(batch)
            batch.finish()
            if failpoints.armed:
                failpoints.reached(Point.COMMIT_FILLED)
        except BaseException:
            txn.abort()
            raise
        began_s = self._commit_began_s = time.monotonic()
        try:
            txn.commit()
        except Exception as error:
            if isinstance(error, lmdb.Error) and is_full(error) and self._t_usable():
                raise
            raise _Unknown(f"commit: {error}") from error
        finally:
            ended_s = time.monotonic()
            self._commit_began_s, self._committed_s = 0.0, ended_s - began_s
            self._pace.measured(sum(job.weight for job in jobs), ended_s - filled_s)
        try:
            return self._t_committed(jobs, batch, self._committed_s)
        except Exception as error:
            # The batch is durable and must not be run again: a mark would be refused as taken, an admission would be
            # told to be a replay.
            raise _Unknown(f"after the commit: {error}") from error

    def _t_usable(self) -> bool:
        """Whether LMDB still writes. After a failed write of its meta page, which is the commit proper, it does not:
        it has tried to put the old page back, and which of the two the device holds nobody knows."""
        try:
            self._maps.env.begin(write=True).abort()
        except lmdb.Error:
            return False
        return True

    def _t_committed(self, jobs: list[Job], batch: Batch, seconds: float) -> Sequence[Fact]:
        if failpoints.armed:
            failpoints.reached(Point.COMMIT_DURABLE)
        self.recent.keep(batch.written)
        for job in jobs:
            job.error = None  # of an earlier, aborted run
        self._commits += 1
        writes = sum(job.weight for job in jobs)
        self._writes += writes
        self._last_commit = (writes, seconds)
        self._t_measure()
        for corrupt in batch.corrupt:
            self._noted(corrupt)
        return batch.facts

    def _t_grow(self, error: lmdb.Error) -> bool:
        """Whether the map is larger now. A full disk is not helped by a larger map."""
        if not isinstance(error, lmdb.MapFullError) or self._map_bytes >= self._map_bytes_max:
            return False
        wanted = max(self._map_bytes * GROWTH_FACTOR, self._map_bytes + GROWTH_BYTES_MIN)
        size = min(wanted, self._map_bytes_max) // self._page_bytes * self._page_bytes
        if size <= self._map_bytes:
            return False
        with self._map_lock:
            self._maps.env.set_mapsize(size)
        self._t_measure()
        logger.info("the store's map has grown", extra={"map_bytes": size})
        return True

    def _t_measure(self) -> None:
        self._map_bytes = (info := self._maps.env.info())["map_size"]
        self._used_bytes = (info["last_pgno"] + 1) * self._page_bytes

    def _t_latch(self, error: BaseException, jobs: list[Job]) -> None:
        """Nothing is written from here on; these callers and all that wait are told so."""
        if self._latched is None:
            logger.critical("the store failed; nothing more is written", exc_info=error)
            self._latched = error
        jobs = [*jobs, *self._queue.take_all()]
        for job in jobs:
            job.error = self._store_failed()
        self._t_hand_over(jobs, ())

    def _t_hand_over(self, jobs: Sequence[Job], facts: Sequence[Fact]) -> None:
        """Once per commit: the only way from this thread back to the event loop."""
        try:
            timing, self._last_commit = self._last_commit, None
            self._token.run_sync_soon(self._deliver, jobs, facts, timing)
        except trio.RunFinishedError:  # nobody is left to be told
            return
