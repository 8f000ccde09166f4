"""One suite over every Store: people's acts about a payment in doubt are decided in the write (laws 5, 9 and 10)."""

import hashlib

import pytest
import trio

from gateway.core import happenings
from gateway.core.decisions import Confirming, Objection, Proposing
from gateway.core.outcome import Word
from gateway.core.payment import Payment
from gateway.core.ports import Step, Stepped, Store
from gateway.core.proposal import Decision
from gateway.core.reasons import Reason
from gateway.core.states import Kind, State
from tests.contract.lives import in_doubt, took, word
from tests.fakes.admissions import mark
from tests.fakes.clock import START_NS

NOTE, SECOND_NOTE = "portal: booked 14:02, ref 4711", "seen too"


async def propose(store: Store, payment: Payment, decision: Decision, actor: str = "ada") -> Payment:
    [stepped] = await store.take([Step(payment.id, act=Proposing(decision, actor, NOTE))])
    assert stepped.taken
    assert stepped.payment is not None
    return stepped.payment


async def confirm(store: Store, payment: Payment, actor: str = "bob", inquire_at_ns: int = 0) -> Stepped:
    """Confirms the proposal that `payment` showed."""
    assert payment.proposal is not None
    act = Confirming(payment.proposal.digest, actor, SECOND_NOTE)
    [stepped] = await store.take([Step(payment.id, act=act, inquire_at_ns=inquire_at_ns)])
    return stepped


async def test_two_acts_are_two_facts_with_their_notes(store: Store) -> None:
    """Proposal and confirmation are in the log, by name, and the notes are kept as evidence."""
    payment = await in_doubt(store)
    waiting = await propose(store, payment, Decision.SETTLED)
    assert waiting.proposal is not None
    assert await store.get(payment.id) == waiting
    done = await confirm(store, waiting)
    assert done.payment is not None
    assert (done.taken, done.payment.state, done.payment.proposal) == (True, State.SETTLED, None)
    proposed, decided = (await store.facts_of(payment.id, 100))[-2:]
    assert (proposed.kind, proposed.actor, proposed.proposer) == (Kind.PROPOSED, "ada", "")
    assert (proposed.before, proposed.after) == (State.IN_DOUBT, State.IN_DOUBT)
    assert (decided.reason, decided.actor, decided.proposer) == (Reason.DECIDED_BY_TWO, "bob", "ada")
    assert decided.proposal_sha256 == proposed.proposal_sha256 == waiting.proposal.digest
    for fact, note in ((proposed, NOTE), (decided, SECOND_NOTE)):
        assert fact.evidence_sha256 == hashlib.sha256(note.encode()).digest()
        kept = await store.evidence(fact.evidence_sha256)
        assert kept is not None
        assert (kept.body.decode(), kept.original_bytes) == (note, len(note.encode()))


async def test_a_held_payment_is_followed_and_a_given_up_one_is_not(store: Store) -> None:
    """The caller's follow-up is planned only where the payment is then ACCEPTED."""
    follow_ns = START_NS + 3_600
    held = await propose(store, await in_doubt(store, "order-1"), Decision.HELD_BY_BANK)
    await confirm(store, held, inquire_at_ns=follow_ns)
    given_up = await propose(store, await in_doubt(store, "order-2"), Decision.ABANDONED)
    await confirm(store, given_up, inquire_at_ns=follow_ns)
    assert await store.next_inquiry_ns("northbank") == follow_ns
    assert [one.id for one in await store.inquiries_due("northbank", follow_ns, 10)] == [held.id]


async def test_a_payment_not_held_is_in_the_outbox_again(store: Store) -> None:
    """It is due at once, and its next attempt has the reference of the first."""
    waiting = await propose(store, await in_doubt(store), Decision.NOT_HELD)
    await confirm(store, waiting)
    [due] = await store.due("northbank", START_NS, 10)
    assert due.id == waiting.id
    again = await took(store, due, mark(due))
    assert [one.wire_reference for one in again.attempts] == [waiting.wire_reference] * 2


async def test_objections_change_nothing(store: Store) -> None:
    """An act that may not be is told why; record and log stay as they were."""
    payment = await in_doubt(store)
    nothing = Step(payment.id, act=Confirming(b"?" * 32, "bob", "note"))
    assert (await store.take([nothing]))[0].objection is Objection.NO_PROPOSAL
    waiting = await propose(store, payment, Decision.SETTLED)
    at = await store.last_sequence()
    own = await confirm(store, waiting, "ada")
    assert (own.taken, own.objection, own.payment) == (False, Objection.OWN_PROPOSAL, waiting)
    assert (await store.take([nothing]))[0].objection is Objection.PROPOSAL_VOID
    assert await store.last_sequence() == at
    await confirm(store, waiting)
    assert (await confirm(store, waiting)).objection is Objection.NOT_IN_DOUBT


async def test_the_banks_word_that_crosses_a_confirmation_counts(store: Store) -> None:
    """Word and confirmation in one commit, word first: the proposal is void, though the caller could not know."""
    waiting = await propose(store, await in_doubt(store), Decision.NOT_HELD)
    assert waiting.proposal is not None
    confirmation = Step(waiting.id, act=Confirming(waiting.proposal.digest, "bob", "note"))
    said, refused = await store.take([word(waiting, Word.SETTLED, "ACSC"), confirmation])
    assert said.taken
    assert refused.objection is Objection.PROPOSAL_VOID
    assert refused.payment is not None
    assert refused.payment.state is State.SETTLED


async def test_two_confirmations_at_once_are_one_decision(store: Store) -> None:
    """Bob and Carol press the key together: one of them decides, the other is told that there is no doubt."""
    waiting = await propose(store, await in_doubt(store), Decision.SETTLED)
    results: list[Stepped] = []

    async def press(actor: str) -> None:
        results.append(await confirm(store, waiting, actor))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(press, "bob")
        nursery.start_soon(press, "carol")
    assert sorted(one.taken for one in results) == [False, True]
    assert {one.objection for one in results} == {None, Objection.NOT_IN_DOUBT}
    kinds = [fact.kind for fact in await store.facts_of(waiting.id, 100)]
    assert kinds.count(Kind.SETTLED) == 1


@pytest.mark.parametrize("actor", ["bob", ""])
async def test_a_forged_decision_is_not_taken(store: Store, actor: str) -> None:
    """A happening that skips the acts is refused by the store itself."""
    waiting = await propose(store, await in_doubt(store), Decision.SETTLED)
    forged = happenings.Happening(Kind.ABANDONED, reason=Reason.DECIDED_BY_TWO, actor=actor, proposal=waiting.proposal)
    [stepped] = await store.take([Step(waiting.id, happening=forged)])
    assert (stepped.taken, stepped.payment) == (False, waiting)
