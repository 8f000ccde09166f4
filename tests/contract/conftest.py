"""The stores that the contract is held against."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.core.ports import Store
from gateway.store.store import LmdbStore
from tests.fakes.clock import FakeClock
from tests.fakes.memory_store import MemoryStore


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=["memory", "lmdb"])
async def store(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> AsyncIterator[Store]:
    if request.param == "memory":
        yield MemoryStore(clock)
    else:
        async with LmdbStore(tmp_path / "data", clock=clock, map_bytes_initial=1 << 20) as lmdb_store:
            yield lmdb_store
