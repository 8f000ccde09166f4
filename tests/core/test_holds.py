"""Claims about a hold for a defect of ours: another person releases it, and nothing else leads past it."""

import pytest

from gateway.core import happenings
from gateway.core.decisions import Objection, Releasing, decided
from gateway.core.happenings import Happening
from gateway.core.holds import HOLD_CONTRADICTION, HOLD_DEFECT, released
from gateway.core.life import after, fact
from gateway.core.payment import Payment
from gateway.core.reasons import Reason
from gateway.core.states import IllegalStep, Kind, State
from tests.fakes.payments import NOW_NS, payment

NOTE = "adapter 1.4 composes amounts of 0 decimals; deployed at 14:02"


def held(*more: str) -> Payment:
    one = after(payment(1), happenings.held(Reason.COMPOSE_FAILED, HOLD_DEFECT), NOW_NS)
    for hold in more:
        one = after(one, happenings.held(Reason.CLIENT_ASKED, hold), NOW_NS)
    return one


def acted(one: Payment, hold: str = HOLD_DEFECT, actor: str = "mia") -> Happening | Objection:
    return decided(one, Releasing(hold, actor, NOTE), NOW_NS)


def test_a_release_leads_to_the_outbox_and_says_who_and_why() -> None:
    """The last hold: QUEUED; the fact has the actor, the reason and the hash of the note."""
    happening = acted(held())
    assert isinstance(happening, Happening)
    free = after(held(), happening, NOW_NS)
    assert (free.state, free.holds) == (State.QUEUED, ())
    told = fact(free, State.HELD, happening, 3)
    assert (told.kind, told.reason, told.actor, told.holds) == (
        Kind.HOLDS_CLEARED,
        Reason.RELEASED,
        "mia",
        (HOLD_DEFECT,),
    )
    assert told.evidence_sha256


def test_other_holds_stay_open() -> None:
    """A payment that is also held for something else is not sent by this release."""
    one = held("risk")
    happening = acted(one)
    assert isinstance(happening, Happening)
    still = after(one, happening, NOW_NS)
    assert (still.state, still.holds) == (State.HELD, ("risk",))


def test_nobody_releases_what_they_made() -> None:
    """Law 9, whatever the roles: the principal of the payment is refused."""
    assert acted(held(), actor=held().principal) is Objection.OWN_PAYMENT


def test_only_an_open_hold_of_ours_is_released() -> None:
    """What a bank claims, what others are to approve, what is not open or not held any more: refused by name."""
    contradicted = held(HOLD_CONTRADICTION, "risk")
    assert acted(contradicted, HOLD_CONTRADICTION) is Objection.HOLD_NOT_RELEASABLE
    assert acted(contradicted, "risk") is Objection.HOLD_NOT_RELEASABLE
    assert acted(payment(1)) is Objection.HOLD_NOT_OPEN
    other = after(payment(1), happenings.held(Reason.CLIENT_ASKED, "risk"), NOW_NS)
    assert acted(other) is Objection.HOLD_NOT_OPEN


@pytest.mark.parametrize(
    "forged",
    [
        released(held(), HOLD_DEFECT, held().principal, NOTE),
        released(held(), HOLD_DEFECT, "", NOTE),
        Happening(Kind.HOLDS_CLEARED, holds=(HOLD_DEFECT,), actor="mia"),
        Happening(Kind.HOLD_RELEASED, reason=Reason.RELEASED, holds=(HOLD_DEFECT,), actor="mia"),
    ],
    ids=["by its maker", "by nobody", "for no reason", "to nowhere"],
)
def test_no_caller_can_leave_the_question_out(forged: Happening) -> None:
    """A happening that claims to be a release and is none changes nothing, whoever hands it to the store."""
    with pytest.raises(IllegalStep):
        after(held(), forged, NOW_NS)


def test_a_release_never_leads_past_another_hold() -> None:
    """Claiming that all holds are cleared, where one is left, is no step."""
    with pytest.raises(IllegalStep):
        after(held("risk"), released(held(), HOLD_DEFECT, "mia", NOTE), NOW_NS)
