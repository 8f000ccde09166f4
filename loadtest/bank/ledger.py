"""The oracle: what the bank has really booked, readable while it runs and after it was killed.

A booking is committed with its flush before the answer to it leaves, so a reader never finds less here than a
client was told (lies excepted, which are the point of lying).
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

LEDGER_FILE = "ledger.sqlite"
READ_WAIT_S = 5.0  # a reader waits this long while a freshly killed bank's log is being recovered


@dataclass(frozen=True, slots=True)
class Booking:
    """One movement of money. Times are seconds since the epoch; `settled_at` is None until it settles."""

    booking_id: int
    reference: str
    message_id: str
    end_to_end_id: str
    amount: Decimal
    currency: str
    debtor: str
    creditor: str
    traceparent: str | None
    booked_at: float
    settled_at: float | None


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts over the whole ledger. `amounts` is by currency; `received` counts requests per transfer."""

    bookings: int
    settled: int
    amounts: dict[str, Decimal]
    received: int


class Ledger:
    """A read-only view of one bank's ledger; each call sees the newest commit. Give the `--ledger` folder."""

    def __init__(self, path: Path | str) -> None:
        path = Path(path)
        self.path = path if path.suffix == ".sqlite" else path / LEDGER_FILE

    def bookings_by_reference(self) -> dict[str, int]:
        """How often each wire reference was booked; what was never booked is not in it."""
        return self._counts("SELECT reference, count(*) FROM bookings GROUP BY reference")

    def received_by_reference(self) -> dict[str, int]:
        """How often a request for each wire reference came in whole, booked or not."""
        return self._counts("SELECT reference, received FROM receipts")

    def booked_twice(self) -> dict[str, int]:
        """The wire references with more than one booking: empty, or somebody was paid twice."""
        return self._counts("SELECT reference, count(*) FROM bookings GROUP BY reference HAVING count(*) > 1")

    def totals(self) -> Totals:
        """Counts and sums."""
        with self._reading() as connection:
            bookings, settled = connection.execute("SELECT count(*), count(settled_at) FROM bookings").fetchone()
            (received,) = connection.execute("SELECT coalesce(sum(received), 0) FROM receipts").fetchone()
            amounts: dict[str, Decimal] = {}
            for currency, amount in connection.execute("SELECT currency, amount FROM bookings"):
                amounts[currency] = amounts.get(currency, Decimal(0)) + Decimal(amount)
        return Totals(bookings, settled, amounts, received)

    def rows(self) -> list[Booking]:
        """All bookings, oldest first."""
        with self._reading() as connection:
            found = connection.execute(
                "SELECT booking_id, reference, message_id, end_to_end_id, amount, currency, debtor, creditor,"
                " traceparent, booked_at, settled_at FROM bookings ORDER BY booking_id"
            )
            return [_booking(row) for row in found]

    def _counts(self, query: str) -> dict[str, int]:
        with self._reading() as connection:
            return {str(reference): int(count) for reference, count in connection.execute(query)}

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        address = f"file:{quote(str(self.path.resolve()))}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=READ_WAIT_S)) as connection:
            connection.execute("BEGIN")
            yield connection


def _booking(row: tuple[Any, ...]) -> Booking:
    booking_id, reference, message_id, end_to_end_id, amount, *rest = row
    return Booking(booking_id, reference, message_id, end_to_end_id, Decimal(amount), *rest)
