"""Claims about the two people who lead a payment out of doubt (laws 5 and 9), without a store."""

from dataclasses import replace

import pytest

from gateway.core import happenings
from gateway.core.decisions import KIND_OF, Confirming, Objection, Proposing, bound, decided, open_proposal
from gateway.core.happenings import Happening
from gateway.core.life import after, fact
from gateway.core.payment import Payment
from gateway.core.proposal import Decision
from gateway.core.reasons import Reason
from gateway.core.states import IllegalStep, Kind, State
from tests.fakes.payments import NOW_NS, attempt, payment

LATER_NS = NOW_NS + 60_000_000_000
FOLLOW_NS = NOW_NS + 3_600_000_000_000


def doubtful() -> Payment:
    """In doubt after one attempt, with its next inquiry planned."""
    one = after(payment(1), happenings.marked(attempt(payment(1))), NOW_NS)
    return after(one, happenings.doubted(Reason.REPLY_LOST, LATER_NS), NOW_NS)


def acted(one: Payment, act: Proposing | Confirming) -> Happening:
    happening = decided(one, act, LATER_NS, inquire_at_ns=FOLLOW_NS)
    assert isinstance(happening, Happening), happening
    return happening


def proposed(one: Payment, decision: Decision, actor: str = "ada") -> Payment:
    return after(one, acted(one, Proposing(decision, actor, "portal shows it")), LATER_NS)


def confirming(one: Payment, actor: str = "bob") -> Confirming:
    assert one.proposal is not None
    return Confirming(one.proposal.digest, actor, "seen too")


def objection(one: Payment, act: Proposing | Confirming) -> Objection:
    found = decided(one, act, LATER_NS)
    assert isinstance(found, Objection), found
    return found


STATE_AFTER = {
    Decision.HELD_BY_BANK: State.ACCEPTED,
    Decision.SETTLED: State.SETTLED,
    Decision.REJECTED: State.REJECTED,
    Decision.NOT_HELD: State.QUEUED,
    Decision.ABANDONED: State.CANCELLED,
}


@pytest.mark.parametrize("decision", Decision)
def test_two_people_lead_out_and_the_log_names_both(decision: Decision) -> None:
    """Each decision leads to its state; the fact says who proposed, who confirmed, what and about what."""
    waiting = proposed(doubtful(), decision)
    happening = acted(waiting, confirming(waiting))
    done = after(waiting, happening, LATER_NS)
    assert done.state is STATE_AFTER[decision]
    assert done.proposal is None
    told = fact(done, waiting.state, happening, 9)
    assert (told.proposer, told.actor, told.decision) == ("ada", "bob", decision)
    assert (told.kind, told.reason) == (KIND_OF[decision], Reason.DECIDED_BY_TWO)
    assert waiting.proposal is not None
    assert told.proposal_sha256 == waiting.proposal.digest
    assert len(told.evidence_sha256) == 32


@pytest.mark.parametrize("decision", Decision)
def test_a_decision_ends_the_inquiries_about_the_doubt(decision: Decision) -> None:
    """Nothing is planned any more but the follow-up of a payment the bank holds."""
    waiting = proposed(doubtful(), decision)
    done = after(waiting, acted(waiting, confirming(waiting)), LATER_NS)
    assert done.inquire_at_ns == (FOLLOW_NS if decision is Decision.HELD_BY_BANK else 0)
    assert (done.doubt_since_ns, done.inquiries) == (0, 0)


def test_a_resend_goes_under_the_same_reference() -> None:
    """NOT_HELD queues the payment at once, and what the bank would know it by has not changed (law 3)."""
    before = doubtful()
    waiting = proposed(before, Decision.NOT_HELD)
    done = after(waiting, acted(waiting, confirming(waiting)), LATER_NS)
    assert (done.state, done.send_after_ns) == (State.QUEUED, 0)
    assert done.wire_reference == before.attempts[0].wire_reference
    assert done.attempts == before.attempts


def test_a_proposal_alone_changes_nothing_but_itself() -> None:
    """One person moves no payment: it stays in doubt and is asked about as planned."""
    before = doubtful()
    waiting = proposed(before, Decision.SETTLED)
    assert replace(waiting, proposal=None, version=before.version, updated_at_ns=before.updated_at_ns) == before
    assert waiting.version == before.version + 1


def test_nobody_confirms_what_they_proposed() -> None:
    """The proposer's confirmation is refused, whatever they proposed (law 9)."""
    for decision in Decision:
        waiting = proposed(doubtful(), decision)
        assert objection(waiting, confirming(waiting, "ada")) is Objection.OWN_PROPOSAL


def test_there_is_nothing_to_confirm_without_a_proposal() -> None:
    """In doubt: NO_PROPOSAL. Elsewhere there is no doubt to end, neither to propose about nor to confirm."""
    nothing = Confirming(b"?" * 32, "bob", "note")
    assert objection(doubtful(), nothing) is Objection.NO_PROPOSAL
    for state in set(State) - {State.IN_DOUBT}:
        elsewhere = payment(1, state=state)
        assert objection(elsewhere, nothing) is Objection.NOT_IN_DOUBT
        assert objection(elsewhere, Proposing(Decision.SETTLED, "ada", "note")) is Objection.NOT_IN_DOUBT


def test_evidence_makes_a_proposal_void() -> None:
    """The bank's word came between proposal and confirmation: the word counts, and the confirmer is told."""
    waiting = proposed(doubtful(), Decision.NOT_HELD)
    answered = after(waiting, Happening(Kind.ACCEPTED, reason=Reason.BANK_ANSWERED, bank_status="ACCP"), LATER_NS)
    assert objection(answered, confirming(waiting)) is Objection.PROPOSAL_VOID


def test_a_proposal_about_an_earlier_attempt_is_void() -> None:
    """Sent again and in doubt again: what was seen about the first attempt says nothing about the second."""
    waiting = proposed(doubtful(), Decision.NOT_HELD)
    again = after(waiting, Happening(Kind.NOT_HELD, reason=Reason.BANK_DOES_NOT_HOLD), LATER_NS)
    again = after(again, happenings.marked(attempt(again, 2)), LATER_NS)
    again = after(again, happenings.doubted(Reason.REPLY_LOST, 0), LATER_NS)
    assert open_proposal(again) is None
    assert objection(again, confirming(waiting)) is Objection.PROPOSAL_VOID


def test_a_doubt_that_came_back_without_an_attempt_is_another_doubt() -> None:
    """The bank said "not held" and then claimed the payment: the proposal from before both words is void."""
    waiting = proposed(doubtful(), Decision.NOT_HELD)
    freed = after(waiting, Happening(Kind.NOT_HELD, reason=Reason.BANK_DOES_NOT_HOLD), LATER_NS)
    claimed = Happening(Kind.CONTRADICTED, reason=Reason.BANK_CONTRADICTS, bank_status="ACSC")
    again = after(freed, claimed, LATER_NS)
    assert (again.state, again.attempts) == (State.IN_DOUBT, waiting.attempts)
    assert objection(again, confirming(waiting)) is Objection.PROPOSAL_VOID


def test_an_inquiry_that_taught_nothing_leaves_the_proposal_open() -> None:
    """Asking is no evidence: people need not race the inquiries."""
    waiting = proposed(doubtful(), Decision.SETTLED)
    asked = after(waiting, happenings.inquired(0, b"no idea"), LATER_NS)
    assert open_proposal(asked) == waiting.proposal
    assert after(asked, acted(asked, confirming(asked)), LATER_NS).state is State.SETTLED


def test_a_later_proposal_replaces_the_earlier_one() -> None:
    """Who looked at the first cannot confirm the second by accident; its author may now confirm the other's."""
    first = proposed(doubtful(), Decision.SETTLED, "ada")
    second = proposed(first, Decision.NOT_HELD, "bob")
    assert objection(second, confirming(first, "carol")) is Objection.PROPOSAL_VOID
    assert objection(second, confirming(second, "bob")) is Objection.OWN_PROPOSAL
    assert after(second, acted(second, confirming(second, "ada")), LATER_NS).state is State.QUEUED


def test_the_hash_binds_all_that_was_decided_about() -> None:
    """Another payment, content, bank, attempt, doubt or decision is another hash."""
    one = doubtful()
    others = [
        replace(one, id=b"i" * 16),
        replace(one, fingerprint=b"f" * 32),
        replace(one, state=State.ACCEPTED),
        replace(one, doubt_since_ns=one.doubt_since_ns + 1),
        replace(one, instruction=replace(one.instruction, bank="southbank")),
        replace(one, attempts=(replace(one.attempts[0], number=2),)),
        replace(one, attempts=(replace(one.attempts[0], payload_sha256=b"p" * 32),)),
        replace(one, attempts=()),
    ]
    hashes = {bound(other, Decision.SETTLED) for other in [one, *others]}
    hashes |= {bound(one, decision) for decision in Decision}
    assert len(hashes) == 1 + len(others) + len(Decision) - 1


def test_no_caller_can_leave_the_second_person_out() -> None:
    """A happening that claims to be decided by two is held against the proposal again when it is taken."""
    waiting = proposed(doubtful(), Decision.SETTLED)
    honest = acted(waiting, confirming(waiting))
    forged = [
        replace(honest, actor="ada"),
        replace(honest, actor=""),
        replace(honest, proposal=None),
        replace(honest, kind=Kind.NOT_HELD),
        Happening(Kind.ABANDONED, actor="bob"),
        Happening(Kind.ABANDONED, reason=Reason.CLIENT_ASKED, actor="bob", proposal=waiting.proposal),
    ]
    for happening in forged:
        with pytest.raises(IllegalStep):
            after(waiting, happening, LATER_NS)
    with pytest.raises(IllegalStep):
        after(doubtful(), honest, LATER_NS)
    assert after(waiting, honest, LATER_NS).state is State.SETTLED


def test_a_late_word_about_a_payment_given_up_is_written_down() -> None:
    """The bank booked it after all: the contradiction stands in the record, and nothing is sent."""
    waiting = proposed(doubtful(), Decision.ABANDONED)
    given_up = after(waiting, acted(waiting, confirming(waiting)), LATER_NS)
    late = after(given_up, Happening(Kind.CONTRADICTED, bank_status="ACSC"), LATER_NS)
    assert (late.state, late.contradiction) == (State.CANCELLED, "ACSC")
