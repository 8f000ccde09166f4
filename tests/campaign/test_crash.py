"""A lap of the crash campaign (tests/campaign/crash.py goes on for hundreds of rounds): one house, killed in every
fail point and at random moments between them, one after the other. Rounds build on what the ones before left behind."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from gateway.failpoints import Point
from tests.campaign.plan import PLACES, Plan, plan
from tests.campaign.report import BUILD, written
from tests.campaign.rounds import Campaign, staged
from tests.campaign.totals import Totals

SEED = 20261124
HIT_MAX = 3
"""Points are met early: a round is over sooner, and also on a machine that is busy."""
PAYMENTS_MAX = 12
"""Per round, beside what the rounds before left unacknowledged."""

LAP = [plan(SEED, number) for number in range(len(PLACES))]


@pytest.fixture(scope="module")
def totals() -> Totals:
    return Totals(SEED)


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Campaign]:
    with staged(tmp_path_factory.mktemp("crash") / "house", SEED) as campaign:
        yield campaign


@pytest.mark.parametrize("round_", LAP, ids=lambda each: f"{each.number:02}-{each.place.replace(' ', '-')}")
def test_a_killed_daemon_loses_and_repeats_nothing(campaign: Campaign, totals: Totals, round_: Plan) -> None:
    """Killed there: everything acknowledged so far is in the store under its id, the store and its chain are whole,
    and no bank has booked anything twice."""
    if round_.point is Point.RECOVERY_PAGE and not campaign.acknowledged:
        campaign.play(replace(LAP[PLACES.index(Point.SEND_MARKED)], hit=1))  # run alone, it has nothing to recover
    done = campaign.play(replace(round_, hit=min(round_.hit, HIT_MAX), payments=min(round_.payments, PAYMENTS_MAX)))
    totals.add(done)
    assert not done.complaints, done.line()
    assert round_.point is None or done.reached, done.line()


def test_afterwards_every_payment_is_booked_once(campaign: Campaign, totals: Totals) -> None:
    """When the house has become quiet: each payment is settled and has one booking in its bank's ledger, and the
    banks have booked nothing else."""
    complaints = campaign.quiet()
    totals.complain("quiet", complaints)
    written(BUILD / "crash-short.json", totals.document())
    assert complaints == []
