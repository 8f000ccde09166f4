"""`causeway demo --once`, as `make run ARGS=--once` runs it: the whole house as processes on loopback."""

import subprocess
import sys
from pathlib import Path

DEMO_S_MAX = 180


def demo(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "gateway", "demo", "--once", "--folder", str(folder), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=DEMO_S_MAX)


def test_every_valid_instruction_is_booked_once(tmp_path: Path) -> None:
    """The demo judges itself by the banks' ledgers: 18 payments, one refused, one replayed, one doubt resolved."""
    done = demo(tmp_path / "demo")
    assert done.returncode == 0, done.stdout + done.stderr
    told = done.stdout
    for text in (
        "18 payments, 1 replayed, 1 refused",
        "instruction.creditor.account.iban",
        "instruction.amount",
        "IN_DOUBT",
        "ledger of northbank: 12 bookings for our 12 payments",
        "ledger of alpenbank: 6 bookings for our 6 payments",
        "is whole",
        "booked exactly once, and all are settled",
    ):
        assert text in told, told
    assert "Traceback" not in told + done.stderr
    again = demo(tmp_path / "demo", "--keep")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "18 payments, 19 replayed, 1 refused" in again.stdout
    assert "12 bookings for our 12 payments" in again.stdout


def test_a_strangers_folder_is_left_alone(tmp_path: Path) -> None:
    """The demo deletes only what a demo made."""
    precious = tmp_path / "precious.txt"
    precious.write_text("mine")
    done = demo(tmp_path)
    assert done.returncode == 2
    assert precious.read_text() == "mine"
    assert "no demo made it" in done.stderr
