"""kill -9 at any moment loses nothing that was acknowledged (laws 1 and 6)."""

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import trio

from gateway.core.states import State
from gateway.store.recover import recover
from gateway.store.store import LmdbStore
from gateway.store.verify import verify
from tests.fakes.clock import FakeClock

ROOT = Path(__file__).parents[2]
CRASHES = 4


@contextmanager
def writing(path: Path, seed: int) -> Iterator[subprocess.Popen[bytes]]:
    """The writing program, surely ended afterwards."""
    env = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'protos'}"}
    command = [sys.executable, "-m", "tests.store.writing", str(path), str(seed)]
    with subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def killed_after(process: subprocess.Popen[bytes], lines: int) -> dict[bytes, int]:
    """Kills the program after so many lines; returns each acknowledged payment with its highest version."""
    acknowledged: dict[bytes, int] = {}
    assert process.stdout is not None
    for number, line in enumerate(process.stdout):
        if number == lines:
            process.kill()  # what it managed to print until then is read to the end
        if line.endswith(b"\n") and b" " in line:
            payment_id, version = line.split()
            known = acknowledged.get(bytes.fromhex(payment_id.decode()), 0)
            acknowledged[bytes.fromhex(payment_id.decode())] = max(known, int(version))
    process.wait()
    return acknowledged


async def test_kill_9_loses_nothing_acknowledged(tmp_path: Path) -> None:
    """Killed at random moments, again and again over the same directory: every acknowledged payment is there in at
    least the acknowledged version, the chain is whole, and what was SENDING is in doubt, not queued."""
    dice = random.Random(20260921)
    acknowledged: dict[bytes, int] = {}
    for crash in range(CRASHES):
        with writing(tmp_path, crash) as process:
            acknowledged |= killed_after(process, dice.randrange(1, 3000))
        report = verify(tmp_path)
        assert report.findings == []
        async with LmdbStore(tmp_path, clock=FakeClock()) as store:
            ids = list(acknowledged)
            for payment_id, payment in zip(ids, await store.get_many(ids), strict=True):
                assert payment is not None
                assert payment.version >= acknowledged[payment_id]
                assert payment.state in (State.QUEUED, State.SENDING, State.IN_DOUBT)
            await recover(store, FakeClock(), 90.0)
            assert (await store.counts("northbank")).sending == 0
    assert len(acknowledged) > CRASHES
    assert verify(tmp_path).whole


async def test_verifying_beside_a_running_daemon(tmp_path: Path) -> None:
    """The verifier finds nothing wrong while another process writes and its map grows, however often it looks."""
    with writing(tmp_path, 1) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        seen = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, process.stdout.read)
            while len(seen) < 5 or seen[-1] < 600:
                report = await trio.to_thread.run_sync(verify, tmp_path)
                assert report.findings == []
                seen.append(report.payments)
                assert len(seen) < 1000
            process.kill()
    assert seen == sorted(seen)
    assert seen[-1] > seen[0]
