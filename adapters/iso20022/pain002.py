"""pain.002 → the bank's word for each payment.

The nearest status counts: a transaction's own, else that of its block (PmtInfSts), else that of the group (GrpSts).
PART says nothing about a line that is not mentioned. What is not understood for certain gives no word at all and is
reported as unclear: the payment then stays where it is, in sight, until something certain comes. That holds for codes
outside the code sets, for two ends told of one payment in one report, for lines that name one payment and describe
another, and for rejections of a *duplicate*, which say that a first copy may be there.
"""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import Final, NamedTuple

from adapters.iso20022.codes import DUPLICATE_REASONS, GROUP_STATUS, TRANSACTION_STATUS
from adapters.iso20022.messages import NOT_PROVIDED, BatchReport, Status, StatusReport, TransactionReport
from gateway.core.outcome import Outcome, Word

ENDS: Final = frozenset({Word.SETTLED, Word.REJECTED})
"""Words after which a bank has no other for the same payment (RETURNED never comes in a pain.002)."""


class Line(NamedTuple):
    """What we know of one payment that a report may speak of."""

    wire_reference: str
    end_to_end_id: str
    payment_information_id: str
    amount: tuple[str, Decimal] | None = None
    """(currency, amount); None: not known here, so not compared."""


@dataclass(slots=True)
class Said:
    """What one report says: outcomes in the bank's order, and whether something in it could not be used."""

    outcomes: list[Outcome] = field(default_factory=list)
    unclear: bool = False
    foreign: bool = False
    """It speaks of transactions that are not among the lines."""


class _Verdict(NamedTuple):
    word: Word
    code: str
    reason: str
    evidence: bytes


def said(report: StatusReport, lines: Iterable[Line], *, whole: bytes = b"") -> Said:
    """What `report` says of these lines. The caller has checked that the report is about their message. `whole` is the
    evidence of every outcome where the report was read without excerpts."""
    known = _Lines(lines)
    result = Said()
    verdicts: dict[str, _Verdict | None] = {}  # None: mentioned, and unclear or without a word
    for batch in report.batches:
        for transaction in batch.transactions:
            _hear(report, batch, transaction, known, verdicts, result)
    blocks, disputed = _blocks(report)
    if disputed or len(verdicts) < len(known.by_reference):  # else each line has its own verdict
        _hear_blocks(report, blocks, disputed, known, verdicts, result)
    message = "" if report.message_id == NOT_PROVIDED else report.message_id
    result.outcomes = [
        Outcome(verdict.word, wire, verdict.code, verdict.reason, whole or verdict.evidence, 0.0, message)
        for wire, verdict in verdicts.items()
        if verdict is not None
    ]
    return result


class _Lines:
    """The lines by the names a bank may call them."""

    def __init__(self, lines: Iterable[Line]) -> None:
        self.by_reference = {line.wire_reference: line for line in lines}

    @cached_property
    def _by_end_to_end_id(self) -> dict[str, list[Line]]:
        """Made when it is asked for: most banks repeat our InstrId."""
        found: dict[str, list[Line]] = {}
        for line in self.by_reference.values():
            found.setdefault(line.end_to_end_id, []).append(line)
        return found

    def named(self, transaction: TransactionReport) -> list[Line]:
        """By InstrId, which is ours alone; by EndToEndId, which clients choose, only where there is no InstrId."""
        if transaction.instruction_id not in ("", NOT_PROVIDED):
            line = self.by_reference.get(transaction.instruction_id)
            return [] if line is None else [line]
        if transaction.end_to_end_id in ("", NOT_PROVIDED):
            return []
        return self._by_end_to_end_id.get(transaction.end_to_end_id, [])


def _hear(
    report: StatusReport,
    batch: BatchReport,
    transaction: TransactionReport,
    known: _Lines,
    verdicts: dict[str, _Verdict | None],
    result: Said,
) -> None:
    """Takes in one transaction's line."""
    named = known.named(transaction)
    if not named:
        result.foreign = True
        return
    if len(named) > 1 or not _describes(transaction, named[0]):
        result.unclear = True
        verdicts.update((line.wire_reference, None) for line in named)
        return
    wire, status = named[0].wire_reference, transaction.status
    if status.code:
        evidence = report.excerpt + batch.excerpt + transaction.excerpt
        if batch.status.reasons and not status.reasons:
            status = Status(status.code, batch.status.reasons)
        verdict = _verdict(TRANSACTION_STATUS, status, evidence, result)
    else:
        verdict = _of_level(report, batch, result)
    if wire in verdicts:
        if _contradict(verdicts[wire], verdict):
            result.unclear = True
            verdict = None
        elif _finality(verdicts[wire]) > _finality(verdict):
            verdict = verdicts[wire]
    verdicts[wire] = verdict


def _hear_blocks(
    report: StatusReport,
    blocks: Mapping[str, BatchReport],
    disputed: Container[str],
    known: _Lines,
    verdicts: dict[str, _Verdict | None],
    result: Said,
) -> None:
    """Takes in what is said of whole blocks, or of the message, for the lines that are not mentioned."""
    for line in known.by_reference.values():
        if line.payment_information_id in disputed:
            result.unclear = True
        elif line.wire_reference not in verdicts:
            block = blocks.get(line.payment_information_id)
            verdicts[line.wire_reference] = _of_level(report, block, result)


def _blocks(report: StatusReport) -> tuple[dict[str, BatchReport], set[str]]:
    """The blocks by their PmtInfId, and the ids of those that come twice with different statuses."""
    blocks: dict[str, BatchReport] = {}
    disputed: set[str] = set()
    for batch in report.batches:
        first = blocks.setdefault(batch.payment_information_id, batch)
        if first.status.code != batch.status.code:
            disputed.add(batch.payment_information_id)
    return blocks, disputed


def _describes(transaction: TransactionReport, line: Line) -> bool:
    """Whether what the report repeats of a transaction is what we sent."""
    if transaction.end_to_end_id not in ("", NOT_PROVIDED, line.end_to_end_id):
        return False
    currency, amount = transaction.amount
    if line.amount is None or not amount:
        return True
    try:
        return (currency, Decimal(amount)) == line.amount
    except InvalidOperation:
        return False


def _of_level(report: StatusReport, batch: BatchReport | None, result: Said) -> _Verdict | None:
    """The verdict for a line without a status of its own."""
    if batch is not None and batch.status.code:
        return _verdict(GROUP_STATUS, batch.status, report.excerpt + batch.excerpt, result)
    return _verdict(GROUP_STATUS, report.status, report.excerpt, result) if report.status.code else None


def _verdict(table: Mapping[str, Word | None], status: Status, evidence: bytes, result: Said) -> _Verdict | None:
    if status.code not in table:
        result.unclear = True
        return None
    word = table[status.code]
    if word is Word.REJECTED and DUPLICATE_REASONS.intersection(status.reasons):
        result.unclear = True
        return None
    reason = status.reasons[0] if status.reasons else ""
    return None if word is None else _Verdict(word, status.code, reason, evidence)


def _contradict(one: _Verdict | None, other: _Verdict | None) -> bool:
    """Two different ends of one payment, or an earlier line of it that was unclear: no word may be taken."""
    if one is None or other is None:
        return True
    return one.word is not other.word and {one.word, other.word} == ENDS


def _finality(verdict: _Verdict | None) -> int:
    return 0 if verdict is None else 1 + (verdict.word in ENDS)
