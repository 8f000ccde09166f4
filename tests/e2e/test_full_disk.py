"""A disk that is really full (tests/e2e/full_disk.py): nothing is lost, half of nothing passes for whole, and whoever
reads what is said knows what to do."""

from pathlib import Path

import pytest

from tests.e2e.full_disk import PAYMENTS, SEVERAL_PAGES, WAITS, missing, played

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())


def test_a_daemon_on_a_full_disk_sheds_survives_a_kill_and_goes_on(tmp_path: Path) -> None:
    """With payments on the way the disk fills up: new ones are told to come again, the daemon is killed and starts
    there all the same and says what to do; when there is room each acknowledged payment is booked once and settled."""
    seen = played("daemon", tmp_path / "house")
    for refusal in seen["refusals"]:
        assert (refusal["code"], refusal["reason"]) == ("RESOURCE_EXHAUSTED", "OVERLOADED")
        assert refusal["retry_after_s"] > 0
    assert (seen["acked"], seen["unsettled"], seen["complaints"]) == (PAYMENTS, 0, [])
    assert "the disk of data_dir is nearly full: make room" in seen["log"]
    assert "Traceback" not in seen["log"]
    assert (seen["verified"]["whole"], seen["verified"]["payments"]) == (True, PAYMENTS)


def test_a_backup_onto_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    """It fails with what to do and leaves no byte; on the same disk with room it is whole."""
    seen = played("backup", tmp_path)
    assert seen["first"]["exit"] == 1
    assert "No space left on device: make room there" in seen["first"]["said"]
    assert seen["left"] == []
    assert (seen["second"]["exit"], seen["whole"]) == (0, True)


@pytest.mark.parametrize("step", ["copy", "verify"])
def test_a_restore_onto_a_full_disk_leaves_nothing_a_daemon_could_open(tmp_path: Path, step: str) -> None:
    """The disk fills up while it copies, and when LMDB makes its reader table (once a SIGBUS, which no handler sees):
    an error in words, and the same command again restores every payment."""
    seen = played(f"restore-{step}", tmp_path)
    assert "No space left on device" in seen["failure"]
    assert seen["left"] == ["causeway.lock"]
    assert (seen["suspected"], seen["whole"]) == (200, True)


def test_a_restore_that_finds_no_room_to_write_waits_for_it(tmp_path: Path) -> None:
    """Filled while payments are put aside: it says that it waits, and for what, and then puts all of them aside."""
    seen = played("restore-suspect", tmp_path)
    assert (seen["waits"], seen["suspected"], seen["whole"]) == (WAITS, SEVERAL_PAGES, True)
