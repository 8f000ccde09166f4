"""What a bank's answer means, and what it makes happen to the payment it speaks of.

Three facts must never be merged: the transport's result (NotSent, MaybeSent), the bank's acceptance, and the final
outcome. An Outcome is the bank's word, as its adapter read it; `concluded` is the only place where a word meets a
state, so a late, repeated or contradicting word is handled in one way wherever it arrives from.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from gateway.core.happenings import Happening, freed
from gateway.core.payment import Payment
from gateway.core.reasons import Reason
from gateway.core.states import Kind, State


class Word(StrEnum):
    """The bank's word about one payment."""

    TAKEN = "TAKEN"  # it holds the payment and will act on it (RCVD, PDNG, ACTC, ACCP, ACSP, ACWC, ACFC …)
    SETTLED = "SETTLED"  # ACSC, ACCC
    REJECTED = "REJECTED"  # RJCT: definite, nothing will be paid
    RETURNED = "RETURNED"  # it was paid and came back
    NOT_FOUND = "NOT_FOUND"  # no such payment; proof only as the profile says
    NOT_PROCESSED = "NOT_PROCESSED"  # it answered without processing (throttled)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One payment's part of a bank's answer."""

    word: Word
    wire_reference: str
    bank_status: str = ""
    """ISO 20022 status code where the bank gave one."""
    bank_reason: str = ""
    """The bank's reason code (ISO external status reason, or proprietary)."""
    evidence: bytes = b""
    """The bytes the word was read from."""
    retry_after_s: float = 0.0
    """With NOT_PROCESSED: how long the bank asks us to wait; the journey bounds it. Of no meaning elsewhere."""
    message_reference: str = ""
    """The message it speaks of (OrgnlMsgId in pain.002); empty: the bank names none."""


DENIALS = frozenset({Word.NOT_FOUND, Word.NOT_PROCESSED})
"""Words by which the bank says that it has nothing: only as the answer to what was just asked, and never beside a word
that it has something."""

WITHOUT_STATUS = "without a status"
"""Stands in a payment's contradiction for a word that came without a status code."""

_KIND_OF = {Word.TAKEN: Kind.ACCEPTED, Word.SETTLED: Kind.SETTLED, Word.REJECTED: Kind.REJECTED}

_SAYS = {
    State.ACCEPTED: Word.TAKEN,
    State.SETTLED: Word.SETTLED,
    State.REJECTED: Word.REJECTED,
    State.RETURNED: Word.RETURNED,
}


def said_of(wire_reference: str, outcomes: Iterable[Outcome]) -> list[Outcome]:
    """What one answer says of one payment, in the bank's order. A denial beside any other word is left out: a bank that
    says both has not proved that it does not hold the payment."""
    ours = [outcome for outcome in outcomes if outcome.wire_reference == wire_reference]
    return [outcome for outcome in ours if outcome.word not in DENIALS] or ours[-1:]


def rejects_another(payment: Payment, outcome: Outcome) -> bool:
    """Whether it rejects another message than the latest that carried this payment: then it says nothing about the
    latest, which the bank may have taken.

    Only of rejections: that a bank has taken or paid it counts whatever message it came in. Without an attempt on
    record (a store restored from a backup) the latest we can vouch for is the message of this payment alone.
    """
    last = payment.attempt.message_reference if payment.attempt else payment.wire_reference
    return outcome.word is Word.REJECTED and outcome.message_reference not in ("", last)


def concluded(payment: Payment, outcome: Outcome, now_ns: int, *, inquire_at_ns: int = 0) -> Happening | None:
    """What the bank's word makes happen to this payment now; None where it says nothing new.

    Shape of the thought: a word that repeats the state is nothing; a word that goes forward is a step; NOT_FOUND is
    a step only out of IN_DOUBT (the caller has checked that it counts as proof); every other word contradicts.
    `inquire_at_ns` is when to ask again if the payment is then ACCEPTED.

    A rejection of an older message never rejects. That a later one was sent rests on a proof that the bank did not
    have the older; now it says that it had it. So it contradicts, and is written down with its evidence: of a payment
    in doubt no "not found" is a proof any more (law 8), and an accepted one stays accepted, in sight. The plan to ask
    stays as it was, or a bank's letters could break its budget. While an attempt is under way it is nothing: only what
    becomes of that attempt counts.
    """
    state, word = payment.state, outcome.word

    def happening(kind: Kind, reason: Reason = Reason.BANK_ANSWERED, inquire: int = 0) -> Happening:
        return Happening(
            kind,
            reason=reason,
            bank_status=outcome.bank_status,
            bank_reason=outcome.bank_reason,
            evidence=outcome.evidence,
            inquire_at_ns=inquire,
            send_after_ns=now_ns + (int(outcome.retry_after_s * 1e9) if word is Word.NOT_PROCESSED else 0),
        )

    if word is Word.NOT_PROCESSED:
        return happening(Kind.NOT_SENT, Reason.BANK_THROTTLED) if state is State.SENDING else None
    if word is Word.NOT_FOUND:
        if state is State.IN_DOUBT:
            return happening(freed(payment), Reason.BANK_DOES_NOT_HOLD)
        return None
    if state is State.ACCEPTED and word is Word.TAKEN:
        same = outcome.bank_status == payment.bank_status
        return None if same else happening(Kind.ACCEPTED, inquire=inquire_at_ns or payment.inquire_at_ns)
    if _SAYS.get(state) is word or (state is State.RETURNED and word is Word.SETTLED):
        return None
    if state is State.SETTLED and word is Word.TAKEN:
        return None  # an older report, overtaken on the way
    # The same contradiction is written down once: a bank cannot fill the log with it.
    told_before = payment.contradiction == (outcome.bank_status or WITHOUT_STATUS)
    if rejects_another(payment, outcome) and state in (State.SENDING, State.IN_DOUBT, State.ACCEPTED):
        if state is State.SENDING or told_before:
            return None
        return happening(Kind.CONTRADICTED, Reason.BANK_CONTRADICTS, inquire=payment.inquire_at_ns)
    if word is Word.RETURNED and state in (State.ACCEPTED, State.SETTLED):
        return happening(Kind.RETURNED)
    if state in (State.SENDING, State.IN_DOUBT) or (state is State.ACCEPTED and word in _KIND_OF):
        kind = _KIND_OF.get(word)
        if kind is not None:
            return happening(kind, inquire=inquire_at_ns if kind is Kind.ACCEPTED else 0)
        # RETURNED before anything was settled: it was held, and the money is back.
        return happening(Kind.ACCEPTED, inquire=now_ns)
    return None if told_before else happening(Kind.CONTRADICTED, Reason.BANK_CONTRADICTS, inquire=now_ns)
