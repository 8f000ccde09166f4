"""LmdbStore: the Store port over one LMDB environment.

Reads are short transactions on the event loop, a page at a time; writes go to the writer's thread and return after
their commit.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Final, TypeVar

import trio

from gateway import limits
from gateway.core.errors import Overloaded
from gateway.core.facts import Fact, StoreHappening
from gateway.core.payment import Payment
from gateway.core.ports import (
    Admission,
    Admitted,
    CommitListener,
    Evidence,
    LaneCounts,
    PaymentFilter,
    Step,
    Stepped,
    WallClock,
)
from gateway.core.states import State, step
from gateway.store import layout
from gateway.store.envelope import CorruptRecord
from gateway.store.environment import (
    OpenEnvironment,
    check_restored,
    free_bytes,
    lock_directory,
    open_environment,
    open_maps,
)
from gateway.store.job import Job
from gateway.store.reads import Slice, View
from gateway.store.transaction import Batch
from gateway.store.writer import CommitTimed, Usage, Writer

logger = logging.getLogger(__name__)

MAP_BYTES_INITIAL: Final = 64 << 20
MAP_BYTES_MAX: Final = 64 << 30  # the default of the configuration too: what fits on the disk of an ordinary machine
CORRUPT_NOTED_MAX: Final = 1_000  # findings kept for operators; the verifier lists all there are
PAGE_SLICE: Final = 200  # payments page() looks at in one transaction: a few milliseconds of the event loop

Cut = Callable[[PaymentFilter, bytes, int, int], Slice]
"""(which, after, limit, look) → a part of a page."""

_T = TypeVar("_T", Admission, Step, StoreHappening)


class LmdbStore:
    """The Store of one daemon. Use as `async with LmdbStore(path, clock=clock) as store`.

    Opening raises DataDirectoryInUse, DataDirectoryUnusable, CorruptRecord. The map begins with `map_bytes_initial`
    and grows up to `map_bytes_max`. No fork after opening.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        clock: WallClock,
        map_bytes_initial: int = MAP_BYTES_INITIAL,
        map_bytes_max: int = MAP_BYTES_MAX,
        open_with: OpenEnvironment = open_environment,
        disk_free: Callable[[Path], int] = free_bytes,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        if not 0 < map_bytes_initial <= map_bytes_max:
            raise ValueError("map_bytes_initial must be positive and at most map_bytes_max")
        self._path = Path(path)
        self._clock = clock
        self._map_bytes_initial = map_bytes_initial
        self._map_bytes_max = map_bytes_max
        self._open_with = open_with
        self._disk_free = partial(disk_free, self._path)
        self._steady = steady
        self._map_lock = threading.Lock()
        self._corrupt: dict[tuple[str, bytes], CorruptRecord] = {}

    async def __aenter__(self) -> "LmdbStore":
        self._lock = lock_directory(self._path)
        try:
            check_restored(self._path)
            env = self._open_with(self._path, self._map_bytes_initial)
            try:
                env.reader_check()
                self._maps = open_maps(self._path, env)
                self._writer = Writer(self._maps, self._map_bytes_max, self._map_lock, self._note, self._disk_free)
            except BaseException:
                env.close()
                raise
        except BaseException:
            os.close(self._lock)
            raise
        self._writer.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        await self._writer.close()
        self._maps.env.close()
        os.close(self._lock)

    # ------------------------------------------------------------ what operators and the daemon ask

    @property
    def failed(self) -> trio.Event:
        """Set when the store has latched: nothing is written any more, the daemon must end."""
        return self._writer.failed

    @property
    def corrupt(self) -> tuple[CorruptRecord, ...]:
        """What could not be read since the start, each once, at most CORRUPT_NOTED_MAX."""
        return tuple(self._corrupt.values())

    def usage(self) -> Usage:
        return self._writer.usage()

    def on_commit(self, told: CommitListener) -> None:
        self._writer.listeners.append(told)

    def time_commits(self, timed: CommitTimed) -> None:
        """`timed` is told of each commit from now on."""
        self._writer.timed = timed

    # ------------------------------------------------------------ writes

    def check_room(self, admissions: int) -> int:
        return self._writer.check_room(admissions, sheddable=True)

    async def admit(self, admissions: Sequence[Admission]) -> list[Admitted]:
        """Raises IllegalStep or ValueError for an admission that can never be stored, before anything is written,
        and CorruptRecord where the payment that has a key cannot be read: then nothing of these admissions that
        shares its commit is stored, and they can be handed in again."""
        for admission in admissions:
            _check(admission)
        now_ns = self._clock.now_ns()

        def job(part: Sequence[Admission]) -> Job:
            return Job(lambda batch: [batch.admit(one, now_ns) for one in part], len(part), sheddable=True)

        return await self._write([job(part) for part in _parts(admissions)])

    async def take(self, steps: Sequence[Step]) -> list[Stepped]:
        """A step whose payment cannot be read is not taken and shows no payment; its corruption is noted, and a bank's
        word about it is kept with a fact about the store.

        Never raises Overloaded: what a bank has said must be written down, so it waits for room as long as it takes.
        """
        if len(steps) > limits.COMMIT_PAYMENTS_MAX:
            return [one for part in _parts(steps) for one in await self.take(part)]
        fill = partial(_take_all, steps, now_ns=self._clock.now_ns())
        taken: list[Stepped] = await self._write_patiently(fill, len(steps)) if steps else []
        return taken

    async def log(self, happenings: Sequence[StoreHappening]) -> None:
        """Waits for room as `take` does."""
        now_ns = self._clock.now_ns()

        def fill(batch: Batch, part: Sequence[StoreHappening]) -> list[None]:
            for happening in part:
                batch.log(happening, now_ns)
            return []

        for part in _parts(happenings):
            await self._write_patiently(partial(fill, part=part), len(part))

    async def set_cursor(self, bank: str, cursor: str, kept: Sequence[bytes] = ()) -> None:
        """Waits for room as `take` does."""

        def fill(batch: Batch) -> list[None]:
            batch.set_cursor(bank, cursor)
            for document in kept:
                batch.keep(document)
            return []

        await self._write_patiently(fill, 1)

    async def _write_patiently(self, fill: Callable[[Batch], Any], writes: int) -> Any:
        while True:
            job = Job(fill, writes, sheddable=False)
            try:
                await self._writer.submit((job,))
                return job.result
            except Overloaded as error:
                # Nothing was written. A daemon that cannot write outcomes sends nothing either: its lanes wait here.
                logger.warning(
                    "no room to write, waiting: make room on the disk of data_dir", extra={"queue": "writer"}
                )
                await trio.sleep(error.retry_after_s)

    async def _write(self, jobs: list[Job]) -> list[Any]:
        if not jobs:
            await trio.lowlevel.checkpoint()
            return []
        await self._writer.submit(jobs)
        return jobs[0].result if len(jobs) == 1 else [result for job in jobs for result in job.result]

    # ------------------------------------------------------------ reads

    async def get(self, payment_id: bytes) -> Payment | None:
        """Raises CorruptRecord, as every look-up of one payment does."""
        await trio.lowlevel.checkpoint()
        with self._view() as view:
            return view.payment(payment_id)

    async def get_many(self, payment_ids: Sequence[bytes]) -> list[Payment | None]:
        await trio.lowlevel.checkpoint()
        with self._view() as view:
            return [view.payment(payment_id) for payment_id in payment_ids]

    async def by_key(self, tenant: str, idempotency_key: str) -> Payment | None:
        await trio.lowlevel.checkpoint()
        with self._view() as view:
            return view.by_key(tenant, idempotency_key)

    async def by_end_to_end_id(self, tenant: str, end_to_end_id: str, limit: int) -> list[Payment]:
        await trio.lowlevel.checkpoint()
        with self._view() as view:
            return view.by_end_to_end_id(tenant, end_to_end_id, limit)

    async def by_wire(self, bank: str, wire_reference: str) -> Payment | None:
        await trio.lowlevel.checkpoint()
        with self._view() as view:
            return view.by_wire(bank, wire_reference)

    async def page(self, which: PaymentFilter, *, after: bytes = b"", limit: int) -> tuple[list[Payment], bytes]:
        return await self._paged(lambda view: view.slice, which, after, limit)

    async def doubts(self, which: PaymentFilter, *, after: bytes = b"", limit: int) -> tuple[list[Payment], bytes]:
        which = replace(which, states=frozenset())
        return await self._paged(lambda view: view.doubts, which, after, limit)

    async def oldest_doubt_ns(self, bank: str) -> int:
        await trio.lowlevel.checkpoint()
        with self._view() as view:
            return view.oldest_doubt_ns(bank)

    async def _paged(
        self, of: Callable[[View], Cut], which: PaymentFilter, after: bytes, limit: int
    ) -> tuple[list[Payment], bytes]:
        """In slices, each in its own transaction, with the event loop's other tasks between them."""
        found: list[Payment] = []
        looked = 0
        while len(found) < limit and looked < limits.PAGE_SCAN_MAX:
            await trio.lowlevel.checkpoint()
            with self._view() as view:
                part = of(view)(which, after, limit - len(found), PAGE_SLICE)
            found += part.payments
            if part.ended:
                return found, b""
            after, looked = part.last, looked + part.looked
        return found, after

    async def _all_pages(self, which: PaymentFilter, after: bytes, limit: int) -> list[Payment]:
        found, after = await self.page(which, after=after, limit=limit)
        while after and len(found) < limit:
            more, after = await self.page(which, after=after, limit=limit - len(found))
            found += more
        return found

    async def due(self, bank: str, now_ns: int, limit: int, without: Container[bytes] = frozenset()) -> list[Payment]:
        """Rests on each payment's record: what cannot be read, or is not QUEUED there, is never due."""
        await trio.lowlevel.checkpoint()
        with self._view() as view:
            return view.due(bank, now_ns, limit, without)

    async def next_due_ns(self, bank: str, after_ns: int) -> int:
        await trio.lowlevel.checkpoint()
        with self._view() as view:
            return view.next_due_ns(bank, after_ns)

    async def inquiries_due(self, bank: str, now_ns: int, limit: int) -> list[Payment]:
        await trio.lowlevel.checkpoint()
        with self._view() as view:
            return view.inquiries_due(bank, now_ns, limit)

    async def next_inquiry_ns(self, bank: str) -> int:
        await trio.lowlevel.checkpoint()
        with self._view() as view:
            return view.next_inquiry_ns(bank)

    async def in_state(self, state: State, *, after: bytes = b"", limit: int) -> list[Payment]:
        if state is State.SETTLED:  # has no index: this looks at every payment on the way to them
            return await self._all_pages(PaymentFilter(states=frozenset((state,))), after, limit)
        await trio.lowlevel.checkpoint()
        with self._view() as view:
            return view.in_state(state, after, limit)

    async def counts(self, bank: str) -> LaneCounts:
        await trio.lowlevel.checkpoint()
        with self._view() as view:
            return view.counts(bank)

    async def undecided(self) -> dict[str, int]:
        """Bank → how many of its payments are not sent or in doubt; also of banks that have no profile any more."""
        await trio.lowlevel.checkpoint()
        with self._view() as view:
            return view.undecided()

    async def facts(self, after: int, limit: int) -> list[Fact]:
        """Raises CorruptRecord."""
        await trio.lowlevel.checkpoint()
        with self._view() as view:
            return view.facts(after, limit)

    async def facts_of(self, payment_id: bytes, limit: int) -> list[Fact]:
        """The payment's first facts, in order. Raises CorruptRecord."""
        await trio.lowlevel.checkpoint()
        with self._view() as view:
            return view.facts_of(payment_id, limit)

    async def quarantine(self) -> list[Fact]:
        """Raises CorruptRecord."""
        await trio.lowlevel.checkpoint()
        with self._view() as view:
            return view.quarantine()

    async def last_sequence(self) -> int:
        return (await self.head())[0]

    async def head(self) -> tuple[int, bytes]:
        """(last sequence, its chain hash); (0, GENESIS) in a new store."""
        await trio.lowlevel.checkpoint()
        with self._view() as view:
            return view.head()

    async def check_head(self) -> None:
        """Raises CorruptRecord unless the last fact of the log is the one the head of the chain names."""
        await trio.lowlevel.checkpoint()
        with self._view() as view:
            view.check_head()

    async def evidence(self, sha256: bytes) -> Evidence | None:
        """Raises CorruptRecord."""
        await trio.lowlevel.checkpoint()
        with self._view() as view:
            return view.evidence(sha256)

    async def cursor(self, bank: str) -> str:
        await trio.lowlevel.checkpoint()
        with self._view() as view:
            return view.cursor(bank)

    # ------------------------------------------------------------ inside

    @contextmanager
    def _view(self) -> Iterator[View]:
        """A read transaction; nothing in it awaits and each look is bounded, so none outlives a turn of the event loop.
        One that did all the same has pinned pages for READ_TXN_S_MAX, and says so."""
        with self._map_lock, self._maps.env.begin() as txn:
            began_s = self._steady()
            yield View(self._maps, txn, self._note, self._writer.recent)
        if self._steady() - began_s > limits.READ_TXN_S_MAX:
            logger.warning("a read of the store took too long")

    def _note(self, corrupt: CorruptRecord) -> None:
        """Called from both threads; at worst one finding is logged twice."""
        where = (corrupt.mapping, corrupt.key)
        if where in self._corrupt or len(self._corrupt) >= CORRUPT_NOTED_MAX:
            return
        self._corrupt[where] = corrupt
        logger.error("corrupt record", extra={"mapping": corrupt.mapping})


def _check(admission: Admission) -> None:
    payment = admission.payment
    if payment.state is not State.RECEIVED or payment.version != 1 or len(payment.id) != layout.ID_BYTES:
        raise ValueError("an admission is a payment with an id of 16 bytes, RECEIVED, of version 1")
    layout.prefix(payment.tenant)
    layout.prefix(payment.instruction.bank)
    state: State = payment.state
    for happening in admission.then:
        state = step(state, happening.kind)


def _take_all(steps: Sequence[Step], batch: Batch, now_ns: int) -> list[Stepped]:
    return [batch.take(one, now_ns) for one in steps]


def _parts(writes: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """No more than one commit takes; of one call's parts each is durable by itself."""
    for start in range(0, len(writes), limits.COMMIT_PAYMENTS_MAX):
        yield writes[start : start + limits.COMMIT_PAYMENTS_MAX]
