"""Claims about the payments kept decoded: never more than the bound, never one that is over, never a stale send."""

from dataclasses import replace

from gateway import limits
from gateway.core.states import State
from gateway.store.recent import Known, Recent
from gateway.store.records import Standing
from tests.fakes.payments import payment


def known(number: int, state: State = State.QUEUED, version: int = 1) -> Known:
    return Known(
        replace(payment(number), id=number.to_bytes(16, "big"), state=state, version=version), Standing(0, b"standing")
    )


def test_it_holds_no_more_than_its_bound() -> None:
    """The payments written longest ago make room, and one written again counts as new (RECENT_PAYMENTS_MAX)."""
    recent = Recent()
    recent.keep(known(number) for number in range(limits.RECENT_PAYMENTS_MAX))
    recent.keep([known(0, version=2)])
    recent.keep(known(number) for number in range(10_000_000, 10_000_010))
    assert len(recent) == limits.RECENT_PAYMENTS_MAX
    assert recent.get(known(1).payment.id) is None
    kept = recent.get(known(0).payment.id)
    assert kept is not None
    assert kept.payment.version == 2


def test_what_is_over_is_forgotten() -> None:
    """A settled payment makes room at once: hardly anybody asks for it again."""
    recent = Recent()
    recent.keep([known(1)])
    recent.keep([known(1, State.SETTLED)])
    assert len(recent) == 0
