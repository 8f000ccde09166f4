"""What the bank has promised to do later: late answers and settlements. Kept in the books over restarts."""

import sqlite3
from typing import Literal

from loadtest.bank import pain002
from loadtest.bank.config import DUTIES_PER_COMMIT_MAX
from loadtest.bank.pain002 import TransferStatus

DutyKind = Literal["accept", "settle"]


def promise(connection: sqlite3.Connection, due_at: float, kind: DutyKind, submission_id: int, copies: int = 1) -> None:
    """Writes down a duty. `due_at` is seconds since the epoch."""
    connection.execute(
        "INSERT INTO duties (due_at, kind, submission_id, copies) VALUES (?, ?, ?, ?)",
        (due_at, kind, submission_id, copies),
    )


def next_due(connection: sqlite3.Connection) -> float | None:
    """When the earliest duty is due, in seconds since the epoch."""
    due: float | None = connection.execute("SELECT min(due_at) FROM duties").fetchone()[0]
    return due


def perform_due(now: float, connection: sqlite3.Connection) -> int:
    """A work for Books.write: performs duties that are due, oldest first; returns how many."""
    duties = connection.execute(
        "SELECT duty_id, kind, submission_id, copies FROM duties WHERE due_at <= ? ORDER BY due_at, duty_id LIMIT ?",
        (now, DUTIES_PER_COMMIT_MAX),
    ).fetchall()
    for duty_id, kind, submission_id, copies in duties:
        if kind == "accept":
            accept(connection, submission_id, now, copies)
        else:
            settle(connection, submission_id, now)
        connection.execute("DELETE FROM duties WHERE duty_id = ?", (duty_id,))
    return len(duties)


def accept(connection: sqlite3.Connection, submission_id: int, now: float, copies: int) -> None:
    """Puts the late answer into the mailbox (`copies` times, for a bank that repeats itself)."""
    told = connection.execute(
        "SELECT payment_information_id, instruction_id, end_to_end_id, uetr, told_status, told_reason,"
        " bank_reference FROM transfers WHERE submission_id = ? ORDER BY transfer_id",
        (submission_id,),
    )
    _mail(connection, submission_id, now, [TransferStatus(*row) for row in told], copies)
    connection.execute("UPDATE submissions SET accepted = 1 WHERE submission_id = ?", (submission_id,))


def settle(connection: sqlite3.Connection, submission_id: int, now: float) -> None:
    """Settles what was booked, rejects what was accepted too early, and reports both in one pain.002."""
    found = connection.execute(
        "SELECT transfer_id, payment_information_id, instruction_id, end_to_end_id, uetr, late_reason,"
        " bank_reference, booking_id, report_as FROM transfers"
        " WHERE submission_id = ? AND settles = 1 AND status = 'ACCP' ORDER BY transfer_id",
        (submission_id,),
    ).fetchall()
    reported: list[TransferStatus] = []
    for (
        transfer_id,
        group,
        instruction_id,
        end_to_end_id,
        uetr,
        late,
        bank_reference,
        booking_id,
        wrong,
    ) in found:
        if booking_id is not None:
            connection.execute("UPDATE bookings SET settled_at = ? WHERE booking_id = ?", (now, booking_id))
        status: pain002.Status = "RJCT" if late else "ACSC"
        connection.execute(
            "UPDATE transfers SET status = ?, reason = ? WHERE transfer_id = ?", (status, late, transfer_id)
        )
        if wrong:
            instruction_id, end_to_end_id, uetr = wrong, wrong, None
        reported.append(TransferStatus(group, instruction_id, end_to_end_id, uetr, status, late, bank_reference))
    if reported:
        _mail(connection, submission_id, now, reported)


def _mail(
    connection: sqlite3.Connection,
    submission_id: int,
    now: float,
    said: list[TransferStatus],
    copies: int = 1,
) -> None:
    message_id, name = connection.execute(
        "SELECT message_id, name FROM submissions WHERE submission_id = ?", (submission_id,)
    ).fetchone()
    body = pain002.report(message_id, name, now, said)
    connection.executemany("INSERT INTO reports (body) VALUES (?)", [(body,)] * copies)
