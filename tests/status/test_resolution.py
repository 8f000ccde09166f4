"""Claims about what an inquiry may do to a payment in doubt (law 5), without a bank or a clock."""

from dataclasses import replace
from typing import Any

from gateway.config import InquiryPolicy
from gateway.core.outcome import Outcome, Word
from gateway.core.payment import Payment
from gateway.core.ports import Declaration, Step
from gateway.core.states import Kind, State
from gateway.status.missing import MISSING_MAX, Missing
from gateway.status.resolution import resolved
from tests.fakes.bank import DECLARATION
from tests.fakes.payments import NOW_NS, attempt, payment
from tests.fills import fills

S = 1_000_000_000
POLICY = InquiryPolicy(first_after_s=90.0, again_after_s=1_200.0, per_payment_max=3, window_s=7_200.0)


def doubtful(**overrides: Any) -> Payment:
    """A payment in doubt whose only attempt was marked at NOW_NS."""
    one = payment(state=State.IN_DOUBT, doubt_since_ns=NOW_NS, **overrides)
    return replace(one, attempts=(attempt(one),))


def answered(
    one: Payment,
    word: Word | None,
    after_s: int,
    declaration: Declaration = DECLARATION,
    status: str = "",
    missing_after_s: int | None = 0,
) -> Step:
    """What follows from `word` in an answer to an inquiry `after_s` after NOW_NS; the bank's first "not found" came
    `missing_after_s` after NOW_NS (None: never)."""
    outcomes = [] if word is None else [Outcome(word, one.wire_reference, status)]
    return resolved(
        one,
        outcomes,
        declaration=declaration,
        policy=POLICY,
        now_ns=NOW_NS + after_s * S,
        evidence=b"<pain.002/>",
        missing_for_s=None if missing_after_s is None else float(after_s - missing_after_s),
    )


def learnt_nothing(step: Step) -> bool:
    return step.happening is not None and step.happening.kind is Kind.INQUIRED


def test_not_found_before_the_visibility_window_proves_nothing() -> None:
    """A bank that shows payments after 60 s and says "not found" after 59 s does not free the payment."""
    assert learnt_nothing(answered(doubtful(), Word.NOT_FOUND, 59))


def test_not_found_after_the_window_is_the_banks_word() -> None:
    """After the window it goes to the state table as an outcome, with the bank's bytes as evidence."""
    step = answered(doubtful(), Word.NOT_FOUND, 60)
    assert step.outcome is not None
    assert step.outcome.word is Word.NOT_FOUND
    assert step.outcome.evidence == b"<pain.002/>"


def test_one_not_found_proves_nothing() -> None:
    """However late: a bank that stood still answers the inquiry, and then reads the payment out of its socket. Its
    second "not found" counts, asked a visibility window after the first; that is when it is asked again."""
    first = answered(doubtful(), Word.NOT_FOUND, 3_000, missing_after_s=None)
    assert learnt_nothing(first)
    assert first.happening is not None
    assert first.happening.inquire_at_ns == NOW_NS + 3_060 * S
    assert learnt_nothing(answered(doubtful(), Word.NOT_FOUND, 3_059, missing_after_s=3_000))
    assert not learnt_nothing(answered(doubtful(), Word.NOT_FOUND, 3_060, missing_after_s=3_000))


def test_not_found_is_never_proof_where_the_profile_does_not_say_so() -> None:
    """However late: a bank whose "not found" means nothing never frees a payment."""
    declaration = replace(DECLARATION, not_found_is_proof=False)
    assert learnt_nothing(answered(doubtful(), Word.NOT_FOUND, 86_400, declaration))


def test_no_resend_after_the_banks_memory_ended() -> None:
    """Past the duplicate window (less a margin) a repeat would be a new payment to the bank: nothing is freed."""
    declaration = replace(DECLARATION, duplicate_window_s=86_400)
    assert learnt_nothing(answered(doubtful(), Word.NOT_FOUND, 86_400 - 3_000, declaration))


def test_the_window_counts_from_the_last_attempt() -> None:
    """A payment sent a second time is not freed by what the bank said of its first attempt."""
    one = doubtful()
    missing = Missing()
    missing.said(one, 60.0)
    assert missing.for_s(one, 90.0) == 30.0
    again = replace(one.attempts[0], number=2, marked_at_ns=NOW_NS + 100 * S)
    assert missing.for_s(replace(one, attempts=(*one.attempts, again)), 90.0) is None


@fills("MISSING_MAX")
def test_what_is_missing_is_bounded() -> None:
    """Above MISSING_MAX the oldest is forgotten: it is asked about once more, nothing else."""
    missing = Missing()
    first, second = doubtful(), replace(doubtful(), id=b"2" * 16)
    missing.said(first, 1.0)
    missing.said(second, 2.0)
    for number in range(MISSING_MAX - 1):
        missing.said(replace(first, id=number.to_bytes(16, "big")), 3.0)
    assert missing.for_s(first, 3.0) is None
    assert missing.for_s(second, 3.0) == 1.0


def test_a_word_about_another_payment_is_no_word() -> None:
    """An answer that names somebody else's reference teaches nothing about ours."""
    other = Outcome(Word.SETTLED, "CWSOMEBODYELSE", "ACSC")
    now_ns = NOW_NS + 100 * S
    step = resolved(
        doubtful(),
        [other],
        declaration=DECLARATION,
        policy=POLICY,
        now_ns=now_ns,
        evidence=b"",
        missing_for_s=100.0,
    )
    assert learnt_nothing(step)


def test_the_budget_ends() -> None:
    """After the third inquiry, or after the window, no further one is planned; the payment stays in doubt."""
    first, third = answered(doubtful(), None, 90), answered(doubtful(inquiries=2), None, 2_490)
    assert first.happening is not None
    assert third.happening is not None
    assert first.happening.inquire_at_ns == NOW_NS + (90 + 1_200) * S
    assert third.happening.inquire_at_ns == 0
    late = answered(doubtful(inquiries=1), None, 7_200)
    assert late.happening is not None
    assert late.happening.inquire_at_ns == 0


def test_an_accepted_payment_is_asked_about_again_only_within_its_own_budget() -> None:
    """The same word as before plans the next follow-up; the last one plans none."""
    accepted = payment(state=State.ACCEPTED, bank_status="ACCP")
    again = answered(accepted, Word.TAKEN, 0, status="ACCP")
    last = answered(replace(accepted, inquiries=POLICY.follow_max - 1), Word.TAKEN, 0, status="ACCP")
    assert again.happening is not None
    assert last.happening is not None
    assert again.happening.inquire_at_ns == NOW_NS + int(POLICY.follow_again_s) * S
    assert last.happening.inquire_at_ns == 0
