"""Claims about reasons, errors and waiting."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.backoff import backoff_s
from gateway.core.errors import MaybeSent, NotSent
from gateway.core.facts import GENESIS, chained
from gateway.core.reasons import Reason, may_retry


@pytest.mark.parametrize("reason", Reason)
def test_only_a_proof_makes_a_not_sent(reason: Reason) -> None:
    """NotSent cannot be raised with a reason that proves nothing: the mistake that pays twice (law 4)."""
    if may_retry(reason):
        assert NotSent(reason).reason is reason
    else:
        with pytest.raises(ValueError, match="no proof"):
            NotSent(reason)
    assert MaybeSent(reason, "detail").detail == "detail"


def test_what_is_doubt_never_allows_a_retry() -> None:
    """The reasons after which nobody can know whether the bank has the payment."""
    for reason in (Reason.REPLY_LOST, Reason.REPLY_TIMEOUT, Reason.STREAM_RESET, Reason.BANK_ERROR):
        assert not may_retry(reason)
    assert not may_retry(Reason.RESTARTED_WHILE_SENDING)


@given(
    failures=st.integers(min_value=1, max_value=10_000),
    first_s=st.floats(min_value=0.001, max_value=10),
    times=st.floats(min_value=1, max_value=1_000),
    spread=st.floats(min_value=0, max_value=1),
)
def test_waits_grow_and_stay_bounded(failures: int, first_s: float, times: float, spread: float) -> None:
    """However many failures, the wait lies between half the first one and the greatest."""
    most_s = first_s * times
    wait_s = backoff_s(failures, first_s, most_s, spread)
    assert first_s / 2 <= wait_s <= most_s
    assert backoff_s(failures + 1, first_s, most_s, spread) >= wait_s


def test_the_chain_begins_where_it_always_did_and_feels_every_byte() -> None:
    """A changed genesis or chaining rule would call every existing log forged (law 10)."""
    assert GENESIS.hex()[:16] == "cc57e6088e0318da"
    first = chained(GENESIS, b"fact")
    assert first.hex()[:16] == "6b6b46cabd76e451"
    assert chained(first, b"fact") != first
    assert chained(GENESIS, b"fact.") != first
