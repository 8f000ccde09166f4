"""A bank in this process, on real sockets with real TLS."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trio

from loadtest.bank import BankConfig, Ports, SimBank
from tests.loadtest import certificates
from tests.loadtest.certificates import Papers
from tests.loadtest.raw_client import RawClient, connect


@dataclass
class Open:
    """A running bank and a connected client."""

    bank: SimBank
    ports: Ports
    client: RawClient
    papers: Papers


Opener = Callable[..., Awaitable[Open]]


@pytest.fixture(scope="session")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return certificates.make(tmp_path_factory.mktemp("papers"))


@pytest.fixture(scope="session")
def data() -> Path:
    """The shared schemas and samples; tests that need them skip where they are absent."""
    told = os.environ.get("CAUSEWAY_TEST_DATA")
    folder = Path(told) if told else Path(__file__).resolve().parents[2].parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no test data: set CAUSEWAY_TEST_DATA")
    return folder


def config(papers: Papers, ledger: Path, **rest: Any) -> BankConfig:
    return BankConfig(ledger, papers.bank_certificate, papers.bank_key, papers.authority, **rest)


@pytest.fixture
async def open_bank(papers: Papers, tmp_path: Path, nursery: trio.Nursery) -> AsyncIterator[Opener]:
    """Starts a bank with the given configuration and connects a client by HTTP/2."""
    async with AsyncExitStack() as opened:

        async def start(**rest: Any) -> Open:
            bank = SimBank(config(papers, tmp_path / "ledger", **rest))
            ports = await nursery.start(bank.serve)
            client = await opened.enter_async_context(connect(ports.port, papers))
            return Open(bank, ports, client, papers)

        yield start
