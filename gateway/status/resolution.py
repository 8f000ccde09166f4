"""What an inquiry's answer does to a payment, and when the next one may be made. Pure (law 5).

No timer is in here that leads out of doubt: a spent budget only means that nobody asks any more until a report, a
statement or two people bring evidence.
"""

from collections.abc import Sequence
from dataclasses import replace

from gateway.config import InquiryPolicy
from gateway.core import happenings
from gateway.core.outcome import DENIALS, Outcome, Word, rejects_another, said_of
from gateway.core.payment import Payment, Uptime
from gateway.core.ports import Declaration, Step
from gateway.core.states import State
from gateway.status.missing import Asking

JITTER = 0.1
"""Share of a wait between inquiries that chance may cut off."""
WINDOW_MARGIN_S = 3600.0
"""A resend must reach the bank this long before its duplicate detection forgets the first one."""


def resolved(
    payment: Payment,
    outcomes: Sequence[Outcome],
    *,
    declaration: Declaration,
    policy: InquiryPolicy,
    now_ns: int,
    evidence: bytes,
    asking: Asking,
    leapt_ns: int = 0,
    sent_for_ns: int = 0,
    spread: float = 0.0,
) -> Step:
    """The step that follows from the bank's answer to one inquiry; no outcomes: the answer was of no use.

    `asking` says how long before this question the bank first said "not found" (missing.py). `leapt_ns` is what the
    wall clock has skipped since the last attempt was marked. `sent_for_ns` is how long ago the payment was first sent,
    at the least (age.py). `spread` is as in `next_inquiry_ns`.
    """
    next_ns = next_inquiry_ns(payment, policy, now_ns, leapt_ns, spread)
    # A denial beside a rejection of an older message was left out by said_of: it proves nothing either.
    said = [one for one in said_of(payment.wire_reference, outcomes) if not rejects_another(payment, one)]
    word = said[-1] if said else None
    age_s = max(now_ns - first_sent_ns(payment), sent_for_ns) / 1e9
    if word is not None and word.word is Word.NOT_FOUND and _is_proof(payment, declaration, age_s, asking):
        # Proof about this very attempt: of no use should the payment have moved on meanwhile.
        freed = replace(word, evidence=evidence or word.evidence)
        return Step(payment_id=payment.id, outcome=freed, expected_version=payment.version)
    if word is None or word.word in DENIALS:
        if word is not None and word.word is Word.NOT_FOUND and next_ns and declaration.not_found_is_proof:
            next_ns = min(next_ns, now_ns + int(declaration.visibility_s * 1e9))  # the second word may count
        nothing = happenings.inquired(next_ns, evidence, _missing_since(payment, outcomes, asking))
        return Step(payment_id=payment.id, happening=nothing, expected_version=payment.version)
    if word.word is Word.TAKEN and payment.state is State.ACCEPTED:
        # Another status counts against the budget too: a bank that flips between two must not be asked for ever.
        news = evidence if word.bank_status != payment.bank_status else b""
        same = happenings.still_accepted(word.bank_status, word.bank_reason, next_ns, news)
        return Step(payment_id=payment.id, happening=same, expected_version=payment.version)
    follow_ns = now_ns + int(policy.follow_after_s * 1e9)
    return Step(
        payment_id=payment.id, outcome=replace(word, evidence=evidence or word.evidence), inquire_at_ns=follow_ns
    )


def next_inquiry_ns(
    payment: Payment, policy: InquiryPolicy, now_ns: int, leapt_ns: int = 0, spread: float = 0.0
) -> int:
    """When to ask again after this inquiry; 0 = the payment's budget is spent.

    `spread` in 0..1 is a random number of the caller's: it cuts the wait by up to JITTER, so that doubts that arose
    together are not asked about together, and the last inquiry still falls into the window.
    """
    shorter = 1.0 - JITTER * spread
    made = payment.inquiries + 1
    if payment.state is State.IN_DOUBT:
        too_old = now_ns - leapt_ns - payment.doubt_since_ns >= int(policy.window_s * 1e9)
        return 0 if made >= policy.per_payment_max or too_old else now_ns + int(policy.again_after_s * shorter * 1e9)
    return 0 if made >= policy.follow_max else now_ns + int(policy.follow_again_s * shorter * 1e9)


def first_sent_ns(payment: Payment) -> int:
    """When it was first sent. One that is only suspected to be there (a restored store) was sent after its admission,
    whenever that was."""
    return payment.attempts[0].marked_at_ns if payment.attempts else payment.received_at_ns


def _missing_since(payment: Payment, outcomes: Sequence[Outcome], asking: Asking) -> Uptime | None:
    """What is written down for the next inquiry: an answer of no use leaves it as it was, any other word ends it."""
    words = [one.word for one in said_of(payment.wire_reference, outcomes)]
    if not words:
        return asking.missing_since(payment)
    return asking.missing_since(payment) or asking.answered if Word.NOT_FOUND in words else None


def _is_proof(payment: Payment, declaration: Declaration, age_s: float, asking: Asking) -> bool:
    """Whether "not found" proves that the bank does not hold the payment, so that it may be sent again (law 8).
    Not of a bank that has claimed it before: its two words stand against each other, and people decide."""
    if payment.state is not State.IN_DOUBT or not declaration.not_found_is_proof:
        return False
    missing_for_s = asking.missing_for_s(payment)
    if payment.contradiction or missing_for_s is None or missing_for_s < declaration.visibility_s:
        return False
    window_s = declaration.duplicate_window_s
    return window_s == 0 or age_s < window_s - WINDOW_MARGIN_S
