"""Claims about when a lane stops trying."""

from gateway.dispatch.breaker import Breaker, BreakerState


def opened() -> BreakerState:
    state = BreakerState(failures_max=3, open_s=30.0)
    for at_s in (1.0, 2.0, 3.0):
        state.ended(answered=False, at_s=at_s)
    return state


def test_failures_in_a_row_open_it() -> None:
    """Three messages without an answer stop the lane; two and an answer do not."""
    assert opened().now(4.0) is Breaker.OPEN
    state = BreakerState(failures_max=3, open_s=30.0)
    for answered in (False, False, True, False, False):
        state.ended(answered=answered, at_s=1.0)
    assert state.now(2.0) is Breaker.CLOSED


def test_open_lets_nothing_pass_until_its_time_is_over() -> None:
    """While it is open no payment is marked, and the lane knows how long to wait."""
    state = opened()
    assert state.allows(32.9) == 0
    assert state.opens_in_s(13.0) == 20.0
    assert state.allows(33.0) == 1


def test_one_message_tests_the_bank() -> None:
    """Half open lets exactly one message leave, however many wait."""
    state = opened()
    state.began(33.0)
    assert state.allows(33.0) == 0


def test_the_test_decides() -> None:
    """An answer closes it; another failure opens it for the whole time again."""
    state = opened()
    state.began(33.0)
    state.ended(answered=False, at_s=34.0)
    assert state.now(63.0) is Breaker.OPEN
    state.began(64.0)
    state.ended(answered=True, at_s=65.0)
    assert state.now(65.0) is Breaker.CLOSED
    assert state.allows(65.0) is None
