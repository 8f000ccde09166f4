"""Claims about the clocks of the real world."""

from pathlib import Path

from gateway.clock import BOOT_ID, SystemClock


def test_uptime_goes_on_from_process_to_process() -> None:
    """Two clocks of one machine agree, so what one process began another can end."""
    earlier, later = SystemClock().uptime(), SystemClock().uptime()
    seconds = later.seconds_after(earlier)
    if BOOT_ID.exists():
        assert seconds is not None
        assert seconds >= 0.0


def test_what_cannot_be_known_is_another_machine(tmp_path: Path) -> None:
    """Where the system does not say which start this is, or says nonsense, no other process's uptime means anything;
    one's own goes on."""
    (tmp_path / "nonsense").write_text("not an id\n")
    for boot_id in (tmp_path / "nothing", tmp_path / "nonsense"):
        clock = SystemClock(boot_id)
        began = clock.uptime()
        own = clock.uptime().seconds_after(began)
        assert own is not None
        assert own >= 0.0
        assert SystemClock(boot_id).uptime().seconds_after(began) is None
