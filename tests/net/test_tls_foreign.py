"""TLS with peers we did not write: the standard library's ssl under trio.SSLStream, and the openssl program."""

import ssl
from functools import partial

import pytest
import trio
from trio.testing import memory_stream_pair

from gateway.net.tls import client_context, server_context, verify_peer
from gateway.net.tls_stream import TlsError, TlsStream
from tests.fakes.papers import BANK, Papers
from tests.fakes.programs import find, free_port, running

VERSIONS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
PAYLOAD = bytes(range(256)) * 1_000


def stdlib_context(papers: Papers, side: ssl.Purpose, version: ssl.TLSVersion) -> ssl.SSLContext:
    context = ssl.create_default_context(side, cafile=str(papers.authority.path))
    pair = papers.client if side is ssl.Purpose.SERVER_AUTH else papers.server
    context.load_cert_chain(*map(str, pair))
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["h2"])
    return context


async def echo(stream: trio.abc.Stream, size: int) -> None:
    received = bytearray()
    while len(received) < size:
        received += await stream.receive_some()
    await stream.send_all(received)
    await stream.aclose()


async def ask(stream: trio.abc.Stream) -> None:
    await stream.send_all(PAYLOAD)
    received = bytearray()
    while chunk := await stream.receive_some():
        received += chunk
    assert received == PAYLOAD
    await stream.aclose()


@VERSIONS
async def test_stdlib_server(papers: Papers, version: ssl.TLSVersion) -> None:
    """As a client we speak with the standard library's server, up to its close_notify."""
    ours, theirs = memory_stream_pair()
    client = TlsStream(ours, client_context(papers.client_files()), server_side=False, server_hostname=BANK)
    server = trio.SSLStream(theirs, stdlib_context(papers, ssl.Purpose.CLIENT_AUTH, version), server_side=True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(echo, server, len(PAYLOAD))
        await client.do_handshake()
        verify_peer(client, BANK)
        assert client.version.replace(".", "_") == version.name
        await ask(client)
    assert client.close_notify_seen


@VERSIONS
async def test_stdlib_client(papers: Papers, version: ssl.TLSVersion) -> None:
    """As a server we speak with the standard library's client, and it finds our close_notify in order."""
    ours, theirs = memory_stream_pair()
    server = TlsStream(ours, server_context(papers.server_files()), server_side=True)
    client = trio.SSLStream(theirs, stdlib_context(papers, ssl.Purpose.SERVER_AUTH, version), server_hostname=BANK)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(echo, server, len(PAYLOAD))
        await ask(client)
    assert server.selected_alpn == "h2"


@VERSIONS
async def test_stdlib_server_refuses_a_stranger(papers: Papers, version: ssl.TLSVersion) -> None:
    """In TLS 1.2 a stranger's handshake fails, in TLS 1.3 its first read does; both are known as a refusal."""
    ours, theirs = memory_stream_pair()
    client = TlsStream(ours, client_context(papers.client_files(papers.stranger)), server_side=False)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = stdlib_context(papers, ssl.Purpose.CLIENT_AUTH, version)
    server = context.wrap_bio(incoming, outgoing, server_side=True)  # trio.SSLStream would keep its alert to itself

    async def refuse() -> None:
        for _ in range(10):
            incoming.write(await theirs.receive_some())
            try:
                server.do_handshake()
            except ssl.SSLWantReadError:
                await theirs.send_all(outgoing.read())
            except ssl.SSLError:
                await theirs.send_all(outgoing.read())
                return
        raise AssertionError("a stranger was let in")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(refuse)
        with pytest.raises(TlsError, match="unknown_ca"):
            await client.receive_some()
    assert client.client_certificate_refused


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_old_versions_are_refused(papers: Papers) -> None:
    """TLS 1.1 is spoken with nobody."""
    ours, theirs = memory_stream_pair()
    server = TlsStream(ours, server_context(papers.server_files()), server_side=True)
    context = ssl.create_default_context(cafile=str(papers.authority.path))
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    client = trio.SSLStream(theirs, context, server_hostname=BANK)

    async def try_() -> None:
        with pytest.raises(trio.BrokenResourceError):
            await client.do_handshake()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(try_)
        with pytest.raises(TlsError, match=r"unsupported protocol|too old|version"):
            await server.do_handshake()


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
async def test_openssl_s_client(papers: Papers, version: str) -> None:
    """OpenSSL's own client, with our certificate for it, is served over a real socket."""
    program = find("openssl", "openssl")
    served: list[TlsStream] = []

    async def serve(transport: trio.SocketStream) -> None:
        stream = TlsStream(transport, server_context(papers.server_files()), server_side=True)
        await stream.send_all(b"hello from causeway\n")
        served.append(stream)
        await stream.aclose()

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        port = listeners[0].socket.getsockname()[1]
        command = [program, "s_client", "-connect", f"127.0.0.1:{port}", "-quiet", "-alpn", "h2", version]
        command += ["-cert", str(papers.client[0]), "-key", str(papers.client[1]), "-servername", BANK]
        command += ["-CAfile", str(papers.authority.path), "-verify_return_error", "-verify_hostname", BANK]
        async with running(command, b"hello from causeway"):
            pass
        nursery.cancel_scope.cancel()
    assert served[0].peer_certificate is not None


async def test_openssl_s_server_key_update(papers: Papers) -> None:
    """A key update in the middle of the data (s_server's command "K") is answered and nothing is lost."""
    port = free_port()
    unbuffered = [find("stdbuf", "coreutils"), "-o0", find("openssl", "openssl")]
    command = [*unbuffered, "s_server", "-accept", f"127.0.0.1:{port}", "-alpn", "h2", "-tls1_3"]
    command += ["-cert", str(papers.server[0]), "-key", str(papers.server[1]), "-CAfile", str(papers.authority.path)]
    async with running([*command, "-Verify", "1", "-verify_return_error"], b"ACCEPT") as program:
        transport = await trio.open_tcp_stream("127.0.0.1", port)
        stream = TlsStream(transport, client_context(papers.client_files()), server_side=False, server_hostname=BANK)
        with trio.fail_after(10):
            await stream.send_all(b"hello\n")
            await program.until(b"hello")
            await program.tell(b"K\n")
            await program.until(b"SSL_do_handshake")
            await program.tell(b"after\n")
            assert await _receive_until(stream, b"after\n")
            await stream.send_all(b"and we too\n")
            await program.until(b"and we too")
        await stream.aclose()


async def _receive_until(stream: trio.abc.ReceiveStream, end: bytes) -> bytes:
    received = bytearray()
    while not received.endswith(end):
        received += await stream.receive_some()
    return bytes(received)
