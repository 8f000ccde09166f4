"""Claims about how long a payment counts as sent, with a wall clock that people set."""

from itertools import pairwise

from gateway.core.facts import Fact
from gateway.core.states import Kind, State
from gateway.status.age import AS_OLD_AS_CAN_BE_NS, FACTS_MAX, sent_for_ns
from gateway.status.leaps import Leaps
from tests.fakes.clock import FakeClock
from tests.fakes.payments import NOW_NS

H = 3_600 * 1_000_000_000


def facts(*hours: float, kind: Kind = Kind.INQUIRED) -> list[Fact]:
    """RECEIVED, then MARKED, then `kind` ever again, at these hours of the wall clock."""
    kinds = [Kind.RECEIVED, Kind.MARKED, *(kind for _ in hours[2:])]
    moments = [NOW_NS + int(hour * H) for hour in hours]
    return [
        Fact(n, bytes(16), "acme", n, at_ns, kind, State.SENDING, State.IN_DOUBT)
        for n, (at_ns, kind) in enumerate(zip(moments, kinds, strict=True), 1)
    ]


def test_it_counts_from_the_first_mark() -> None:
    """The wait in the outbox before it is not counted; later marks begin nothing anew."""
    assert sent_for_ns(facts(0, 2, 3), NOW_NS + 5 * H, 0) == 3 * H
    assert sent_for_ns(facts(0, 2, 3, kind=Kind.MARKED), NOW_NS + 5 * H, 0) == 3 * H


def test_a_clock_set_back_loses_one_step_at_most() -> None:
    """Marked at 2, set back from 10 to 4 between two inquiries, now 6: eight hours and two are known, not four."""
    assert sent_for_ns(facts(0, 2, 10, 4), NOW_NS + 6 * H, 0) == 10 * H


def test_a_fall_that_was_seen_loses_nothing() -> None:
    """Set back by six hours since the last fact, as the running daemon has seen."""
    assert sent_for_ns(facts(0, 2, 10), NOW_NS + 6 * H, 6 * H) == 10 * H


def test_what_cannot_be_known_counts_as_old() -> None:
    """Of a payment with more facts than are looked at, or with none: no resend without people."""
    many = facts(*(n / 1_000 for n in range(FACTS_MAX)))
    assert all(before.at_ns <= after.at_ns for before, after in pairwise(many))
    assert sent_for_ns(many, NOW_NS + 5 * H, 0) == AS_OLD_AS_CAN_BE_NS
    assert sent_for_ns([], NOW_NS, 0) == AS_OLD_AS_CAN_BE_NS


async def test_falls_are_seen_beside_leaps(autojump_clock: object) -> None:
    """A fall counts for what was read before it, a leap does not undo it, and drift is neither."""
    clock = FakeClock()
    leaps = Leaps(clock)
    before_ns = clock.now_ns()
    clock.advance(-7_200.0)
    assert leaps.fallen_after(before_ns) == 7_200 * 1_000_000_000
    clock.advance(600.0)
    clock.advance(-0.5)
    assert leaps.fallen_after(before_ns) == 7_200 * 1_000_000_000
    assert leaps.fallen_after(before_ns + 3 * H) == 0
