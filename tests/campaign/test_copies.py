"""kill -9 amid a backup and amid a restore, at the places that matter most; tests.campaign.copies tries more."""

from pathlib import Path

import pytest

from tests.campaign.copies import chosen_places, complaints, laid
from tests.campaign.killed import Place
from tests.campaign.strace import missing

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())

WHERE = {"backup": ("write", "fsync", "rename"), "restore": ("pwrite64", "rename", "rmdir")}
"""Command → calls that make, flush and name what it makes; the last place of each."""


@pytest.mark.parametrize("command", WHERE)
def test_half_of_it_never_passes_for_whole(command: str, tmp_path: Path) -> None:
    """Killed while it writes, flushes or names its work: nothing is there, or all of it; no daemon begins anew in what
    is left; the command given again does its work and clears away what the killed one left."""
    desk = laid(tmp_path)
    last: dict[str, Place] = {place.call: place for place in chosen_places(desk, command, 1)}
    for call in WHERE[command]:
        assert list(complaints(desk, command, last[call])) == [], last[call]
