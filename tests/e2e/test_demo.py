"""`causeway demo --once`, as `make run ARGS=--once` runs it: the whole house as processes on loopback."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

DEMO_S_MAX = 180
STOP_S_MAX = 60


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


@contextmanager
def serving_demo(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """A demo that has shown everything and goes on serving."""
    command = [sys.executable, "-u", "-m", "gateway", "demo", "--folder", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        told = []
        for line in process.stdout:
            told.append(line)
            if "Serving until Ctrl-C" in line:
                break
        assert process.poll() is None, "".join(told)
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=STOP_S_MAX)


def children_of(pid: int) -> list[int]:
    return [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds the children in /proc, which only Linux has")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGHUP], ids=["ctrl-c", "closed-terminal"])
def test_the_end_of_the_demo_ends_everything(tmp_path: Path, how: signal.Signals) -> None:
    """Ctrl-C and a closed terminal end the demo with exit code 0, and no process of it is left."""
    with serving_demo(tmp_path / "demo") as process:
        children = children_of(process.pid)
        assert len(children) == 3
        process.send_signal(how)
        told, complained = process.communicate(timeout=STOP_S_MAX)
        assert process.returncode == 0, complained
        assert "stopping the daemon and the banks" in told
        assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds the children in /proc, which only Linux has")
def test_a_dead_daemon_is_told(tmp_path: Path) -> None:
    """When a child dies while the demo serves, the demo says which, shows the end of its log and ends with 1."""
    with serving_demo(tmp_path / "demo") as process:
        daemon = max(children_of(process.pid))  # started last
        os.kill(daemon, signal.SIGKILL)
        _, complained = process.communicate(timeout=STOP_S_MAX)
    assert process.returncode == 1
    assert "causeway ended by itself" in complained
    assert "whole log" in complained
