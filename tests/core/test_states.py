"""Claims about the one table of states: every state × every kind is walked."""

from itertools import product

import pytest

from gateway.core.states import ENDS, MEANING, STEPS, IllegalStep, Kind, State, step

BEFORE_THE_MARK = frozenset({State.RECEIVED, State.HELD, State.QUEUED})
AT_A_BANK = frozenset({State.SENDING, State.IN_DOUBT, State.ACCEPTED})


@pytest.mark.parametrize(("state", "kind"), list(product(State, Kind)))
def test_the_table_is_the_only_law(state: State, kind: Kind) -> None:
    """A step is what the table says, and everything else raises and names both the state and the kind."""
    if (state, kind) in STEPS:
        assert step(state, kind) is STEPS[state, kind]
        return
    with pytest.raises(IllegalStep) as caught:
        step(state, kind)
    assert (caught.value.state, caught.value.kind) == (state, kind)
    assert state.value in str(caught.value)


def test_every_state_has_a_meaning_and_can_be_reached() -> None:
    """No state is a word without a way to it."""
    assert set(MEANING) == set(State)
    reached, frontier = {State.RECEIVED}, [State.RECEIVED]
    while frontier:
        before = frontier.pop()
        new = {after for (state, _), after in STEPS.items() if state is before} - reached
        reached |= new
        frontier += new
    assert reached == set(State)


def test_an_end_is_left_only_by_money_that_comes_back() -> None:
    """From an end nothing leads on, but SETTLED to RETURNED."""
    ways_out = {(state, kind, after) for (state, kind), after in STEPS.items() if state in ENDS and after is not state}
    assert ways_out == {(State.SETTLED, Kind.RETURNED, State.RETURNED)}


def test_every_state_that_is_no_end_has_a_way_to_an_end() -> None:
    """No payment is trapped."""
    ending = set(ENDS)
    for _ in State:
        ending |= {state for (state, _), after in STEPS.items() if after in ending}
    assert ending == set(State)


def test_only_proof_leads_back_to_the_outbox() -> None:
    """Into QUEUED from where bytes may have left: NOT_SENT out of SENDING, NOT_HELD out of IN_DOUBT, else nothing."""
    ways = {(state, kind) for (state, kind), after in STEPS.items() if after is State.QUEUED}
    assert {way for way in ways if way[0] not in BEFORE_THE_MARK} == {
        (State.SENDING, Kind.NOT_SENT),
        (State.IN_DOUBT, Kind.NOT_HELD),
    }


def test_what_may_be_at_a_bank_cannot_be_cancelled_refused_or_expire() -> None:
    """Nothing is undone at a bank (law 7)."""
    for state, kind in product(AT_A_BANK, (Kind.CANCELLED, Kind.REFUSED, Kind.EXPIRED, Kind.HOLD_PLACED)):
        assert (state, kind) not in STEPS


def test_doubt_is_left_by_a_definite_word_or_given_up() -> None:
    """What leads out of IN_DOUBT is a definite word, or two people giving it up; nothing is a timer, and one person's
    proposal leaves it where it is (law 5)."""
    assert STEPS[State.IN_DOUBT, Kind.PROPOSED] is State.IN_DOUBT
    out = {kind for (state, kind), after in STEPS.items() if state is State.IN_DOUBT and after is not State.IN_DOUBT}
    assert out == {Kind.NOT_HELD, Kind.WITHHELD, Kind.ACCEPTED, Kind.SETTLED, Kind.REJECTED, Kind.ABANDONED}


def test_only_a_doubt_is_proposed_about_or_given_up() -> None:
    """A client's CANCELLED and two people's ABANDONED never meet: neither can be taken for the other."""
    assert {state for state, kind in STEPS if kind in (Kind.PROPOSED, Kind.ABANDONED)} == {State.IN_DOUBT}
    assert STEPS[State.IN_DOUBT, Kind.ABANDONED] is State.CANCELLED


def test_nothing_is_sent_but_out_of_the_outbox() -> None:
    """Only a QUEUED payment can be marked for sending."""
    assert {state for (state, kind) in STEPS if kind is Kind.MARKED} == {State.QUEUED}
