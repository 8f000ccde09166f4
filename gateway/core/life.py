"""One payment's life: how a happening changes the record. Pure; the store calls it inside its write transaction."""

import hashlib

from gateway.core.decisions import made_by_two
from gateway.core.facts import Fact
from gateway.core.happenings import Happening, freed
from gateway.core.holds import HOLD_CONTRADICTION, released_by_another
from gateway.core.outcome import WITHOUT_STATUS
from gateway.core.payment import Attempt, Ended, Payment, Uptime
from gateway.core.proposal import Proposal
from gateway.core.reasons import Reason
from gateway.core.states import IllegalStep, Kind, State, step

ATTEMPTS_KEPT = 16
"""Attempts a record carries: a bank that is away for days must not make its payments' records grow without end."""

_ENDS_ATTEMPT = {
    Kind.NOT_SENT: Ended.NOT_SENT,
    Kind.DOUBTED: Ended.MAYBE_SENT,
    Kind.ACCEPTED: Ended.ANSWERED,
    Kind.SETTLED: Ended.ANSWERED,
    Kind.REJECTED: Ended.ANSWERED,
}


def after(payment: Payment, happening: Happening, now_ns: int) -> Payment:
    """The payment after the happening. Raises states.IllegalStep when the table does not allow it, when it claims to
    be decided by two people and is not, when who made the payment releases it, or when it would send it past its open
    holds."""
    before, kind = payment.state, happening.kind
    state = step(before, kind)
    allowed = made_by_two(payment, happening) and released_by_another(payment, happening)
    if not allowed or not _respects_holds(payment, happening):
        raise IllegalStep(before, kind)
    moved = state is not before
    bank_word = kind in (Kind.ACCEPTED, Kind.SETTLED, Kind.REJECTED, Kind.RETURNED, Kind.INQUIRED)
    # All fields by hand, which takes half of the time of dataclasses.replace; a test says that none is left out.
    return Payment(
        id=payment.id,
        tenant=payment.tenant,
        principal=payment.principal,
        instruction=payment.instruction,
        fingerprint=payment.fingerprint,
        state=state,
        version=payment.version + 1,
        received_at_ns=payment.received_at_ns,
        updated_at_ns=now_ns,
        traceparent=payment.traceparent,
        holds=_holds(payment, happening),
        attempts=_attempts(payment, happening),
        send_after_ns=happening.send_after_ns if state is State.QUEUED else 0,
        doubt_since_ns=_doubt_since(payment, happening, state, now_ns),
        inquiries=0 if moved or kind is Kind.SUSPECTED else payment.inquiries + (kind is Kind.INQUIRED),
        inquire_at_ns=happening.inquire_at_ns if state in (State.IN_DOUBT, State.ACCEPTED) else 0,
        missing_since=_missing_since(payment, happening, state),
        bank_status=(happening.bank_status if bank_word else "") or payment.bank_status,
        bank_reason=happening.bank_reason if bank_word and happening.bank_status else payment.bank_reason,
        contradiction=_contradiction(payment, happening),
        proposal=_proposal(payment, happening),
    )


def fact(payment: Payment, before: State, happening: Happening, sequence: int) -> Fact:
    """The log entry of a happening that led to `payment` (its record after the step)."""
    attempt = happening.attempt or payment.attempt
    suspected = happening.kind is Kind.SUSPECTED  # it may be there under its reference, whatever we know of attempts
    proposal = happening.proposal
    return Fact(
        sequence=sequence,
        payment_id=payment.id,
        tenant=payment.tenant,
        version=payment.version,
        at_ns=payment.updated_at_ns,
        kind=happening.kind,
        before=before,
        after=payment.state,
        reason=happening.reason,
        bank=payment.instruction.bank,
        attempt=attempt.number if attempt else 0,
        wire_reference=payment.wire_reference if suspected else attempt.wire_reference if attempt else "",
        bank_status=happening.bank_status,
        bank_reason=happening.bank_reason,
        holds=happening.holds,
        actor=happening.actor,
        traceparent=payment.traceparent,
        evidence_sha256=hashlib.sha256(happening.evidence).digest() if happening.evidence else b"",
        decision=proposal.decision if proposal else None,
        proposer=proposal.actor if proposal and happening.kind is not Kind.PROPOSED else "",
        proposal_sha256=proposal.digest if proposal else b"",
    )


def _respects_holds(payment: Payment, happening: Happening) -> bool:
    """No payment goes on past an open hold, and none is HELD without one: whoever releases a hold may have looked
    before another was placed."""
    match happening.kind:
        case Kind.NOT_HELD | Kind.WITHHELD:
            return happening.kind is freed(payment)
        case Kind.HOLD_RELEASED:
            return bool(_holds(payment, happening))
        case Kind.HOLDS_CLEARED:
            return not _holds(payment, happening)
        case Kind.CLEARED | Kind.MARKED:
            return not payment.holds
        case _:
            return True


def _holds(payment: Payment, happening: Happening) -> tuple[str, ...]:
    if happening.kind is Kind.HOLD_PLACED:
        return tuple(dict.fromkeys((*payment.holds, *happening.holds)))
    if happening.kind in (Kind.HOLD_RELEASED, Kind.HOLDS_CLEARED):
        return tuple(hold for hold in payment.holds if hold not in happening.holds)
    if happening.kind is Kind.CONTRADICTED and payment.state is State.HELD:
        return tuple(dict.fromkeys((*payment.holds, HOLD_CONTRADICTION)))
    return payment.holds


def _attempts(payment: Payment, happening: Happening) -> tuple[Attempt, ...]:
    if happening.kind is Kind.MARKED:
        assert happening.attempt is not None, "a mark without its attempt"
        return _bounded((*payment.attempts, happening.attempt))
    ended = _ENDS_ATTEMPT.get(happening.kind)
    if ended is None or payment.state is not State.SENDING:
        return payment.attempts
    return (*payment.attempts[:-1], _ended(payment.attempts[-1], ended, happening.reason))


def _ended(attempt: Attempt, ended: Ended, reason: Reason | None) -> Attempt:
    return Attempt(
        number=attempt.number,
        bank=attempt.bank,
        wire_reference=attempt.wire_reference,
        message_reference=attempt.message_reference,
        payload_sha256=attempt.payload_sha256,
        marked_at_ns=attempt.marked_at_ns,
        deadline_ns=attempt.deadline_ns,
        ended=ended,
        reason=reason,
    )


def _bounded(attempts: tuple[Attempt, ...]) -> tuple[Attempt, ...]:
    """The first attempt (duplicate windows count from it) and the latest; the log keeps them all."""
    return attempts if len(attempts) <= ATTEMPTS_KEPT else (attempts[0], *attempts[1 - ATTEMPTS_KEPT :])


def _doubt_since(payment: Payment, happening: Happening, state: State, now_ns: int) -> int:
    """A suspicion begins a doubt of its own, with a budget of its own; proposals made in the one before are void."""
    if state is not State.IN_DOUBT:
        return 0
    return now_ns if happening.kind is Kind.SUSPECTED else payment.doubt_since_ns or now_ns


def _missing_since(payment: Payment, happening: Happening, state: State) -> Uptime | None:
    """Of this doubt only, and only as long as the bank says nothing else; a person's proposal is no word of it."""
    if state is not State.IN_DOUBT or payment.state is not State.IN_DOUBT:
        return None
    return payment.missing_since if happening.kind is Kind.PROPOSED else happening.missing_since


def _contradiction(payment: Payment, happening: Happening) -> str:
    if happening.kind is Kind.CONTRADICTED:
        return happening.bank_status or WITHOUT_STATUS
    return payment.contradiction


def _proposal(payment: Payment, happening: Happening) -> Proposal | None:
    """One that was overtaken by evidence stays on the record: whoever confirms it is told that it is void."""
    if happening.kind is Kind.PROPOSED:
        return happening.proposal
    return None if happening.reason is Reason.DECIDED_BY_TWO else payment.proposal
