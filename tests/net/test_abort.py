"""Claims about ending a connection whose answers nobody waits for any more. Real sockets: it is about the kernel."""

import pytest
import trio

from gateway.net.tls import client_context, server_context
from gateway.net.tls_stream import TlsStream
from tests.fakes.papers import BANK, Papers
from tests.net.conftest import shake


@pytest.mark.parametrize("aborted", [True, False])
async def test_an_aborted_connection_takes_back_what_was_not_delivered(papers: Papers, aborted: bool) -> None:
    """A bank that reads nothing, with megabytes of ours on the way: after an abort it gets a reset and not the rest;
    after a mere close the kernel goes on delivering, for as long as the bank may take to come back."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener, trio.open_nursery() as nursery:
        transport = await trio.testing.open_stream_to_socket_listener(listener)
        far = await listener.accept()
        ours = TlsStream(transport, client_context(papers.client_files()), server_side=False, server_hostname=BANK)
        theirs = TlsStream(far, server_context(papers.server_files()), server_side=True)
        await shake(ours, theirs)
        sent = 8 * 1024 * 1024
        with trio.move_on_after(0.5):  # more than the kernel takes: the rest never leaves us
            await ours.send_all(bytes(sent))
        if aborted:
            ours.abort()
        await ours.aclose()
        nursery.cancel_scope.deadline = trio.current_time() + 20
        ended = await _read_all(far)
    assert ended == ("reset" if aborted else "end")


async def _read_all(stream: trio.SocketStream) -> str:
    try:
        while await stream.receive_some(65536):
            pass
    except trio.BrokenResourceError:
        return "reset"
    return "end"
