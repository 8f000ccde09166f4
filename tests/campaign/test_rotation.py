"""The rotation campaign in short: connections that end under load leave no doubt where the peer behaves."""

from pathlib import Path

import pytest
import trio

from tests.campaign.rotating import rotate
from tests.campaign.rotors import ODDS, PEERS
from tests.fakes.papers import Papers

ROTATIONS = 25
SECONDS_MAX = 60.0  # it takes one or two; a busy machine takes longer


@pytest.mark.parametrize("name", PEERS)
async def test_rotations_leave_no_doubt(name: str, tmp_path: Path) -> None:
    """Streams up to GOAWAY's last id are answered, each with its own answer; those above are not sent, and none that is
    sent again is processed twice; nothing is in doubt."""
    with trio.fail_after(SECONDS_MAX):
        tally = await rotate(name, PEERS[name], Papers(tmp_path), 20_261_124, ROTATIONS)
    assert tally.good, tally.line()
    assert tally.rotations >= ROTATIONS
    assert tally.answered > 0
    assert set(tally.not_sent) <= {"GOAWAY_ABOVE_LAST", "NEVER_WRITTEN"}, "the only proofs that a polite end leaves"


def test_the_simulated_bank_disowns_as_well_as_it_finishes() -> None:
    """The campaign means something only if both kinds of streams occur: below and at."""
    assert {"below", "at"} <= {last for last, odds in ODDS.items() if odds > 0}
