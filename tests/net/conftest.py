"""One authority and a pair of contexts for all tests of TLS."""

from collections.abc import Callable

import pytest
import trio
from trio.testing import memory_stream_pair

from gateway.net.tls import TlsClientFiles, TlsServerFiles, client_context, server_context
from gateway.net.tls_stream import TlsStream
from tests.fakes.papers import BANK, Papers


@pytest.fixture(scope="session")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return Papers(tmp_path_factory.mktemp("papers"))


Pair = tuple[TlsStream, TlsStream]


@pytest.fixture
def make_pair(papers: Papers) -> Callable[..., Pair]:
    """Both ends, ours, over a memory wire, before the handshake."""

    def make(client: TlsClientFiles | None = None, server: TlsServerFiles | None = None) -> Pair:
        ours, theirs = memory_stream_pair()
        return (
            TlsStream(ours, client_context(client or papers.client_files()), server_side=False, server_hostname=BANK),
            TlsStream(theirs, server_context(server or papers.server_files()), server_side=True),
        )

    return make


async def shake(*ends: TlsStream) -> None:
    async with trio.open_nursery() as nursery:
        for end in ends:
            nursery.start_soon(end.do_handshake)
