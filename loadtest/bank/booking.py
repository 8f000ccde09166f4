"""Writing one pain.001 into the books: judge each transfer, move the money, remember what will be said."""

import sqlite3
from dataclasses import dataclass
from functools import partial

from loadtest.bank import settlement
from loadtest.bank.config import BankConfig
from loadtest.bank.pain001 import Initiation, Transfer
from loadtest.bank.pain002 import Status, TransferStatus
from loadtest.bank.rules import Verdict, judge
from loadtest.bank.sins import Sin

REPEATED_MESSAGE = "DU01"  # ISO 20022: message identification is not unique
REPEATED_TRANSFER = "AM05"  # ISO 20022: duplication


@dataclass(frozen=True, slots=True)
class Submission:
    """One request to pay, `at` seconds since the epoch, after any delay a sin has caused before the booking.

    `counted`: its receipt is journaled already. `copies`: how often the late answer comes.
    """

    initiation: Initiation
    traceparent: str | None
    at: float
    lies: tuple[Sin, ...] = ()
    counted: bool = False
    copies: int = 1


@dataclass(frozen=True, slots=True)
class Decision:
    """What the bank says at once: one status per transfer, and a reason for the whole group if it has one."""

    transfers: tuple[TransferStatus, ...]
    reason: str | None = None


def journal(initiation: Initiation, connection: sqlite3.Connection) -> None:
    """Counts a request for each of its wire references."""
    connection.executemany(
        "INSERT INTO receipts VALUES (?, 1) ON CONFLICT (reference) DO UPDATE SET received = received + 1",
        [(transfer.reference,) for transfer in initiation.transfers],
    )


def book(config: BankConfig, submission: Submission, connection: sqlite3.Connection) -> Decision:
    """A work for Books.write: everything about one submission changes together."""
    initiation = submission.initiation
    if not submission.counted:
        journal(initiation, connection)
    if config.dedupe and _known_message(connection, initiation.message_id):
        refuse = partial(_status, status="RJCT", reason=REPEATED_MESSAGE)
        return Decision(tuple(map(refuse, initiation.transfers)), reason=REPEATED_MESSAGE)
    at_once = config.mode == "now"
    submission_id = connection.execute(
        "INSERT INTO submissions (message_id, name, visible_at, accepted) VALUES (?, ?, ?, ?)",
        (
            initiation.message_id,
            initiation.name,
            submission.at + config.visibility_delay_s,
            int(at_once),
        ),
    ).lastrowid
    assert submission_id is not None
    clerk = _Clerk(config, submission, submission_id, connection)
    told = tuple(clerk.enter(transfer) for transfer in initiation.transfers)
    accepted_at = submission.at + (0 if at_once else config.report_delay_s)
    if not at_once:
        settlement.promise(connection, accepted_at, "accept", submission_id, submission.copies)
    if clerk.settles:
        if at_once and config.settle_delay_s == 0:
            settlement.settle(connection, submission_id, submission.at)
        else:
            settlement.promise(connection, accepted_at + config.settle_delay_s, "settle", submission_id)
    return Decision(told)


class _Clerk:
    """Enters the transfers of one submission."""

    def __init__(
        self, config: BankConfig, submission: Submission, submission_id: int, connection: sqlite3.Connection
    ) -> None:
        self.settles = False
        self._config = config
        self._submission = submission
        self._submission_id = submission_id
        self._connection = connection

    def enter(self, transfer: Transfer) -> TransferStatus:
        """Books the transfer if the verdict, or a lie, says so; returns what the client is told."""
        repeated = self._config.dedupe and _known_transfer(self._connection, transfer.reference)
        if repeated:
            verdict = Verdict(books=False, reason=REPEATED_TRANSFER)
        else:
            verdict = judge(transfer, self._config.max_amount)
        lies = [sin for sin in self._submission.lies if sin.fits(transfer.end_to_end_id, transfer.reference)]
        known = not any(sin.says == "ACCP" for sin in lies)
        booking_id = self._book(transfer) if verdict.books and known else None
        truth = _truth(transfer, verdict, self._bank_reference(booking_id))
        told = _told(transfer, truth, lies)
        settles = known and ((verdict.books and verdict.settles) or verdict.accepts_first)
        self.settles |= settles
        report_as = next((sin.wrong_reference for sin in lies if sin.says == "ACSC"), None)
        late_reason = verdict.reason if verdict.accepts_first else None
        self._remember(
            transfer,
            truth,
            told,
            (booking_id, int(settles), late_reason, report_as, int(known), int(repeated)),
        )
        return told

    def _book(self, transfer: Transfer) -> int:
        booking_id = self._connection.execute(
            "INSERT INTO bookings (reference, message_id, end_to_end_id, amount, currency, debtor, creditor,"
            " traceparent, booked_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                transfer.reference,
                self._submission.initiation.message_id,
                transfer.end_to_end_id,
                str(transfer.amount),
                transfer.currency,
                transfer.debtor,
                transfer.creditor,
                self._submission.traceparent,
                self._submission.at,
            ),
        ).lastrowid
        assert booking_id is not None
        return booking_id

    def _bank_reference(self, booking_id: int | None) -> str | None:
        return None if booking_id is None else f"{self._config.name}-{booking_id}"

    def _remember(
        self, transfer: Transfer, truth: TransferStatus, told: TransferStatus, rest: tuple[object, ...]
    ) -> None:
        self._connection.execute(
            "INSERT INTO transfers (submission_id, reference, payment_information_id, instruction_id,"
            " end_to_end_id, uetr, status, reason, told_status, told_reason, bank_reference, booking_id,"
            " settles, late_reason, report_as, known, repeated)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                self._submission_id,
                transfer.reference,
                transfer.payment_information_id,
                transfer.instruction_id,
                transfer.end_to_end_id,
                transfer.uetr,
                truth.status,
                truth.reason,
                told.status,
                told.reason,
                truth.bank_reference,
                *rest,
            ),
        )


def _truth(transfer: Transfer, verdict: Verdict, bank_reference: str | None) -> TransferStatus:
    if verdict.reason and not verdict.accepts_first:
        return _status(transfer, "RJCT", verdict.reason)
    return _status(transfer, "ACCP", bank_reference=bank_reference)


def _told(transfer: Transfer, truth: TransferStatus, lies: list[Sin]) -> TransferStatus:
    for sin in lies:
        if sin.says == "RJCT":
            return _status(transfer, "RJCT", sin.reason)
        if sin.says == "ACCP":
            return _status(transfer, "ACCP")
    return truth


def _status(
    transfer: Transfer, status: Status, reason: str | None = None, bank_reference: str | None = None
) -> TransferStatus:
    return TransferStatus(
        transfer.payment_information_id,
        transfer.instruction_id,
        transfer.end_to_end_id,
        transfer.uetr,
        status,
        reason,
        bank_reference,
    )


def _known_message(connection: sqlite3.Connection, message_id: str) -> bool:
    query = "SELECT 1 FROM submissions WHERE message_id = ? LIMIT 1"
    return connection.execute(query, (message_id,)).fetchone() is not None


def _known_transfer(connection: sqlite3.Connection, reference: str) -> bool:
    query = "SELECT 1 FROM transfers WHERE reference = ? AND known LIMIT 1"
    return connection.execute(query, (reference,)).fetchone() is not None
