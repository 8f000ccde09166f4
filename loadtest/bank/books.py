"""The bank's durable memory: SQLite with one writer and group commits.

All works that wait while a commit is being flushed share the next one: that is what makes a synchronous
ledger fast. The works themselves run on the event loop (they only touch memory); only the commit, which
flushes, runs in a thread. An error while writing ends the bank: an oracle is right or it is silent.
"""

import fcntl
import os
import sqlite3
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import trio

from loadtest.bank.config import WORKS_PER_COMMIT_MAX
from loadtest.bank.ledger import LEDGER_FILE

T = TypeVar("T")

SCHEMA = """
CREATE TABLE IF NOT EXISTS bookings (
    booking_id INTEGER PRIMARY KEY, reference TEXT NOT NULL, message_id TEXT NOT NULL,
    end_to_end_id TEXT NOT NULL, amount TEXT NOT NULL, currency TEXT NOT NULL, debtor TEXT NOT NULL,
    creditor TEXT NOT NULL, traceparent TEXT, booked_at REAL NOT NULL, settled_at REAL);
CREATE INDEX IF NOT EXISTS booking_by_reference ON bookings (reference);
CREATE TABLE IF NOT EXISTS receipts (reference TEXT PRIMARY KEY, received INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS submissions (
    submission_id INTEGER PRIMARY KEY, message_id TEXT NOT NULL, name TEXT NOT NULL, visible_at REAL NOT NULL,
    accepted INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS submission_by_message ON submissions (message_id);
CREATE TABLE IF NOT EXISTS transfers (
    transfer_id INTEGER PRIMARY KEY, submission_id INTEGER NOT NULL, reference TEXT NOT NULL,
    payment_information_id TEXT NOT NULL, instruction_id TEXT, end_to_end_id TEXT NOT NULL, uetr TEXT,
    status TEXT NOT NULL, reason TEXT, told_status TEXT NOT NULL, told_reason TEXT, bank_reference TEXT,
    booking_id INTEGER, settles INTEGER NOT NULL, late_reason TEXT, report_as TEXT,
    known INTEGER NOT NULL, repeated INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS transfer_by_reference ON transfers (reference);
CREATE INDEX IF NOT EXISTS transfer_by_submission ON transfers (submission_id);
CREATE TABLE IF NOT EXISTS duties (
    duty_id INTEGER PRIMARY KEY, due_at REAL NOT NULL, kind TEXT NOT NULL, submission_id INTEGER NOT NULL,
    copies INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS duty_by_time ON duties (due_at, duty_id);
CREATE TABLE IF NOT EXISTS reports (sequence INTEGER PRIMARY KEY AUTOINCREMENT, body BLOB NOT NULL);
"""


class LedgerInUse(Exception):
    """Another bank writes to this ledger."""


class _Work:
    """Something to write, and the place of its result."""

    __slots__ = ("act", "done", "result")

    def __init__(self, act: Callable[[sqlite3.Connection], Any]) -> None:
        self.act = act
        self.done = trio.Event()
        self.result: Any = None


class Books:
    """The writer and, on a second connection that sees commits only, the reader."""

    def __init__(self, folder: Path) -> None:
        """Opens or makes the ledger in `folder`. Raises LedgerInUse, OSError or sqlite3.Error."""
        folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as opened:
            self._lock(folder, opened)
            self._writer = _open(folder / LEDGER_FILE)
            opened.callback(self._writer.close)
            self._writer.executescript(SCHEMA)
            self.reader = _open(folder / LEDGER_FILE)
            opened.callback(self.reader.close)
            self._opened = opened.pop_all()
        self._waiting: deque[_Work] = deque()
        self._wake = trio.Event()

    def _lock(self, folder: Path, opened: ExitStack) -> None:
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        opened.callback(os.close, lock)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as taken:
            raise LedgerInUse(f"{folder} is the ledger of a bank that runs already") from taken

    async def write(self, act: Callable[[sqlite3.Connection], T]) -> T:
        """Runs `act` inside a transaction and returns its result once that is committed and flushed.

        Waiting works are bounded by the exchanges the bank allows at once.
        """
        work = _Work(act)
        self._waiting.append(work)
        self._wake.set()
        await work.done.wait()
        result: T = work.result
        return result

    async def run(self) -> None:
        """Commits for ever; when cancelled, the commit under way is finished first."""
        while True:
            if not self._waiting:
                self._wake = trio.Event()
                await self._wake.wait()
            await self._commit([self._waiting.popleft() for _ in range(self._batch())])

    def _batch(self) -> int:
        return min(len(self._waiting), WORKS_PER_COMMIT_MAX)

    async def _commit(self, works: list[_Work]) -> None:
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            for work in works:
                work.result = work.act(self._writer)
        except BaseException:
            self._writer.execute("ROLLBACK")
            raise
        await trio.to_thread.run_sync(self._writer.execute, "COMMIT")
        for work in works:
            work.done.set()

    def close(self) -> None:
        """Frees the ledger for another bank."""
        self._opened.close()


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=64)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    return connection
