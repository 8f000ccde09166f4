"""How long a restart takes with a full store: `python -m tests.campaign.restart --payments 1000000`. A benchmark.

Fills a data directory offline, then starts the daemon over it as after a crash and times the start of the process to
its ready line, and to its first acknowledgement: with the file out of the page cache, and warm. Recovery reads the
index of what is SENDING, never the store: its time grows with --sending, which in life is bounded by what the lanes
have in flight, and hardly with --payments. The filled store is kept for the next run with the same figures.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, Final

import trio

from causeway.v1 import payment_service_pb2
from gateway.clock import SystemClock
from gateway.core import happenings
from gateway.core.happenings import Happening
from gateway.core.ports import Admission
from gateway.core.reasons import Reason
from gateway.core.states import Kind
from gateway.demo.command import start_daemon
from gateway.limits import COMMIT_PAYMENTS_MAX
from gateway.store.environment import DATA_FILE
from gateway.store.store import LmdbStore
from tests.campaign.report import BUILD, provenance, written
from tests.e2e.stage import Banks, House, instructions, running_banks
from tests.fakes.admissions import mark, queued

PROGRESS_EVERY: Final = 50_000
STARTS: Final = 3  # of each kind; the median counts
DAY_NS: Final = 86_400 * 1_000_000_000
READY_S_PROMISED: Final = 5.0
BANKS: Final = ("northbank", "alpenbank")


def open_payments(count: int, sending: int, now_ns: int) -> Iterator[Admission]:
    """`count` payments of the last day, none of which has ended: 1 % IN_DOUBT, half of the others ACCEPTED, the rest
    QUEUED; the last `sending` are SENDING, as a crash leaves them."""
    for number in range(count):
        moment = now_ns - DAY_NS + number * (DAY_NS // count)
        admission = queued(f"open-{number}", now_ns=moment, bank=BANKS[number % 2])
        yield replace(admission, then=(*admission.then, *_life(number, admission, now_ns, count - sending)))


def _life(number: int, admission: Admission, now_ns: int, settled_places: int) -> tuple[Happening, ...]:
    marked = mark(admission.payment, admission.payment.received_at_ns)
    tomorrow_ns = now_ns + DAY_NS
    if number >= settled_places:
        return (marked,)
    if number % 100 == 0:
        return (marked, happenings.doubted(Reason.REPLY_TIMEOUT, tomorrow_ns))
    if number % 2:
        return (marked, Happening(Kind.ACCEPTED, bank_status="ACSP", inquire_at_ns=tomorrow_ns))
    return ()


async def fill(data: Path, count: int, sending: int) -> float:
    """Returns the seconds it took."""
    began, clock = time.monotonic(), SystemClock()
    admissions = open_payments(count, sending, clock.now_ns())
    async with LmdbStore(data, clock=clock, map_bytes_initial=1 << 30) as store:
        done = 0
        while batch := list(islice(admissions, COMMIT_PAYMENTS_MAX)):
            await store.admit(batch)
            done += len(batch)
            if done % PROGRESS_EVERY < COMMIT_PAYMENTS_MAX:
                print(f"  {done:,} of {count:,}, {done / (time.monotonic() - began):,.0f}/s", flush=True)
    return time.monotonic() - began


def forget_pages(file: Path) -> None:
    """Takes the file out of the page cache, as far as the system lets us: a start after a reboot."""
    with file.open("rb") as opened:
        os.fsync(opened.fileno())
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def timed_start(banks: Banks) -> dict[str, float]:
    """One start, one acknowledged payment, kill -9."""
    log = banks.folder.log("causeway")
    before = log.stat().st_size if log.exists() else 0
    began = time.monotonic()
    daemon = start_daemon(banks.folder, banks.children)
    ready_s = time.monotonic() - began
    house = House(banks.folder, banks.children, banks.control_ports, daemon)
    with house.stubs() as stubs:
        [order] = instructions(1, f"probe-{time.time_ns()}")
        stubs.payments.SubmitPayment(payment_service_pb2.SubmitPaymentRequest(instruction=order), timeout=60)
    acked_s = time.monotonic() - began
    memory = Path(f"/proc/{daemon.process.pid}/status").read_text()
    house.kill_daemon()
    resident_kib = int(memory.partition("VmRSS:")[2].split()[0])
    return {
        "ready_s": round(ready_s, 2),
        "first_ack_s": round(acked_s, 2),
        "recovered": _recovered(log, before),
        "resident_mib": resident_kib // 1024,
    }


def _recovered(log: Path, offset: int) -> int:
    """What the daemon's log says of this start: SENDING payments that it put in doubt."""
    with log.open("rb") as opened:
        opened.seek(offset)
        for line in opened:
            if b'"recovered"' in line:
                return int(json.loads(line)["count"])
    return -1


def measured(banks: Banks, data: Path) -> Iterator[tuple[str, dict[str, float]]]:
    yield "after the crash, cold", _cold(banks, data)
    for _ in range(STARTS):
        yield "cold", _cold(banks, data)
    for _ in range(STARTS):
        yield "warm", timed_start(banks)


def _cold(banks: Banks, data: Path) -> dict[str, float]:
    forget_pages(data / DATA_FILE)
    return timed_start(banks)


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.campaign.restart", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--payments", type=int, default=1_000_000)
    parser.add_argument("--sending", type=int, default=1_000, help="of them SENDING (default: 1000)")
    chosen = parser.parse_args()
    if not 0 <= chosen.sending <= chosen.payments:
        parser.error("--sending: at most --payments")
    kept = BUILD / f"store-{chosen.payments}-{chosen.sending}"
    fill_s = 0.0
    if not (kept / "filled").exists():
        shutil.rmtree(kept, ignore_errors=True)
        fill_s = trio.run(fill, kept, chosen.payments, chosen.sending)
        (kept / "filled").touch()
    document: dict[str, Any] = {"payments": chosen.payments, "sending": chosen.sending, "fill_s": round(fill_s, 1)}
    document["store_bytes"] = (kept / DATA_FILE).stat().st_size
    starts: dict[str, list[dict[str, float]]] = {}
    with running_banks(BUILD / "restart-house") as banks:
        shutil.copytree(kept, banks.folder.data)
        for kind, start in measured(banks, banks.folder.data):
            print(f"  {kind}: {start}", flush=True)
            starts.setdefault(kind, []).append(start)
    shutil.rmtree(BUILD / "restart-house")
    document["starts"] = starts
    for kind, each in starts.items():
        document[f"ready_s {kind}"] = statistics.median(start["ready_s"] for start in each)
    worst = max(start["ready_s"] for each in starts.values() for start in each)
    document |= {"ready_s_max": worst, "promise_kept": worst <= READY_S_PROMISED, **provenance()}
    written(BUILD / f"restart-{chosen.payments}.json", document)
    print(json.dumps(document, indent=1))
    return 0 if document["promise_kept"] else 1


if __name__ == "__main__":
    sys.exit(main())
