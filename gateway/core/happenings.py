"""A happening is one input of the state table with what came with it."""

from dataclasses import dataclass
from typing import Final

from gateway.core.payment import Attempt, Payment, Uptime
from gateway.core.proposal import Proposal
from gateway.core.reasons import Reason
from gateway.core.states import Kind


@dataclass(frozen=True, slots=True)
class Happening:
    """What happened to a payment. Only the fields that the kind needs are set."""

    kind: Kind
    reason: Reason | None = None
    attempt: Attempt | None = None
    """With MARKED: the attempt that begins."""
    bank_status: str = ""
    bank_reason: str = ""
    holds: tuple[str, ...] = ()
    """With HOLD_PLACED, HOLD_RELEASED, HOLDS_CLEARED: their names."""
    send_after_ns: int = 0
    """With NOT_SENT, NOT_HELD: when it may be sent again."""
    inquire_at_ns: int = 0
    """With DOUBTED, SUSPECTED, ACCEPTED, INQUIRED, PROPOSED: when to ask the bank next; 0 = not planned."""
    missing_since: Uptime | None = None
    """With INQUIRED: since when the bank has said "not found"; None: it said something else."""
    evidence: bytes = b""
    """The bank's own bytes on which this rests, or the note of the person who proposed or confirmed it; kept with the
    fact (bounded by limits.EVIDENCE_BYTES_MAX)."""
    proposal: Proposal | None = None
    """With PROPOSED: the new one. With reason DECIDED_BY_TWO: the one that was confirmed."""
    actor: str = ""
    """The principal who did it; empty when the house did."""


FREED: Final = frozenset({Kind.NOT_HELD, Kind.WITHHELD})
"""Kinds that say: the bank definitely does not hold the payment."""


def freed(payment: Payment) -> Kind:
    """Which of FREED it is for this payment: with open holds it goes back to them."""
    return Kind.WITHHELD if payment.holds else Kind.NOT_HELD


def wire_named(payment: Payment, happening: Happening) -> tuple[str, str] | None:
    """(bank, wire reference) by which a bank's words must find the payment from this happening on; None: no new one."""
    if happening.kind is Kind.SUSPECTED:
        return payment.instruction.bank, payment.wire_reference
    attempt = happening.attempt
    return (attempt.bank, attempt.wire_reference) if attempt and happening.kind is Kind.MARKED else None


def received() -> Happening:
    return Happening(Kind.RECEIVED)


def cleared() -> Happening:
    return Happening(Kind.CLEARED)


def cancelled(actor: str) -> Happening:
    return Happening(Kind.CANCELLED, reason=Reason.CLIENT_ASKED, actor=actor)


def held(reason: Reason, hold: str) -> Happening:
    return Happening(Kind.HOLD_PLACED, reason=reason, holds=(hold,))


def refused(reason: Reason) -> Happening:
    return Happening(Kind.REFUSED, reason=reason)


def marked(attempt: Attempt) -> Happening:
    return Happening(Kind.MARKED, attempt=attempt)


def not_sent(reason: Reason, send_after_ns: int) -> Happening:
    return Happening(Kind.NOT_SENT, reason=reason, send_after_ns=send_after_ns)


def doubted(reason: Reason, inquire_at_ns: int, evidence: bytes = b"") -> Happening:
    return Happening(Kind.DOUBTED, reason=reason, inquire_at_ns=inquire_at_ns, evidence=evidence)


def suspected(actor: str, inquire_at_ns: int) -> Happening:
    """Our record is older than what the bank may know (law 6); `actor` restored the store."""
    return Happening(Kind.SUSPECTED, reason=Reason.RESTORED_FROM_BACKUP, inquire_at_ns=inquire_at_ns, actor=actor)


def inquired(inquire_at_ns: int, evidence: bytes = b"", missing_since: Uptime | None = None) -> Happening:
    """The bank was asked and nothing was learnt; `inquire_at_ns` 0 = the budget is spent. `missing_since` as in
    Payment."""
    return Happening(
        Kind.INQUIRED,
        reason=Reason.NOTHING_LEARNT,
        inquire_at_ns=inquire_at_ns,
        missing_since=missing_since,
        evidence=evidence,
    )


def still_accepted(bank_status: str, bank_reason: str, inquire_at_ns: int, evidence: bytes = b"") -> Happening:
    """Asked, the bank says again that it has taken the payment, perhaps with another status."""
    return Happening(
        Kind.INQUIRED,
        reason=Reason.BANK_ANSWERED,
        bank_status=bank_status,
        bank_reason=bank_reason,
        inquire_at_ns=inquire_at_ns,
        evidence=evidence,
    )
