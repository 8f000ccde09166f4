"""A program that the crash tests kill: writes payments as fast as it can and prints what was acknowledged.

Usage: python -m tests.store.writing DIRECTORY SEED
"""

import os
import sys

import trio

from gateway.core import happenings
from gateway.core.ports import Step
from gateway.core.reasons import Reason
from gateway.store.store import LmdbStore
from tests.fakes.admissions import mark, queued
from tests.fakes.clock import START_NS, FakeClock

WORKERS = 8
BATCHES_MAX = 20_000  # about a minute: whoever forgets to kill us does not fill the disk


def tell(line: str) -> None:
    """One write per line: what is printed was acknowledged, and lines do not mix."""
    os.write(1, f"{line}\n".encode())


async def work(store: LmdbStore, name: str) -> None:
    for n in range(BATCHES_MAX // WORKERS):
        admissions = [queued(f"{name}-{n}-{m}", now_ns=START_NS) for m in range(1 + n % 7)]
        payments = [answer.payment for answer in await store.admit(admissions)]
        for payment in payments:
            tell(f"{payment.id.hex()} {payment.version}")
        steps = [Step(payment.id, happening=mark(payment)) for payment in payments]
        if n % 2:
            steps += [Step(payment.id, happening=happenings.doubted(Reason.REPLY_LOST, 1)) for payment in payments]
        for stepped in await store.take(steps):
            assert stepped.taken
            assert stepped.payment is not None
            tell(f"{stepped.payment.id.hex()} {stepped.payment.version}")


async def main(path: str, seed: str) -> None:
    store = LmdbStore(path, clock=FakeClock(), map_bytes_initial=1 << 18)
    async with store, trio.open_nursery() as nursery:
        tell("open")
        for worker in range(WORKERS):
            nursery.start_soon(work, store, f"{seed}-{worker}")


if __name__ == "__main__":
    trio.run(main, *sys.argv[1:])
