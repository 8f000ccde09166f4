from collections.abc import AsyncIterator

import pytest
import trio

from tests.connector.bank import Bank
from tests.fakes.papers import Papers


@pytest.fixture(scope="session")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return Papers(tmp_path_factory.mktemp("papers"))


@pytest.fixture
async def bank(papers: Papers, nursery: trio.Nursery) -> AsyncIterator[Bank]:
    yield Bank(papers, nursery)
    nursery.cancel_scope.cancel()
