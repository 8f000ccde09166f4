"""The attacks in full: `python -m tests.campaign.abuse [--only WORD]`.

Each attack meets an edge in a process of its own, so that its memory is measured alone, while another client calls;
that client is timed before and during. Writes build/campaign/abuse.json and exits 1 if a claim does not hold. Times
are ratios on whatever machine this is.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import trio

from tests.campaign.attacks import ATTACKS, Attack, Endings
from tests.campaign.bystander import Bystander
from tests.campaign.report import BUILD, provenance, written
from tests.campaign.stage import resident_bytes

OUT: Final = BUILD / "abuse.json"
GROWTH_BYTES_MAX: Final = 50_000_000
ATTACK_S_MAX: Final = 180.0
CALM_S: Final = 3.0  # of the other client alone, before the attack
WATCH_EVERY_S: Final = 0.05


@asynccontextmanager
async def edge_process() -> AsyncIterator[dict[str, Any]]:
    """Addresses, a known payment and the process id of an edge that serves until we leave."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tests.campaign.stage", folder]
        process = await trio.lowlevel.open_process(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        try:
            assert process.stdout is not None
            said = b""
            while not said.endswith(b"\n"):
                said += await process.stdout.receive_some()
            yield json.loads(said)
        finally:
            process.kill()
            with trio.CancelScope(shield=True):
                await process.wait()


@asynccontextmanager
async def calling(bystander: Bystander) -> AsyncIterator[None]:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.to_thread.run_sync, bystander.run)
        yield
        bystander.leaving.set()


class Peak:
    """The most memory a process held while `run` ran."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.before = self.bytes = resident_bytes(pid)

    async def run(self) -> None:
        while True:
            self.bytes = max(self.bytes, resident_bytes(self._pid))
            with trio.move_on_after(WATCH_EVERY_S):
                await trio.sleep_forever()


async def suffered(attack: Attack) -> dict[str, Any]:
    """One attack, and what it did."""
    async with edge_process() as edge:
        calm, during = (Bystander(edge["plaintext"], edge["known"]) for _ in range(2))
        async with calling(calm):
            with trio.move_on_after(CALM_S):
                await trio.sleep_forever()
        began_s, endings = trio.current_time(), Endings()
        async with trio.open_nursery() as nursery:
            peak = Peak(edge["pid"])
            nursery.start_soon(peak.run)
            async with calling(during):
                with trio.move_on_after(ATTACK_S_MAX) as waited:
                    endings = await attack.run(edge[attack.door], attack.full)
            nursery.cancel_scope.cancel()
        growth = peak.bytes - peak.before
        held = not waited.cancelled_caught and endings.keys() <= attack.ends and growth < GROWTH_BYTES_MAX
        return {
            "attack": attack.name,
            "size": attack.full,
            "seconds": round(trio.current_time() - began_s, 1),
            "finished": not waited.cancelled_caught,
            "endings": dict(endings),
            "growth_mb": round(growth / 1e6, 1),
            "others_calls": len(during.seconds),
            "others_failures": dict(during.failures),
            "others_p50_ratio": ratio(during, calm, 0.50),
            "others_p99_ratio": ratio(during, calm, 0.99),
            "held": held and not during.failures and bool(during.seconds),
        }


def ratio(during: Bystander, calm: Bystander, share: float) -> float | None:
    """None where no call came through before the attack."""
    before = calm.percentile(share)
    return round(during.percentile(share) / before, 2) if before else None


async def main(only: str) -> int:
    reports = []
    for attack in ATTACKS:
        if only in attack.name:
            reports.append(await suffered(attack))
            print(json.dumps(reports[-1]), flush=True)
    command = f"python -m tests.campaign.abuse{f' --only {only}' if only else ''}"
    held = all(one["held"] for one in reports)
    written(OUT, {"command": command, "attacks": reports, "held": held, **provenance()})
    print(f"{sum(one['held'] for one in reports)} of {len(reports)} attacks held; see {OUT}")
    return 0 if all(one["held"] for one in reports) else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="attacks whose name has this")
    sys.exit(trio.run(main, parser.parse_args().only))
