"""Rows of the failure table that end before a request is made into bytes, and the client certificate's in TLS 1.3."""

import dataclasses
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import h2.settings
import trio
from OpenSSL import SSL

from gateway.net.tls import TlsClientFiles, client_context
from loadtest.bank.wire import Wire
from tests.connector.failure_ways import SHORT_S, Scene, Way, over_h2, way, way_to
from tests.connector.socket_bank import Pair, SocketPeer, bank_tls, raw_bank, socket_bank
from tests.fakes.certificates import Authority
from tests.fakes.papers import BANK
from tests.fakes.programs import find, free_port, running

Ways = AsyncIterator[Way]


class NoNames(trio.abc.HostnameResolver):
    """What the system's resolver raises when there is no such name, without asking anybody."""

    def __init__(self, error: int) -> None:
        self._error = error

    async def getaddrinfo(self, *_: Any) -> Any:
        raise socket.gaierror(self._error, "as the resolver says it")

    async def getnameinfo(self, *_: Any) -> Any:
        raise NotImplementedError


async def takes(peer: SocketPeer) -> None:
    """A bank that would take every payment: whatever fails is not its HTTP."""
    await peer.greet()
    while True:
        await peer.answer(await peer.asked())


# ------------------------------------------------------------ no connection


@asynccontextmanager
async def _unresolved(error: int) -> Ways:
    before = trio.socket.set_custom_hostname_resolver(NoNames(error))
    try:
        yield Way(1, {"connect_host": "bank.invalid"})
    finally:
        trio.socket.set_custom_hostname_resolver(before)


@way
async def dns_no_such_name(_: Scene) -> Ways:
    async with _unresolved(socket.EAI_NONAME) as each:
        yield each


@way
async def dns_no_server(_: Scene) -> Ways:
    async with _unresolved(socket.EAI_AGAIN) as each:
        yield each


@way
async def dns_not_a_name(_: Scene) -> Ways:
    """The real resolver: a label of 64 characters is refused before any name server is asked."""
    yield Way(1, {"connect_host": "x" * 64 + ".invalid"})


@way
async def connection_refused(_: Scene) -> Ways:
    yield Way(free_port())


@way
async def connect_timeout(_: Scene) -> Ways:
    """A listener whose backlog is full: the kernel lets further connections wait."""
    with ExitStack() as opened:
        listener = opened.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _nth in range(3):
            waiting = opened.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield Way(listener.getsockname()[1], {"connect_timeout_s": SHORT_S})


# ------------------------------------------------------------ no session


@way
async def plain_text(_: Scene) -> Ways:
    async def script(wire: Wire) -> None:
        await wire.send_all(b"HTTP/1.1 400 plain HTTP only\r\n\r\n")
        await wire.receive_some()

    async with raw_bank(script) as bank:
        yield way_to(bank)


@way
async def handshake_closed(_: Scene) -> Ways:
    async def script(wire: Wire) -> None:
        await wire.receive_some()

    async with raw_bank(script) as bank:
        yield way_to(bank)


@way
async def handshake_reset(_: Scene) -> Ways:
    async def script(wire: Wire) -> None:
        await wire.receive_some()
        await wire.close("rst")

    async with raw_bank(script) as bank:
        yield way_to(bank)


@way
async def handshake_timeout(_: Scene) -> Ways:
    async def script(wire: Wire) -> None:
        while await wire.receive_some():
            pass

    async with raw_bank(script) as bank:
        yield way_to(bank, link={"handshake_timeout_s": SHORT_S})


@asynccontextmanager
async def _presenting(scene: Scene, pair: Pair, **files: Any) -> Ways:
    async with socket_bank(bank_tls(scene.papers, pair=pair), takes) as bank:
        ours = scene.papers.client_files(**files)
        yield way_to(bank, link={"tls_context": lambda: client_context(ours)})


@way
async def certificate_expired(scene: Scene) -> Ways:
    past = datetime.now(UTC) - timedelta(hours=1)
    pair = scene.papers.authority.issue("table-expired", dns=[BANK], not_after=past)
    async with _presenting(scene, pair) as each:
        yield each


@way
async def certificate_wrong_name(scene: Scene) -> Ways:
    pair = scene.papers.authority.issue("table-other", dns=["other.example"])
    async with _presenting(scene, pair) as each:
        yield each


@way
async def certificate_wrong_authority(scene: Scene) -> Ways:
    pair = Authority(scene.folder, "impostor").issue("table-impostor", dns=[BANK])
    async with _presenting(scene, pair) as each:
        yield each


@way
async def certificate_revoked(scene: Scene) -> Ways:
    authority = Authority(scene.folder)
    pair = authority.issue("table-revoked", dns=[BANK])
    crl = authority.revoke(pair[0])
    async with _presenting(scene, pair, authority=authority.path, revocations=crl) as each:
        yield each


@way
async def certificate_without_crl(scene: Scene) -> Ways:
    crl = Authority(scene.folder, "another").revoke()
    async with _presenting(scene, scene.papers.server, revocations=crl) as each:
        yield each


@way
async def our_files_bad(scene: Scene) -> Ways:
    key = scene.folder / "client.key"
    key.write_text("not a key")
    files = dataclasses.replace(scene.papers.client_files(), key=key)
    async with socket_bank(bank_tls(scene.papers), takes) as bank:
        yield way_to(bank, link={"tls_context": lambda: client_context(files)})


# ------------------------------------------------------------ our certificate


def _strangers(scene: Scene) -> dict[str, Any]:
    files: TlsClientFiles = scene.papers.client_files(scene.papers.stranger)
    return {"tls_context": lambda: client_context(files)}


@way
async def client_certificate_refused_tls12(scene: Scene) -> Ways:
    async with socket_bank(bank_tls(scene.papers, version=ssl.TLSVersion.TLSv1_2), takes) as bank:
        yield way_to(bank, link=_strangers(scene))


@way
async def client_certificate_refused_tls13_h2(scene: Scene) -> Ways:
    async with socket_bank(bank_tls(scene.papers), takes) as bank:
        yield way_to(bank, link=_strangers(scene))


@way
async def client_certificate_refused_tls13_http1(scene: Scene) -> Ways:
    async with socket_bank(bank_tls(scene.papers, alpn=("http/1.1",)), takes) as bank:
        yield way_to(bank, link=_strangers(scene))


@way
async def certificate_refused_but_reset(scene: Scene) -> Ways:
    """The bank refuses us and resets the connection; its alert stays in its buffers."""
    context = bank_tls(scene.papers, alpn=("http/1.1",))

    async def script(wire: Wire) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_side=True)
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                await wire.send_all(outgoing.read())
                incoming.write(await wire.receive_some())
            except ssl.SSLError:
                await wire.close("rst")
                return

    async with raw_bank(script) as bank:
        yield way_to(bank, link=_strangers(scene))


@way
async def s_server_refuses_certificate_tls12(scene: Scene) -> Ways:
    options = ["-tls1_2", "-alpn", "http/1.1", "-CAfile", str(scene.papers.authority.path)]
    async with _s_server(scene, [*options, "-Verify", "1", "-verify_return_error"]) as port:
        yield Way(port, _strangers(scene))


@way
async def nghttpd_refuses_certificate(scene: Scene) -> Ways:
    def bare() -> SSL.Context:
        context = SSL.Context(SSL.TLS_METHOD)
        context.load_verify_locations(str(scene.papers.authority.path))
        context.set_verify(SSL.VERIFY_PEER)
        context.set_alpn_protos([b"h2"])
        return context

    port = free_port()
    certificate, key = scene.papers.server
    command = [find("nghttpd", "nghttp2-server"), "-v", "-a", "127.0.0.1", "--verify-client", str(port)]
    async with running([*command, str(key), str(certificate)], b"listen"):
        yield Way(port, {"tls_context": bare})


# ------------------------------------------------------------ the protocol


@way
async def alpn_none(scene: Scene) -> Ways:
    async with socket_bank(bank_tls(scene.papers, alpn=()), takes) as bank:
        yield way_to(bank)


@way
async def alpn_refused(scene: Scene) -> Ways:
    async with _s_server(scene, ["-tls1_3", "-alpn", "spdy/1"]) as port:
        yield Way(port)


@over_h2(link={"handshake_timeout_s": 3 * SHORT_S})
async def greeting_missing(peer: SocketPeer) -> None:
    await peer.stay()


@over_h2()
async def greeting_http1(peer: SocketPeer) -> None:
    await peer.wire.send_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")


@over_h2()
async def greeting_goaway(peer: SocketPeer) -> None:
    await peer.greet(then=b"\x00\x00\x08\x07\x00\x00\x00\x00\x00" + bytes(8))
    await peer.stay()


@over_h2(deadline_s=SHORT_S)
async def no_streams_allowed(peer: SocketPeer) -> None:
    await peer.greet({h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 0})
    await peer.stay()


@asynccontextmanager
async def _s_server(scene: Scene, options: list[str]) -> AsyncIterator[int]:
    port = free_port()
    certificate, key = scene.papers.server
    command = [find("openssl", "openssl"), "s_server", "-accept", f"127.0.0.1:{port}", "-www", *options]
    async with running([*command, "-cert", str(certificate), "-key", str(key)], b"ACCEPT"):
        yield port
