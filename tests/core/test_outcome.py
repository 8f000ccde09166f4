"""Claims about what a bank's word does to a payment: every state × every word, and any sequence of them."""

from collections.abc import Mapping
from itertools import product
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import happenings
from gateway.core.happenings import Happening
from gateway.core.life import after
from gateway.core.outcome import Outcome, Word, concluded
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
        st.tuples(st.sampled_from(WORDS_WITHOUT_PROOF), st.sampled_from(["", "ACCP", "ACSP", "ACSC", "RJCT"])),
    ),
    max_size=12,
)


def lived(start: Payment, happened: list[Happening | tuple[Word, str]]) -> list[Payment]:
    """The payment after each event, as the store would take them: what the table refuses changes nothing."""
    lives = [start]
    for event in happened:
        now = lives[-1]
        happening = event if isinstance(event, Happening) else concluded(now, word(event[0], now, event[1]), NOW_NS)
        if happening is None:
            continue
        try:
            lives.append(after(now, happening, NOW_NS))
        except IllegalStep:
            continue
    return lives


@given(start=st.sampled_from([S.SENDING, S.IN_DOUBT]), happened=events)
def test_without_proof_no_payment_is_ever_sent_a_second_time(
    start: State, happened: list[Happening | tuple[Word, str]]
) -> None:
    """No sequence of bank words, operator acts and accidents leads from SENDING or IN_DOUBT back to where it may be
    sent, unless it holds NOT_SENT, NOT_HELD, NOT_FOUND or NOT_PROCESSED (laws 4 and 5)."""
    lives = lived(in_state(start), happened)
    assert not {life.state for life in lives} & {S.QUEUED, S.HELD, S.RECEIVED}


@given(happened=events)
def test_settled_money_is_never_forgotten(happened: list[Happening | tuple[Word, str]]) -> None:
    """Whatever comes after it, a settled payment stays settled or has come back; no word makes it rejected."""
    lives = lived(in_state(S.SETTLED), happened)
    assert {life.state for life in lives} <= {S.SETTLED, S.RETURNED}


@given(start=st.sampled_from(sorted(State)), happened=events)
def test_versions_grow_by_one_and_the_books_agree_with_the_state(
    start: State, happened: list[Happening | tuple[Word, str]]
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
