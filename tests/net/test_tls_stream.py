"""TLS over memory BIOs, both ends ours."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import trio
from OpenSSL import SSL
from trio.testing import (
    MemoryReceiveStream,
    MemorySendStream,
    check_two_way_stream,
    lockstep_stream_pair,
    memory_stream_pair,
    memory_stream_pump,
)

from gateway.net.tls import TlsServerFiles, client_context, server_context
from gateway.net.tls_stream import CLOSE_S_MAX, TlsError, TlsStream, TlsTruncated
from tests.fakes.certificates import Authority
from tests.fakes.papers import BANK, Papers
from tests.fills import fills
from tests.net.conftest import Pair, shake

Make = Callable[..., Pair]


async def test_is_a_stream_as_trio_means_it(papers: Papers, autojump_clock: trio.testing.MockClock) -> None:
    """trio's own suite for two-way streams finds no fault: conflicts, cancellation, closing, big and small pieces."""

    async def make() -> Pair:
        ours, theirs = memory_stream_pair()
        client = TlsStream(ours, client_context(papers.client_files()), server_side=False, server_hostname=BANK)
        server = TlsStream(theirs, server_context(papers.server_files()), server_side=True)
        await shake(client, server)
        return client, server

    async def make_clogged() -> Pair:
        ours, theirs = lockstep_stream_pair()
        client = TlsStream(ours, client_context(papers.client_files()), server_side=False, server_hostname=BANK)
        server = TlsStream(theirs, server_context(papers.server_files()), server_side=True)
        await shake(client, server)
        return client, server

    await check_two_way_stream(make, make_clogged)


async def test_both_learn_protocol_and_certificates(make_pair: Make) -> None:
    """After the handshake each end knows the agreed protocol and the other's certificate."""
    client, server = make_pair()
    assert client.selected_alpn == ""
    await shake(client, server)
    assert (client.selected_alpn, server.selected_alpn, client.version) == ("h2", "h2", "TLSv1.3")
    assert client.peer_certificate == server.own_certificate
    assert server.peer_certificate == client.own_certificate


async def test_megabytes_cross_both_ways_at_once(make_pair: Make) -> None:
    """A send larger than many records arrives whole while as much comes the other way."""
    client, server = make_pair()
    payload = bytes(range(256)) * 8_000  # 2 MB

    async def receive(end: TlsStream) -> None:
        got = bytearray()
        while len(got) < len(payload):
            got += await end.receive_some()
        assert got == payload

    async with trio.open_nursery() as nursery:
        for end in (client, server):
            nursery.start_soon(end.send_all, payload)
            nursery.start_soon(receive, end)


async def test_goodbye_is_told_from_a_cut(make_pair: Make) -> None:
    """close_notify gives b"", again and again; a bare end of the transport raises TlsTruncated, even after data."""
    client, server = make_pair()
    await shake(client, server)
    await server.send_all(b"part")
    await server.aclose()
    assert await client.receive_some() == b"part"
    assert await client.receive_some() == b""
    assert await client.receive_some() == b""
    assert client.close_notify_seen

    client, server = make_pair()
    await shake(client, server)
    await server.send_all(b"part")
    await server.transport.aclose()
    assert await client.receive_some() == b"part"
    with pytest.raises(TlsTruncated):
        await client.receive_some()
    assert not client.close_notify_seen


@pytest.mark.parametrize("who", ["stranger", "nobody"])
async def test_refused_certificate_is_a_proof_after_a_successful_send(papers: Papers, who: str) -> None:
    """In TLS 1.3 the client's handshake and send succeed before the refusal arrives; the alert is then a proof."""
    context = client_context(papers.client_files(papers.stranger))
    if who == "nobody":
        context = _without_certificate(papers)
    ours, theirs = memory_stream_pair()
    client = TlsStream(ours, context, server_side=False)
    server = TlsStream(theirs, server_context(papers.server_files()), server_side=True)

    async def serve() -> None:
        with pytest.raises(TlsError, match=r"not accepted|did not return a certificate"):
            await server.do_handshake()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        await client.do_handshake()
        await client.send_all(b"POST /payments")
        assert not client.client_certificate_refused
        with pytest.raises(TlsError, match="alert"):
            await client.receive_some()
    assert client.client_certificate_refused


async def test_alert_after_an_answer_is_no_proof(make_pair: Make) -> None:
    """Once the server has sent an application byte, no later alert proves that it processed nothing."""
    client, server = make_pair()
    await shake(client, server)
    await server.send_all(b"x")
    assert await client.receive_some() == b"x"
    client._notes.alert = 48
    assert not client.client_certificate_refused


async def test_alert_can_be_read_after_a_failed_send(papers: Papers) -> None:
    """When the server refuses and hangs up, the send fails, and the reason is still there to be received."""
    ours, theirs = memory_stream_pair()
    client = TlsStream(ours, client_context(papers.client_files(papers.stranger)), server_side=False)
    server = TlsStream(theirs, server_context(papers.server_files()), server_side=True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.do_handshake)
        with pytest.raises(TlsError):
            await server.do_handshake()
        await server.aclose()
    with pytest.raises(trio.BrokenResourceError):
        await client.send_all(b"POST /payments")
    with pytest.raises(trio.BrokenResourceError, match="earlier"):
        await client.send_all(b"again")
    with pytest.raises(TlsError, match="unknown_ca"):
        await client.receive_some()
    assert client.client_certificate_refused


async def test_cancelled_send_forbids_more(make_pair: Make) -> None:
    """After a cancelled send nothing more leaves, because half a record may be on the wire; receiving goes on."""
    client, server = make_pair()
    await shake(client, server)
    with trio.CancelScope() as scope:
        scope.cancel()
        await client._drive(lambda: client._encrypt(memoryview(b"lost"), 0))
    with pytest.raises(trio.BrokenResourceError):
        await client.send_all(b"more")
    await server.send_all(b"still here")
    assert await client.receive_some() == b"still here"


async def test_cancelled_receive_loses_nothing(make_pair: Make, autojump_clock: trio.testing.MockClock) -> None:
    """A receive that is cancelled while it waits takes nothing with it."""
    client, server = make_pair()
    await shake(client, server)
    with trio.move_on_after(1):
        await client.receive_some()
    await server.send_all(b"answer")
    assert await client.receive_some() == b"answer"


async def test_one_byte_at_a_time(papers: Papers) -> None:
    """The handshake and the data survive a transport that delivers single bytes."""
    ours, theirs = memory_stream_pair()
    client = TlsStream(ours, client_context(papers.client_files()), server_side=False, server_hostname=BANK)
    server = TlsStream(theirs, server_context(papers.server_files()), server_side=True)

    async def drip(source: MemorySendStream, sink: MemoryReceiveStream) -> None:
        while memory_stream_pump(source, sink, max_bytes=1):
            await trio.lowlevel.checkpoint()

    ours.send_stream.send_all_hook = partial(drip, ours.send_stream, theirs.receive_stream)
    theirs.send_stream.send_all_hook = partial(drip, theirs.send_stream, ours.receive_stream)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.send_all, b"hello")
        got = b""
        while len(got) < 5:
            got += await server.receive_some(1)
        assert got == b"hello"


async def test_garbage_instead_of_tls(papers: Papers) -> None:
    """A peer that does not speak TLS gives a TlsError, not a hang and not a success."""
    ours, theirs = memory_stream_pair()
    client = TlsStream(ours, client_context(papers.client_files()), server_side=False)
    await theirs.send_all(b"HTTP/1.0 400 Bad Request\r\n\r\n")
    with pytest.raises(TlsError):
        await client.do_handshake()


async def test_end_during_the_handshake(papers: Papers) -> None:
    """A transport that ends before the handshake gives TlsTruncated."""
    ours, theirs = memory_stream_pair()
    client = TlsStream(ours, client_context(papers.client_files()), server_side=False)
    await theirs.aclose()
    with pytest.raises((TlsTruncated, trio.BrokenResourceError)):
        await client.do_handshake()


@fills("CLOSE_S_MAX")
async def test_close_does_not_wait_for_a_peer_that_does_not_read(
    papers: Papers, autojump_clock: trio.testing.MockClock
) -> None:
    """aclose is bounded: a transport that takes nothing costs CLOSE_S_MAX and no more."""
    ours, theirs = memory_stream_pair()
    client = TlsStream(ours, client_context(papers.client_files()), server_side=False)
    server = TlsStream(theirs, server_context(papers.server_files()), server_side=True)
    await shake(client, server)
    ours.send_stream.send_all_hook = trio.sleep_forever
    began_s = trio.current_time()
    await client.aclose()
    assert trio.current_time() - began_s <= CLOSE_S_MAX


async def test_rotation_is_a_new_context(papers: Papers) -> None:
    """A context that has been used refuses to be changed, and a new one from the same files works beside it."""
    context = client_context(papers.client_files())
    ours, _theirs = memory_stream_pair()
    TlsStream(ours, context, server_side=False)
    with pytest.raises(Exception, match="used"):
        context.set_alpn_protos([b"h2"])
    assert client_context(papers.client_files()) is not context


def _without_certificate(papers: Papers) -> SSL.Context:
    context = SSL.Context(SSL.TLS_METHOD)
    context.load_verify_locations(str(papers.authority.path))
    context.set_verify(SSL.VERIFY_PEER)
    context.set_alpn_protos([b"h2"])
    return context


async def test_client_that_offers_only_other_protocols_is_refused(papers: Papers, make_pair: Make) -> None:
    """ALPN decides: a client that offers only what we do not speak gets a fatal alert (RFC 7301 section 3.2)."""
    ours, theirs = memory_stream_pair()
    client = TlsStream(ours, client_context(papers.client_files(), alpn=["spdy/1"]), server_side=False)
    server = TlsStream(theirs, server_context(papers.server_files()), server_side=True)
    async with trio.open_nursery() as nursery:

        async def connect() -> None:
            with pytest.raises(TlsError, match="alert 120"):
                await client.do_handshake()

        nursery.start_soon(connect)
        with pytest.raises(TlsError):
            await server.do_handshake()


async def test_revoked_client_is_refused(papers: Papers, tmp_path: Path, make_pair: Make) -> None:
    """A client certificate in the server's CRL is refused with certificate_revoked."""
    authority = Authority(tmp_path, "revoking")
    revoked = authority.issue("revoked", client=True)
    server = authority.issue("server", dns=[BANK])
    files = TlsServerFiles(*server, authority.path, authority.revoke(revoked[0]))
    client, bank = make_pair(papers.client_files(revoked, authority=authority.path), files)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.do_handshake)
        with pytest.raises(TlsError, match="revoked"):
            await bank.do_handshake()
    with pytest.raises(TlsError, match="certificate_revoked"):
        await client.receive_some()
