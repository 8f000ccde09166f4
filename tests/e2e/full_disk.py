"""Scenarios on a disk that is really full: a small tmpfs, mounted where nobody else sees it.

`unshare --mount` gives the scenario's process a mount namespace of its own; what it mounts vanishes with it. Each
scenario prints what it saw as one line of JSON; tests/e2e/test_full_disk.py judges it.
"""

import json
import logging
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

import grpc
import trio
import trio.testing

from causeway.v1 import payment_service_pb2
from gateway.cli.door import Stubs
from gateway.cli.house import verified
from gateway.cli.refusal import from_call
from gateway.demo.command import start_daemon
from gateway.store.environment import DataDirectoryUnusable
from gateway.store.restore import SUSPECT_PAGE, restore
from tests.campaign.copies import laid, restored
from tests.e2e.stage import House, instructions, payments_by_key, running_banks, watch_until_settled
from tests.fakes.clock import FakeClock

COMMAND_S_MAX: Final = 60.0
DISK: Final = "160m"
"""The daemon keeps 128 MiB of its disk for banks' words: an emptier one admits nothing."""
BLOCK: Final = bytes(1 << 20)
PAYMENTS: Final = 60
SEVERAL_PAGES: Final = 3 * SUSPECT_PAGE
WAITS: Final = 2  # times that a restore tries to write before somebody makes room


@cache
def missing() -> str:
    """Why no file system can be mounted here; empty where it can."""
    probe = [*NAMESPACE, "sh", "-c", "mount -t tmpfs -o size=1m tmpfs /mnt"]
    try:
        done = subprocess.run(probe, capture_output=True, text=True, timeout=COMMAND_S_MAX)
    except FileNotFoundError:
        return "unshare is not installed (util-linux)"
    return "" if done.returncode == 0 else f"a tmpfs may not be mounted here (root?): {done.stderr.strip()[:200]}"


NAMESPACE: Final = ("unshare", "--mount", "--propagation", "private", "--")


def played(scenario: str, root: Path) -> dict[str, Any]:
    """What the scenario saw, in a namespace of its own. To be called from outside of one."""
    command = [*NAMESPACE, sys.executable, "-m", "tests.e2e.full_disk", scenario, str(root)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=5 * COMMAND_S_MAX)
    assert done.returncode == 0, done.stderr[-3_000:]
    seen: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return seen


def mounted(place: Path, size: str) -> None:
    place.mkdir(mode=0o700, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(place)], check=True)


def filled(place: Path) -> Path:
    """Takes the last byte. Returns the file to delete when there is to be room again."""
    ballast = place / "ballast"
    with ballast.open("ab", buffering=0) as out:
        for block in (BLOCK, BLOCK[:4096]):
            with suppress(OSError):  # of the full disk that is wanted
                while out.write(block):
                    pass
    return ballast


def causeway(*words: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "gateway", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_S_MAX)
    return {"exit": done.returncode, "said": done.stdout + done.stderr}


# ---------------------------------------------------------------- the daemon at work


def daemon(root: Path) -> dict[str, Any]:
    """Fills the disk under a daemon with payments on the way, kills and starts it there, makes room again."""
    with running_banks(root) as banks:
        data = banks.folder.data
        mounted(data, DISK)
        house = House(banks.folder, banks.children, banks.control_ports, start_daemon(banks.folder, banks.children))
        orders = instructions(PAYMENTS, "full")
        with house.stubs() as stubs:
            acked = submitted(stubs, orders[:-1])
            ballast = filled(data)
            refusal = refused(stubs, orders[-1])
        house.kill_daemon()
        house.start_daemon()
        with house.stubs() as stubs:
            again = refused(stubs, orders[-1])
            ballast.unlink()
            acked |= submitted(stubs, orders[-1:])
            unsettled = watch_until_settled(stubs, set(acked.values()))
            payments = payments_by_key(stubs, [order.idempotency_key for order in orders])
        return {
            "acked": len(acked),
            "refusals": [refusal, again],
            "unsettled": len(unsettled),
            "complaints": house.judge(payments).complaints,
            "log": banks.folder.log("causeway").read_text(),
            "verified": asdict(verified(data)),
        }


def submitted(stubs: Stubs, orders: list[Any]) -> dict[str, str]:
    """Key → id of what was acknowledged."""
    requests = (payment_service_pb2.SubmitPaymentsRequest(instruction=order) for order in orders)
    answers = stubs.payments.SubmitPayments(requests, timeout=COMMAND_S_MAX)
    return {answer.idempotency_key: answer.payment_id for answer in answers if answer.payment_id}


def refused(stubs: Stubs, order: Any) -> dict[str, Any]:
    try:
        stubs.payments.SubmitPayment(payment_service_pb2.SubmitPaymentRequest(instruction=order), timeout=20)
    except grpc.RpcError as error:
        refusal = from_call(error)
        return {"code": refusal.code, "reason": refusal.reason, "retry_after_s": refusal.retry_after_s}
    return {"code": "OK"}


# ---------------------------------------------------------------- backup and restore


def backed_up(root: Path) -> dict[str, Any]:
    """A backup onto a disk too small for it, then onto the same disk with room."""
    desk = laid(root)
    small = root / "small"
    mounted(small, "128k")
    first = causeway("backup", str(desk.source), str(small / "kept"))
    left = sorted(each.name for each in small.iterdir())
    subprocess.run(["mount", "-o", "remount,size=64m", str(small)], check=True)
    second = causeway("backup", str(desk.source), str(small / "kept"))
    return {"first": first, "left": left, "second": second, "whole": verified(small / "kept").whole}


def given_back(root: Path, step: str) -> dict[str, Any]:
    """A restore whose disk is filled to the last byte when it has come to `step`, and given again with room."""
    desk, data, ballast = laid(root), root / "small" / "data", list[Path]()
    mounted(data.parent, "80m")

    def told(now: str, _: int) -> None:
        if now == step and not ballast:
            ballast.append(filled(data.parent))

    failure = ""
    try:
        trio.run(partial(restore, desk.kept, data, clock=FakeClock(), actor="os:ada", told=told))
    except (OSError, DataDirectoryUnusable) as error:
        failure = f"{type(error).__name__}: {error}"
    left = sorted(each.name for each in data.iterdir())
    ballast[0].unlink()
    return {"failure": failure, "left": left, "suspected": restored(desk.kept, data), "whole": verified(data).whole}


def waited_for(root: Path) -> dict[str, Any]:
    """A restore whose disk is filled while it puts payments aside: it waits, says so, and goes on with room."""
    desk, data, ballast = laid(root, SEVERAL_PAGES), root / "small" / "data", list[Path]()
    mounted(data.parent, "80m")

    def told(now: str, _: int) -> None:
        if now == "suspect" and not ballast:
            ballast.append(filled(data.parent))

    room = MakesRoom(ballast)
    logging.getLogger("gateway.store.store").addHandler(room)
    soon = trio.testing.MockClock(autojump_threshold=0.1)
    restoring = partial(restore, desk.kept, data, clock=FakeClock(), actor="os:ada", told=told)
    done = trio.run(restoring, clock=soon)
    return {"waits": room.told, "suspected": done.suspected, "whole": verified(data).whole}


class MakesRoom(logging.Handler):
    """An operator who reads the log."""

    def __init__(self, ballast: list[Path]) -> None:
        super().__init__()
        self.told = 0
        self._ballast = ballast

    def emit(self, record: logging.LogRecord) -> None:
        self.told += "make room" in record.getMessage()
        if self.told == WAITS:
            self._ballast[0].unlink()


SCENARIOS: Final[dict[str, Callable[[Path], dict[str, Any]]]] = {
    "daemon": daemon,
    "backup": backed_up,
    "restore-copy": partial(given_back, step="copy"),
    "restore-verify": partial(given_back, step="verify"),
    "restore-suspect": waited_for,
}


if __name__ == "__main__":
    print(json.dumps(SCENARIOS[sys.argv[1]](Path(sys.argv[2]))))
