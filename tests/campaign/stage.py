"""The daemon's real edge over a store in memory, for attackers and bystanders on loopback.

`python -m tests.campaign.stage FOLDER [steps]` serves it in a process of its own, until its input ends; with `steps` it
then prints what tests.campaign.long_steps saw.
"""

import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import trio

from gateway.config import Config, GrpcSettings, Listen, PlaintextListener, PrincipalConfig, StoreSettings, TlsListen
from gateway.core.payment import text_id
from gateway.daemon import SWITCH_S, settle_memory
from gateway.events.feed import Feed
from gateway.events.watch import watch
from gateway.house import House
from gateway.ingress.edge import Edge
from gateway.telemetry.trail import NullTrail
from tests.campaign.long_steps import LongSteps
from tests.fakes.certificates import Authority
from tests.fakes.house import house, queue

PAYMENTS: Final = 1_000  # in the store: a page of them is about half a megabyte
TENANT: Final = "probes"
PAGE_BYTES: Final = os.sysconf("SC_PAGESIZE")


def configured(folder: Path, **grpc: Any) -> Config:
    """Mutual TLS and plaintext on ports of the system's choice; `grpc` replaces bounds of the edge."""
    authority = Authority(folder)
    certificate, key = authority.issue("server", dns=["localhost"], ips=["127.0.0.1"])
    tls = TlsListen(port=0, certificate_file=certificate, key_file=key, client_ca_file=authority.path)
    listen = Listen(tls=tls, plaintext=PlaintextListener(port=0, principal="probe"), reflection=True)
    return Config.model_construct(
        listen=listen,
        principals={"probe": PrincipalConfig(tenant=TENANT)},
        grpc=GrpcSettings(**grpc),
        store=StoreSettings(),
        data_dir=folder,
        banks={},
    )


@asynccontextmanager
async def staged(folder: Path, of: House | None = None, **grpc: Any) -> AsyncIterator[tuple[Edge, str]]:
    """The edge, serving, and the id of a payment that a bystander may ask for."""
    gate = of or replace(house(), trail=NullTrail())  # the trail of other tests remembers every call
    known = await queue(gate, *range(PAYMENTS), tenant=TENANT)
    edge = Edge(configured(folder, **grpc), gate, partial(watch, Feed(gate.store)), lambda _: "CLOSED")
    await edge.open()
    async with trio.open_nursery() as nursery:
        await nursery.start(edge.serve)
        yield edge, text_id(known[0].id)
        nursery.cancel_scope.cancel()


def resident_bytes(pid: int | str = "self") -> int:
    """Memory a process holds now."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * PAGE_BYTES


async def main(folder: Path) -> None:
    async with staged(folder) as (edge, known):
        settle_memory()  # as the daemon does: a collection of what was imported, some 40 ms, is not a caller's doing
        print(json.dumps({**edge.addresses, "known": known, "pid": os.getpid()}), flush=True)
        await trio.to_thread.run_sync(sys.stdin.read, abandon_on_cancel=True)


if __name__ == "__main__":
    sys.setswitchinterval(SWITCH_S)
    if sys.argv[2:] == ["steps"]:
        long_steps = LongSteps()
        trio.run(main, Path(sys.argv[1]), instruments=[long_steps])
        print(json.dumps(long_steps.report()), flush=True)
    else:
        trio.run(main, Path(sys.argv[1]))
