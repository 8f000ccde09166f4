"""Claims about what a bank's word does to a payment: every state × every word, and any sequence of them."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import happenings
from gateway.core.happenings import Happening
from gateway.core.life import after
from gateway.core.outcome import Outcome, Word, concluded, rejects_another
from gateway.core.payment import Payment
from gateway.core.reasons import Reason
from gateway.core.states import STEPS, IllegalStep, Kind, State
from tests.fakes.payments import NOW_NS, attempt, payment

S, W, K = State, Word, Kind
NOTHING: Final = None

SAYS: Final[Mapping[Word, Mapping[State, Kind | None]]] = {
    W.TAKEN: {
        S.SENDING: K.ACCEPTED,
        S.IN_DOUBT: K.ACCEPTED,
        S.ACCEPTED: K.ACCEPTED,  # another status of the same meaning; the same status is nothing
        S.SETTLED: NOTHING,
    },
    W.SETTLED: {
        S.SENDING: K.SETTLED,
        S.IN_DOUBT: K.SETTLED,
        S.ACCEPTED: K.SETTLED,
        S.SETTLED: NOTHING,
        S.RETURNED: NOTHING,
    },
    W.REJECTED: {
        S.SENDING: K.REJECTED,
        S.IN_DOUBT: K.REJECTED,
        S.ACCEPTED: K.REJECTED,
        S.REJECTED: NOTHING,
    },
    W.RETURNED: {
        S.SENDING: K.ACCEPTED,
        S.IN_DOUBT: K.ACCEPTED,
        S.ACCEPTED: K.RETURNED,
        S.SETTLED: K.RETURNED,
        S.RETURNED: NOTHING,
    },
    W.NOT_FOUND: {state: (K.NOT_HELD if state is S.IN_DOUBT else NOTHING) for state in State},
    W.NOT_PROCESSED: {state: (K.NOT_SENT if state is S.SENDING else NOTHING) for state in State},
}
"""What each word makes happen; a state that is not named is contradicted."""


def in_state(state: State, **changes: object) -> Payment:
    one = payment(1, state=state, **changes)
    return payment(1, state=state, attempts=(attempt(one),), **changes)


def word(of: Word, payment: Payment, status: str = "", **changes: object) -> Outcome:
    return Outcome(of, payment.wire_reference, bank_status=status, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(("state", "said"), list(product(State, Word)))
def test_every_word_in_every_state(state: State, said: Word) -> None:
    """A word goes forward, says nothing new, or contradicts, exactly as the table above has it, and what it makes
    happen is a legal step, except where the house has not even looked at the payment (RECEIVED)."""
    before = in_state(state, bank_status="ACTC")
    happening = concluded(before, word(said, before, "XXXX"), NOW_NS, inquire_at_ns=NOW_NS + 5)
    expected = SAYS[said].get(state, K.CONTRADICTED)
    assert (happening.kind if happening else None) == expected
    if happening is not None and state is not S.RECEIVED:
        assert (state, happening.kind) in STEPS


OLDER: Final = "CBOLDER"
"""A message that no payment here was sent in last."""

REJECTED_BEFORE: Final[Mapping[State, Kind | None]] = {
    S.SENDING: NOTHING,
    S.REJECTED: NOTHING,
    **dict.fromkeys(set(State) - {S.SENDING, S.REJECTED}, K.CONTRADICTED),
}
"""What a rejection of an older message makes happen."""


@pytest.mark.parametrize("state", State)
def test_a_rejection_of_an_older_message_rejects_nothing(state: State) -> None:
    """In no state: it leaves a payment where it is, or stops what would be sent; and never frees it."""
    before = in_state(state, doubt_since_ns=NOW_NS if state is S.IN_DOUBT else 0)
    late = word(W.REJECTED, before, "RJCT", message_reference=OLDER)
    assert rejects_another(before, late)
    happening = concluded(before, late, NOW_NS)
    assert (happening.kind if happening else None) == REJECTED_BEFORE[state]
    if happening is not None and state is not S.RECEIVED:
        told = after(before, happening, NOW_NS)
        assert told.state is (S.IN_DOUBT if state is S.QUEUED else state)
        assert concluded(told, late, NOW_NS) is None


def test_a_rejection_of_the_latest_message_rejects() -> None:
    """Whether the bank names that message or none."""
    doubted = in_state(S.IN_DOUBT, doubt_since_ns=NOW_NS)
    assert doubted.attempt is not None
    for message in ("", doubted.attempt.message_reference):
        happening = concluded(doubted, word(W.REJECTED, doubted, "RJCT", message_reference=message), NOW_NS)
        assert happening is not None
        assert happening.kind is K.REJECTED


@pytest.mark.parametrize("state", [S.SENDING, S.IN_DOUBT, S.ACCEPTED])
@pytest.mark.parametrize("said", [W.TAKEN, W.SETTLED, W.RETURNED])
def test_what_a_bank_has_counts_whatever_message_it_came_in(state: State, said: Word) -> None:
    """That it holds or paid the payment in an older message is as good as in the latest."""
    before = in_state(state, bank_status="ACTC")
    named = concluded(before, word(said, before, "XXXX", message_reference=OLDER), NOW_NS)
    assert named == concluded(before, word(said, before, "XXXX"), NOW_NS)
    assert named is not None


def test_a_payment_without_an_attempt_is_rejected_by_its_own_message_only() -> None:
    """A store restored from a backup has forgotten which message came last: one of this payment alone counts."""
    suspected = replace(in_state(S.IN_DOUBT, doubt_since_ns=NOW_NS), attempts=())
    assert rejects_another(suspected, word(W.REJECTED, suspected, "RJCT", message_reference=OLDER))
    alone = word(W.REJECTED, suspected, "RJCT", message_reference=suspected.wire_reference)
    assert not rejects_another(suspected, alone)


def test_a_late_rejection_moves_no_plan_and_clears_no_doubt() -> None:
    """The next inquiry stays where it was, so letters cannot break the budget; the doubt is as old as before."""
    doubted = in_state(S.IN_DOUBT, doubt_since_ns=NOW_NS - 5, inquiries=2, inquire_at_ns=NOW_NS + 7)
    happening = concluded(doubted, word(W.REJECTED, doubted, "RJCT", message_reference=OLDER), NOW_NS)
    assert happening is not None
    told = after(doubted, happening, NOW_NS)
    assert (told.inquire_at_ns, told.inquiries, told.doubt_since_ns) == (NOW_NS + 7, 2, NOW_NS - 5)
    assert told.contradiction == "RJCT"


def test_every_contradiction_of_the_table_is_reached_by_a_word() -> None:
    """No step of the table is dead: each state that can be contradicted is, by some word."""
    reached = set()
    for state, said, message in product(State, Word, ("", OLDER)):
        before = in_state(state, bank_status="ACTC")
        happening = concluded(before, word(said, before, "XXXX", message_reference=message), NOW_NS)
        if happening is not None and happening.kind is K.CONTRADICTED and state is not S.RECEIVED:
            reached.add((state, happening.kind))
    assert reached == {one for one in STEPS if one[1] is K.CONTRADICTED}


def test_the_same_word_twice_is_one_fact() -> None:
    """A repeated status, and a repeated contradiction, are nothing new: a bank cannot fill the log."""
    accepted = in_state(S.ACCEPTED, bank_status="ACSP")
    assert concluded(accepted, word(W.TAKEN, accepted, "ACSP"), NOW_NS) is None
    rejected = in_state(S.REJECTED)
    first = concluded(rejected, word(W.SETTLED, rejected, "ACSC"), NOW_NS)
    assert first is not None
    assert first.kind is K.CONTRADICTED
    told = after(rejected, first, NOW_NS)
    assert told.contradiction == "ACSC"
    assert told.state is S.REJECTED
    assert concluded(told, word(W.SETTLED, told, "ACSC"), NOW_NS) is None


def test_a_bank_that_claims_what_we_believe_unsent_stops_the_sending() -> None:
    """Before sending, a claim of the bank leads a QUEUED payment into doubt and puts a hold on a HELD one."""
    queued = in_state(S.QUEUED)
    claim = concluded(queued, word(W.TAKEN, queued, "ACCP"), NOW_NS)
    assert claim is not None
    doubted = after(queued, claim, NOW_NS)
    assert (doubted.state, doubted.doubt_since_ns, doubted.inquire_at_ns) == (S.IN_DOUBT, NOW_NS, NOW_NS)
    held = in_state(S.HELD, holds=("approval",))
    claim = concluded(held, word(W.TAKEN, held, "ACCP"), NOW_NS)
    assert claim is not None
    assert after(held, claim, NOW_NS).holds == ("approval", "bank_contradiction")


def test_throttling_waits_as_long_as_the_bank_asks() -> None:
    """NOT_PROCESSED goes back to the outbox and not before the bank's own time."""
    sending = in_state(S.SENDING)
    happening = concluded(sending, word(W.NOT_PROCESSED, sending, retry_after_s=30.0), NOW_NS)
    assert happening is not None
    back = after(sending, happening, NOW_NS)
    assert back.state is S.QUEUED
    assert back.send_after_ns == NOW_NS + 30 * 10**9
    assert back.attempts[-1].ended == "NOT_SENT"


# ---------------------------------------------------------------- any sequence

KINDS_WITHOUT_PROOF = sorted(set(Kind) - {K.NOT_SENT, K.NOT_HELD, K.RECEIVED, K.MARKED})
WORDS_WITHOUT_PROOF = sorted(set(Word) - {W.NOT_FOUND, W.NOT_PROCESSED})

events = st.lists(
    st.one_of(
        st.sampled_from(KINDS_WITHOUT_PROOF).map(lambda kind: Happening(kind, reason=Reason.BANK_ANSWERED)),
        st.tuples(
            st.sampled_from(WORDS_WITHOUT_PROOF),
            st.sampled_from(["", "ACCP", "ACSP", "ACSC", "RJCT"]),
            st.sampled_from(["", OLDER]),
        ),
    ),
    max_size=12,
)


def lived(start: Payment, happened: list[Happening | tuple[Word, str, str]]) -> list[Payment]:
    """The payment after each event, as the store would take them: what the table refuses changes nothing."""
    lives = [start]
    for event in happened:
        now = lives[-1]
        if isinstance(event, Happening):
            happening: Happening | None = event
        else:
            said, status, message = event
            happening = concluded(now, word(said, now, status, message_reference=message), NOW_NS)
        if happening is None:
            continue
        try:
            lives.append(after(now, happening, NOW_NS))
        except IllegalStep:
            continue
    return lives


@given(start=st.sampled_from([S.SENDING, S.IN_DOUBT]), happened=events)
def test_without_proof_no_payment_is_ever_sent_a_second_time(
    start: State, happened: list[Happening | tuple[Word, str, str]]
) -> None:
    """No sequence of bank words, operator acts and accidents leads from SENDING or IN_DOUBT back to where it may be
    sent, unless it holds NOT_SENT, NOT_HELD, NOT_FOUND or NOT_PROCESSED (laws 4 and 5)."""
    lives = lived(in_state(start), happened)
    assert not {life.state for life in lives} & {S.QUEUED, S.HELD, S.RECEIVED}


@given(happened=events)
def test_settled_money_is_never_forgotten(happened: list[Happening | tuple[Word, str, str]]) -> None:
    """Whatever comes after it, a settled payment stays settled or has come back; no word makes it rejected."""
    lives = lived(in_state(S.SETTLED), happened)
    assert {life.state for life in lives} <= {S.SETTLED, S.RETURNED}


@given(start=st.sampled_from(sorted(State)), happened=events)
def test_versions_grow_by_one_and_the_books_agree_with_the_state(
    start: State, happened: list[Happening | tuple[Word, str, str]]
) -> None:
    """Each step is one version; doubt has a beginning exactly while it lasts; inquiries only where they can be."""
    lives = lived(in_state(start, doubt_since_ns=NOW_NS if start is S.IN_DOUBT else 0), happened)
    assert [life.version for life in lives] == list(range(lives[0].version, lives[0].version + len(lives)))
    for life in lives[1:]:
        assert bool(life.doubt_since_ns) == (life.state is S.IN_DOUBT)
        assert not life.inquire_at_ns or life.state in (S.IN_DOUBT, S.ACCEPTED)
        assert not life.send_after_ns or life.state is S.QUEUED


def test_a_proof_opens_the_way_again() -> None:
    """The other side of the coin: a definite "not found" out of doubt leads back to the outbox, once."""
    doubted = in_state(S.IN_DOUBT, doubt_since_ns=NOW_NS)
    found = concluded(doubted, word(W.NOT_FOUND, doubted), NOW_NS)
    assert found is not None
    queued = after(doubted, found, NOW_NS)
    assert (queued.state, queued.doubt_since_ns) == (S.QUEUED, 0)
    assert concluded(queued, word(W.NOT_FOUND, queued), NOW_NS) is None
    with pytest.raises(IllegalStep):
        after(queued, happenings.not_sent(Reason.NEVER_WRITTEN, 0), NOW_NS)
