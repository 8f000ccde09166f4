"""Claims about the payments kept decoded: never more than the bound, never one that is over, never a stale send."""

from dataclasses import replace

from gateway import limits
from gateway.core.states import State
from gateway.store.recent import STANDS_STILL_NS, Known, Recent
from gateway.store.records import Standing
from tests.fakes.payments import payment


def known(number: int, state: State = State.QUEUED, version: int = 1, at_ns: int = 1_000) -> Known:
    one = replace(payment(number), id=number.to_bytes(16, "big"), state=state, version=version, updated_at_ns=at_ns)
    return Known(one, Standing(0, b"standing"))


def version_of(recent: Recent, number: int) -> int:
    """0: not kept."""
    kept = recent.get(known(number).payment.id)
    return kept.payment.version if kept else 0


def test_it_holds_no_more_than_its_bound() -> None:
    """A backlog above the bound keeps those that leave next, and those that have no place are read from the store
    (RECENT_PAYMENTS_MAX)."""
    recent = Recent()
    recent.keep(known(number) for number in range(limits.RECENT_PAYMENTS_MAX))
    recent.keep([known(0, version=2)])
    recent.keep(known(number) for number in range(10_000_000, 10_000_010))
    assert len(recent) == limits.RECENT_PAYMENTS_MAX
    assert [version_of(recent, number) for number in (0, 1, 10_000_000)] == [2, 1, 0]


def test_the_answered_make_room_first() -> None:
    """Where the bank has answered, the payment has time; the one written longest ago goes first, for any other."""
    recent = Recent(3)
    recent.keep([known(1, State.ACCEPTED), known(2, State.IN_DOUBT), known(3), known(4)])
    assert [version_of(recent, number) for number in (1, 2, 3, 4)] == [0, 1, 1, 1]
    recent.keep([known(5), known(6, State.ACCEPTED)])
    assert [version_of(recent, number) for number in (2, 3, 4, 5, 6)] == [0, 1, 1, 1, 0]


def test_what_stands_still_makes_room() -> None:
    """Payments of a future date do not keep today's out, whichever way the clock was set."""
    for at_ns in (1_000 + STANDS_STILL_NS, 1_000 - STANDS_STILL_NS):
        recent = Recent(2)
        recent.keep([known(1), known(2)])
        recent.keep([known(3, at_ns=at_ns)])
        assert [version_of(recent, number) for number in (1, 2, 3)] == [0, 1, 1]


def test_nothing_older_than_the_store_is_kept() -> None:
    """Whatever place a payment finds or does not find after a step, what was kept of it before is gone."""
    recent = Recent(2)
    recent.keep([known(1, State.ACCEPTED), known(2), known(3)])
    recent.keep([known(4), known(1, version=2), known(2, State.ACCEPTED, version=2), known(3, State.HELD, version=2)])
    assert [version_of(recent, number) for number in (1, 2, 3, 4)] == [0, 2, 2, 0]
    full = Recent(1)
    full.keep([known(1)])
    full.keep([known(2), known(1, version=2)])
    assert [version_of(full, number) for number in (1, 2)] == [2, 0]


def test_what_is_over_is_forgotten() -> None:
    """A settled payment makes room at once: hardly anybody asks for it again."""
    recent = Recent()
    recent.keep([known(1)])
    recent.keep([known(1, State.SETTLED)])
    assert len(recent) == 0
