"""Claims about what a happening changes in the record, and what the log says of it."""

from dataclasses import fields, replace

import pytest

from gateway.core import happenings
from gateway.core.decisions import Proposing, decided
from gateway.core.happenings import Happening
from gateway.core.life import ATTEMPTS_KEPT, after, fact
from gateway.core.payment import Ended, Payment, Uptime
from gateway.core.proposal import Decision, Proposal
from gateway.core.reasons import Reason
from gateway.core.states import IllegalStep, Kind, State
from tests.fakes.payments import NOW_NS, attempt, payment

LATER_NS = NOW_NS + 1_000


def sending(**changes: object) -> Payment:
    one = payment(1, **changes)
    return after(one, happenings.marked(attempt(one)), NOW_NS)


MOVED = {
    "state",
    "version",
    "updated_at_ns",
    "attempts",
    "send_after_ns",
    "doubt_since_ns",
    "inquiries",
    "inquire_at_ns",
    "missing_since",
    "bank_status",
    "bank_reason",
}
"""What a rejection of a payment in doubt changes, or sets to nothing."""


def with_every_field() -> Payment:
    one = replace(
        payment(1),
        state=State.IN_DOUBT,
        traceparent="00-0123456789abcdef0123456789abcdef-0123456789abcdef-01",
        holds=("risk",),
        send_after_ns=7,
        doubt_since_ns=8,
        inquiries=9,
        inquire_at_ns=10,
        missing_since=Uptime(b"b" * 16, 12),
        bank_status="PDNG",
        bank_reason="AM04",
        contradiction="ACSC",
        proposal=Proposal(Decision.NOT_HELD, "ada", 11, b"d" * 32),
    )
    return replace(one, attempts=(attempt(one),))


def test_a_step_leaves_no_field_out() -> None:
    """Every field of a payment, also one added later, is after a step what it was before, or what the step says."""
    before = with_every_field()
    assert [field.name for field in fields(before) if not getattr(before, field.name)] == []
    told = Happening(Kind.REJECTED, reason=Reason.BANK_ANSWERED, bank_status="RJCT", bank_reason="AC04")
    moved = after(before, told, LATER_NS)
    for field in fields(before):
        if field.name not in MOVED:
            assert getattr(moved, field.name) == getattr(before, field.name), field.name


def test_the_end_of_an_attempt_leaves_no_field_out() -> None:
    """What is known of an attempt is known of it when it has ended."""
    open_one = replace(attempt(payment(1)), message_reference="CB1")
    assert [f.name for f in fields(open_one) if not getattr(open_one, f.name)] == ["ended", "reason"]
    marked = replace(sending(), attempts=(open_one,))
    [ended] = after(marked, happenings.doubted(Reason.REPLY_LOST, 0), LATER_NS).attempts
    assert ended == replace(open_one, ended=Ended.MAYBE_SENT, reason=Reason.REPLY_LOST)


def test_a_mark_adds_the_attempt_and_an_end_closes_it() -> None:
    """The attempt is open while SENDING, and says how and why it ended."""
    marked = sending()
    assert marked.state is State.SENDING
    assert [one.ended for one in marked.attempts] == [Ended.OPEN]
    doubted = after(marked, happenings.doubted(Reason.REPLY_LOST, LATER_NS), LATER_NS)
    assert [(one.ended, one.reason) for one in doubted.attempts] == [(Ended.MAYBE_SENT, Reason.REPLY_LOST)]
    assert (doubted.doubt_since_ns, doubted.inquire_at_ns) == (LATER_NS, LATER_NS)


def test_a_later_word_does_not_rewrite_how_the_attempt_ended() -> None:
    """What the bank says about a payment in doubt settles the payment; the attempt stays "maybe sent"."""
    doubted = after(sending(), happenings.doubted(Reason.REPLY_LOST, 0), NOW_NS)
    settled = after(doubted, Happening(Kind.SETTLED, reason=Reason.BANK_ANSWERED, bank_status="ACSC"), LATER_NS)
    assert settled.attempts == doubted.attempts
    assert (settled.bank_status, settled.doubt_since_ns) == ("ACSC", 0)


def test_proof_of_not_sent_goes_back_with_its_wait() -> None:
    """NOT_SENT keeps the attempt as a record and says when the payment may be sent again."""
    back = after(sending(), happenings.not_sent(Reason.CONNECT_FAILED, LATER_NS), NOW_NS)
    assert (back.state, back.send_after_ns) == (State.QUEUED, LATER_NS)
    assert back.attempts[-1].ended is Ended.NOT_SENT
    assert after(back, happenings.marked(attempt(back, 2)), NOW_NS).send_after_ns == 0


def test_nothing_goes_on_past_an_open_hold() -> None:
    """Who clears "the last hold" just after another was placed is refused, as is a mark; and who releases one of
    several when it is the last one. Nothing is HELD without a hold, nothing is sent with one."""
    held = after(payment(1), happenings.held(Reason.COMPOSE_FAILED, "risk"), NOW_NS)
    both = after(held, happenings.held(Reason.COMPOSE_FAILED, "approval"), NOW_NS)
    with pytest.raises(IllegalStep):
        after(both, Happening(Kind.HOLDS_CLEARED, holds=("risk",)), NOW_NS)
    with pytest.raises(IllegalStep):
        after(held, Happening(Kind.HOLD_RELEASED, holds=("risk",)), NOW_NS)
    queued_with_a_hold = replace(payment(1), holds=("risk",))
    with pytest.raises(IllegalStep):
        after(queued_with_a_hold, happenings.marked(attempt(queued_with_a_hold)), NOW_NS)


def test_the_first_attempt_and_the_latest_are_kept() -> None:
    """A bank that is away for days does not make the record grow; duplicate windows count from the first attempt."""
    one = payment(1)
    for number in range(1, 3 * ATTEMPTS_KEPT):
        one = after(one, happenings.marked(attempt(one, number)), NOW_NS)
        one = after(one, happenings.not_sent(Reason.CONNECT_FAILED, 0), NOW_NS)
    numbers = [kept.number for kept in one.attempts]
    assert len(numbers) == ATTEMPTS_KEPT
    assert numbers[0] == 1
    assert numbers[1:] == list(range(3 * ATTEMPTS_KEPT - ATTEMPTS_KEPT + 1, 3 * ATTEMPTS_KEPT))


def test_not_found_is_remembered_within_one_doubt_only() -> None:
    """The next inquiry decides what stays of it; a proposal of a person leaves it, and a new suspicion, a contradiction
    or the way out of doubt end it: what the bank said of one doubt proves nothing in the next."""
    since = Uptime(b"b" * 16, 5)
    doubted = after(sending(), happenings.doubted(Reason.REPLY_LOST, 1), NOW_NS)
    missing = after(doubted, happenings.inquired(2, missing_since=since), NOW_NS)
    assert missing.missing_since == since
    proposing = Proposing(Decision.NOT_HELD, "ada", "not in the portal")
    proposed = decided(missing, proposing, NOW_NS)
    assert isinstance(proposed, Happening)
    assert after(missing, proposed, NOW_NS).missing_since == since
    for ends in (
        happenings.inquired(3),
        happenings.suspected("os:ada", 1),
        Happening(Kind.CONTRADICTED, bank_status="RJCT"),
        Happening(Kind.NOT_HELD),
        Happening(Kind.ACCEPTED, bank_status="ACCP"),
    ):
        assert after(missing, ends, NOW_NS).missing_since is None


def test_inquiries_are_counted_within_a_state() -> None:
    """The count of inquiries begins anew with each state, and a change of it plans the next one."""
    doubted = after(sending(), happenings.doubted(Reason.REPLY_LOST, 1), NOW_NS)
    asked = after(after(doubted, happenings.inquired(2), NOW_NS), happenings.inquired(0), NOW_NS)
    assert (asked.inquiries, asked.inquire_at_ns, asked.doubt_since_ns) == (2, 0, NOW_NS)
    accepted = after(asked, Happening(Kind.ACCEPTED, bank_status="ACCP", inquire_at_ns=9), NOW_NS)
    assert (accepted.inquiries, accepted.inquire_at_ns) == (0, 9)


def test_holds_are_a_set_with_an_order() -> None:
    """A hold placed twice is one; the last one released opens the way."""
    held = after(payment(1), Happening(Kind.HOLD_PLACED, holds=("risk", "approval")), NOW_NS)
    held = after(held, Happening(Kind.HOLD_PLACED, holds=("approval",)), NOW_NS)
    assert held.holds == ("risk", "approval")
    held = after(held, Happening(Kind.HOLD_RELEASED, holds=("risk",)), NOW_NS)
    assert (held.state, held.holds) == (State.HELD, ("approval",))
    free = after(held, Happening(Kind.HOLDS_CLEARED, holds=("approval",)), NOW_NS)
    assert (free.state, free.holds) == (State.QUEUED, ())


def test_a_refused_step_changes_nothing() -> None:
    """An illegal happening raises; the record that was asked is as it was."""
    before = payment(1, state=State.SETTLED)
    copy = replace(before)
    with pytest.raises(IllegalStep):
        after(before, happenings.cancelled("erp"), LATER_NS)
    assert before == copy


def test_the_fact_says_what_happened_without_saying_to_whom() -> None:
    """A fact carries the step, its reason, its bank and attempt, and neither account, name nor amount (law 11)."""
    marked = sending()
    doubted = after(marked, happenings.doubted(Reason.REPLY_TIMEOUT, 0, b"half an answer"), LATER_NS)
    told = fact(doubted, marked.state, happenings.doubted(Reason.REPLY_TIMEOUT, 0, b"half an answer"), 7)
    assert (told.sequence, told.version, told.at_ns) == (7, doubted.version, LATER_NS)
    assert (told.before, told.after, told.kind) == (State.SENDING, State.IN_DOUBT, Kind.DOUBTED)
    assert (told.reason, told.bank, told.attempt) == (Reason.REPLY_TIMEOUT, "northbank", 1)
    assert told.wire_reference == marked.wire_reference
    assert len(told.evidence_sha256) == 32
    for secret in ("DE89370400440532013000", "Exemple", "100.00", "Invoice"):
        assert secret not in repr(told)
