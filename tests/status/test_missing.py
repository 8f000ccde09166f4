"""Claims about what is remembered of a bank's "not found"."""

from dataclasses import replace

import trio

from gateway.core.states import State
from gateway.status.missing import MISSING_MAX, Missing
from tests.fakes.payments import attempt, payment


async def test_the_first_word_about_an_attempt_counts(autojump_clock: trio.testing.MockClock) -> None:
    """Repeating it does not begin anew; a new attempt does, and so does any other word of the bank."""
    one = payment(state=State.IN_DOUBT)
    one = replace(one, attempts=(attempt(one),))
    again = replace(one, attempts=(*one.attempts, replace(one.attempts[0], number=2)))
    missing = Missing()
    assert missing.for_s(one) == 0
    missing.said(one)
    await trio.sleep(10)
    missing.said(one)
    assert missing.for_s(one) == 10
    assert missing.for_s(again) == 0
    missing.said(again)
    await trio.sleep(5)
    assert missing.for_s(again) == 5
    missing.forget(again)
    assert missing.for_s(again) == 0


async def test_what_is_remembered_is_bounded(autojump_clock: trio.testing.MockClock) -> None:
    """Above MISSING_MAX the oldest is forgotten: it is asked about once more, nothing else."""
    one = payment(state=State.IN_DOUBT)
    one = replace(one, attempts=(attempt(one),))
    missing = Missing()
    ids = [number.to_bytes(16, "big") for number in range(MISSING_MAX + 1)]
    for each in ids:
        missing.said(replace(one, id=each))
    await trio.sleep(1)
    assert missing.for_s(replace(one, id=ids[0])) == 0
    assert missing.for_s(replace(one, id=ids[1])) == 1
