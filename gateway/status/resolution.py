"""What an inquiry's answer does to a payment, and when the next one may be made. Pure (law 5).

No timer is in here that leads out of doubt: a spent budget only means that nobody asks any more until a report, a
statement or two people bring evidence.
"""

from collections.abc import Sequence
from dataclasses import replace

from gateway.config import InquiryPolicy
from gateway.core import happenings
from gateway.core.outcome import Outcome, Word
from gateway.core.payment import Payment
from gateway.core.ports import Declaration, Step
from gateway.core.states import State

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
    spread: float = 0.0,
) -> Step:
    """The step that follows from the bank's answer to one inquiry. `spread`: as in `next_inquiry_ns`."""
    next_ns = next_inquiry_ns(payment, policy, now_ns, spread)
    ours = [outcome for outcome in outcomes if outcome.wire_reference == payment.wire_reference]
    word = ours[-1] if ours else None
    if (
        word is None
        or word.word is Word.NOT_PROCESSED
        or (word.word is Word.NOT_FOUND and not _is_proof(payment, declaration, now_ns))
    ):
        nothing = happenings.inquired(next_ns, evidence)
        return Step(payment_id=payment.id, happening=nothing, expected_version=payment.version)
    if word.word is Word.TAKEN and payment.state is State.ACCEPTED and word.bank_status == payment.bank_status:
        same = happenings.inquired(next_ns)
        return Step(payment_id=payment.id, happening=same, expected_version=payment.version)
    follow_ns = now_ns + int(policy.follow_after_s * 1e9) if payment.state is State.IN_DOUBT else next_ns
    return Step(
        payment_id=payment.id,
        outcome=replace(word, evidence=evidence),
        inquire_at_ns=follow_ns,
        # "Not found" was asked about this attempt: it must not free a payment that moved on in the meantime.
        expected_version=payment.version if word.word is Word.NOT_FOUND else 0,
    )


def next_inquiry_ns(payment: Payment, policy: InquiryPolicy, now_ns: int, spread: float = 0.0) -> int:
    """When to ask again after this inquiry; 0 = the payment's budget is spent.

    `spread` in 0..1 is a random number of the caller's: it cuts the wait by up to JITTER, so that doubts that arose
    together are not asked about together, and the last inquiry still falls into the window.
    """
    shorter = 1.0 - JITTER * spread
    made = payment.inquiries + 1
    if payment.state is State.IN_DOUBT:
        too_old = now_ns - payment.doubt_since_ns >= int(policy.window_s * 1e9)
        return 0 if made >= policy.per_payment_max or too_old else now_ns + int(policy.again_after_s * shorter * 1e9)
    return 0 if made >= policy.follow_max else now_ns + int(policy.follow_again_s * shorter * 1e9)


def _is_proof(payment: Payment, declaration: Declaration, now_ns: int) -> bool:
    """Whether "not found" proves that the bank does not hold the payment, so that it may be sent again (law 8)."""
    if payment.state is not State.IN_DOUBT or not declaration.not_found_is_proof or not payment.attempts:
        return False
    since_last_s = (now_ns - payment.attempts[-1].marked_at_ns) / 1e9
    since_first_s = (now_ns - payment.attempts[0].marked_at_ns) / 1e9
    window_s = declaration.duplicate_window_s
    in_window = window_s == 0 or since_first_s < window_s - WINDOW_MARGIN_S
    return since_last_s >= declaration.visibility_s and in_window
