"""The fixed workload of the disk matrix: a store as the daemon uses it, with every acknowledgement printed.

Usage: python -m tests.campaign.disk_workload DIRECTORY. Lines on standard output, one write each: `open`, `ack ID
VERSION` after a write returned, `shed` when the store had no room, `end`. As the daemon does, it exits with 1 when the
store has latched, and at once. Two runs write the same bytes in the same calls. The fake clock jumps over the store's
patience; its thread and the disk are real.
"""

import hashlib
import os
import sys
from pathlib import Path
from typing import Final

import trio
from trio.testing import MockClock

from gateway.core import happenings
from gateway.core.errors import Overloaded, StoreFailed
from gateway.core.payment import Payment, new_id
from gateway.core.ports import Admission, Step
from gateway.core.reasons import Reason
from gateway.store.store import LmdbStore
from tests.fakes.admissions import mark, queued
from tests.fakes.clock import START_NS, FakeClock

BATCHES: Final = 8
BATCH_PAYMENTS: Final = 3
TRIES_MAX: Final = 3
MAP_BYTES: Final = 1 << 18  # grows twice on the way
FAILED: Final = 1


def tell(line: str) -> None:
    os.write(1, f"{line}\n".encode())


def admission(key: str) -> Admission:
    return queued(key, now_ns=START_NS, id=new_id(START_NS, hashlib.sha256(key.encode()).digest()[:10]))


async def admitted(store: LmdbStore, batch: int) -> list[Payment]:
    """As a client would: what is shed comes again with the same keys."""
    for _ in range(TRIES_MAX):
        try:
            answers = await store.admit([admission(f"{batch}-{n}") for n in range(BATCH_PAYMENTS)])
        except Overloaded:
            tell("shed")
            continue
        for answer in answers:
            tell(f"ack {answer.payment.id.hex()} {answer.payment.version}")
        return [answer.payment for answer in answers]
    raise AssertionError("shed too often: one failed call must not keep the store from working")


async def stepped(store: LmdbStore, steps: list[Step]) -> None:
    for answer in await store.take(steps):
        assert answer.payment is not None
        tell(f"ack {answer.payment.id.hex()} {answer.payment.version}")


async def work(store: LmdbStore) -> None:
    for batch in range(BATCHES):
        payments = await admitted(store, batch)
        await stepped(store, [Step(payment.id, happening=mark(payment)) for payment in payments])
        doubt = happenings.doubted(Reason.REPLY_LOST, START_NS, evidence=f"{batch} ".encode() * 1500)
        await stepped(store, [Step(payments[0].id, happening=doubt)])


async def main(path: Path) -> int:
    async with LmdbStore(path, clock=FakeClock(), map_bytes_initial=MAP_BYTES) as store:
        tell("open")
        try:
            await work(store)
        except StoreFailed:
            os._exit(FAILED)  # nothing after a latch may hold up the exit, as in the daemon
        tell("end")
    return 0


if __name__ == "__main__":
    sys.exit(trio.run(main, Path(sys.argv[1]), clock=MockClock(autojump_threshold=0)))
