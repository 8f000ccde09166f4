"""Claims about what an inquiry may do to a payment in doubt (law 5), without a bank or a clock."""

from dataclasses import replace
from typing import Any

from gateway.config import InquiryPolicy
from gateway.core.outcome import Outcome, Word
from gateway.core.payment import Payment, Uptime
from gateway.core.ports import Declaration, Step
from gateway.core.states import Kind, State
from gateway.status.missing import Asking
from gateway.status.resolution import resolved
from tests.fakes.bank import DECLARATION
from tests.fakes.payments import NOW_NS, attempt, payment

S = 1_000_000_000
POLICY = InquiryPolicy(first_after_s=90.0, again_after_s=1_200.0, per_payment_max=3, window_s=7_200.0)


def doubtful(**overrides: Any) -> Payment:
    """A payment in doubt whose only attempt was marked at NOW_NS."""
    one = payment(state=State.IN_DOUBT, doubt_since_ns=NOW_NS, **overrides)
    return replace(one, attempts=(attempt(one),))


def up(seconds: float, boot: int = 1) -> Uptime:
    return Uptime(bytes([boot]) * 16, int(seconds * S))


def asking(at_s: float, started_s: float = 0.0, boot: int = 1) -> Asking:
    """A question `at_s` after the machine's start number `boot`, answered a second later."""
    return Asking(up(started_s, boot), up(at_s, boot), up(at_s + 1, boot))


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
    if missing_after_s is not None:
        one = replace(one, missing_since=up(missing_after_s))
    return resolved(
        one,
        outcomes,
        declaration=declaration,
        policy=POLICY,
        now_ns=NOW_NS + after_s * S,
        evidence=b"<pain.002/>",
        asking=asking(after_s),
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


def noted(one: Payment, *words: Word, at: Asking) -> Uptime | None:
    """What an inquiry whose answer proves nothing writes down about the first "not found"."""
    step = resolved(
        one,
        [Outcome(word, one.wire_reference) for word in words],
        declaration=replace(DECLARATION, not_found_is_proof=False),
        policy=POLICY,
        now_ns=NOW_NS,
        evidence=b"",
        asking=at,
    )
    assert step.happening is not None
    return step.happening.missing_since


def test_the_first_not_found_is_written_down_and_kept() -> None:
    """The moment its answer was there, whatever comes later; an answer of no use leaves it, another word ends it."""
    assert noted(doubtful(), Word.NOT_FOUND, at=asking(100)) == up(101)
    missing = replace(doubtful(), missing_since=up(101))
    assert noted(missing, Word.NOT_FOUND, at=asking(130)) == up(101)
    assert noted(missing, at=asking(130)) == up(101)
    assert noted(missing, Word.NOT_PROCESSED, at=asking(130)) is None
    assert noted(doubtful(), at=asking(130)) is None


def test_a_restart_of_the_daemon_shortens_nothing_and_forgets_nothing() -> None:
    """The machine's uptime goes on, so the window is over when it is over, however young the process is."""
    missing = replace(doubtful(), missing_since=up(100))
    assert asking(159, started_s=150).missing_for_s(missing) == 59.0
    assert asking(160, started_s=150).missing_for_s(missing) == 60.0


def test_after_a_restart_of_the_machine_the_window_counts_from_the_process() -> None:
    """Another uptime says nothing about the old one, however large it is: what counts is that the word is older than
    the process. The moment of its start is written down, so that the next process counts on from there."""
    missing = replace(doubtful(), missing_since=up(100))
    first = asking(90_010, started_s=90_000, boot=2)
    assert first.missing_for_s(missing) == 10.0
    since = noted(missing, Word.NOT_FOUND, at=first)
    assert since == up(90_000, boot=2)
    assert asking(90_070, started_s=90_065, boot=2).missing_for_s(replace(missing, missing_since=since)) == 70.0


def test_an_uptime_that_goes_back_proves_nothing() -> None:
    """A machine set back to an older snapshot shows less than has passed, never more."""
    for_s = asking(50, started_s=40).missing_for_s(replace(doubtful(), missing_since=up(100)))
    assert for_s == -50.0
    assert for_s < DECLARATION.visibility_s


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
        asking=asking(100),
    )
    assert learnt_nothing(step)


def test_a_rejection_of_an_older_message_teaches_nothing() -> None:
    """An answer to an inquiry that rejects another message than the latest costs an inquiry and plans the next one; it
    neither rejects the payment nor hides what the same answer says of the latest."""
    one = replace(doubtful(), missing_since=up(0))
    older = Outcome(Word.REJECTED, one.wire_reference, "RJCT", message_reference="CBOLDER")

    def follows(*said: Outcome) -> Step:
        return resolved(
            one,
            said,
            declaration=DECLARATION,
            policy=POLICY,
            now_ns=NOW_NS + 3_600 * S,
            evidence=b"<pain.002/>",
            asking=asking(600),
        )

    assert learnt_nothing(follows(older))
    assert learnt_nothing(follows(Outcome(Word.NOT_FOUND, one.wire_reference), older))
    taken = follows(Outcome(Word.TAKEN, one.wire_reference, "ACCP"), older)
    assert taken.outcome is not None
    assert taken.outcome.word is Word.TAKEN


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
