"""Questions to the books: where is this payment, and what is new in the mailbox. Both see commits only."""

import sqlite3

from loadtest.bank import pain002
from loadtest.bank.config import REPORT_BYTES_PER_ANSWER_MAX, REPORTS_PER_ANSWER_MAX
from loadtest.bank.pain002 import TransferStatus
from loadtest.bank.sins import Sin

_TRANSFER = (
    "SELECT t.payment_information_id, t.instruction_id, t.end_to_end_id, t.uetr,"
    " CASE WHEN s.accepted THEN t.status ELSE 'PDNG' END, CASE WHEN s.accepted THEN t.reason END,"
    " t.bank_reference FROM transfers t JOIN submissions s USING (submission_id)"
)


def status(connection: sqlite3.Connection, reference: str, now: float, lies: tuple[Sin, ...]) -> bytes | None:
    """A pain.002 about a whole message (MsgId) or one transfer (wire reference); None when unknown so far.

    Of repeated submissions the newest one that is visible answers. `lies` change what is said, not what is.
    """
    found = _message(connection, reference, now) or _transfer(connection, reference, now)
    if found is None:
        return None
    submission_id, said = found
    if not said or any(sin.says == "NOTFOUND" for sin in lies):
        return None
    message_id, name = connection.execute(
        "SELECT message_id, name FROM submissions WHERE submission_id = ?", (submission_id,)
    ).fetchone()
    return pain002.report(message_id, name, now, [_lie(row, lies) for row in said])


def reports(connection: sqlite3.Connection, after: int, limit: int) -> bytes:
    """The mailbox from sequence `after` on, inside a `reports` element whose `next` is where to go on."""
    last, size = after, 0
    bodies: list[bytes] = []
    query = "SELECT sequence, body FROM reports WHERE sequence > ? ORDER BY sequence LIMIT ?"
    for sequence, body in connection.execute(query, (after, min(limit, REPORTS_PER_ANSWER_MAX))):
        size += len(body)
        if bodies and size > REPORT_BYTES_PER_ANSWER_MAX:
            break
        bodies.append(body)
        last = sequence
    head = pain002.PROLOGUE + f'<reports next="{last}">'.encode()
    return head + b"".join(bodies) + b"</reports>"


Found = tuple[int, list[TransferStatus]]


def _message(connection: sqlite3.Connection, message_id: str, now: float) -> Found | None:
    row = connection.execute(
        "SELECT submission_id FROM submissions WHERE message_id = ? AND visible_at <= ?"
        " ORDER BY submission_id DESC LIMIT 1",
        (message_id, now),
    ).fetchone()
    if row is None:
        return None
    rows = connection.execute(f"{_TRANSFER} WHERE t.submission_id = ? AND t.known ORDER BY t.transfer_id", row)
    return row[0], [TransferStatus(*found) for found in rows]


def _transfer(connection: sqlite3.Connection, reference: str, now: float) -> Found | None:
    row = connection.execute(
        "SELECT t.submission_id, t.transfer_id FROM transfers t JOIN submissions s USING (submission_id)"
        " WHERE t.reference = ? AND t.known AND NOT t.repeated AND s.visible_at <= ?"
        " ORDER BY t.transfer_id DESC LIMIT 1",
        (reference, now),
    ).fetchone()
    if row is None:
        return None
    rows = connection.execute(f"{_TRANSFER} WHERE t.transfer_id = ?", row[1:])
    return row[0], [TransferStatus(*found) for found in rows]


def _lie(said: TransferStatus, lies: tuple[Sin, ...]) -> TransferStatus:
    for sin in lies:
        if sin.says != "NOTFOUND":
            reason = sin.reason if sin.says == "RJCT" else None
            return TransferStatus(
                said.payment_information_id,
                said.instruction_id,
                said.end_to_end_id,
                said.uetr,
                sin.says,
                reason,
                said.bank_reference,
            )
    return said
