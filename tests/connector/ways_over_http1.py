"""Rows of the failure table that a bank makes over HTTP/1.1, and those of nginx in front of a bank."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from gateway.limits import ANSWER_BYTES_MAX
from loadtest.bank.wire import Wire
from tests.connector.failure_ways import SHORT_S, WAYS, Scene, Way, over_http1, scripted, way
from tests.connector.socket_bank import Asked, SocketPeer, raw_bank
from tests.fakes.programs import free_port, nginx

HTTP408 = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


def whole(asked: Asked) -> bytes:
    body = asked.report()
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


def until_closed(asked: Asked) -> bytes:
    return b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + asked.report()


async def serve(peer: SocketPeer) -> None:
    while True:
        await peer.wire.send_all(whole(await peer.asked1()))


async def _says(peer: SocketPeer, words: bytes, *, cut: bool = False, stay: bool = False) -> None:
    await peer.asked1()
    await peer.wire.send_all(words)
    if cut:
        await peer.wire.close("cut")
    if stay:
        await peer.stay()


# ------------------------------------------------------------ answered


@over_http1()
async def informational_http1(peer: SocketPeer) -> None:
    asked = await peer.asked1()
    await peer.wire.send_all(
        b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + whole(asked)
    )
    await peer.stay()


@over_http1()
async def close_delimited_notified(peer: SocketPeer) -> None:
    await peer.wire.send_all(until_closed(await peer.asked1()))


@over_http1()
async def length_complete_and_cut(peer: SocketPeer) -> None:
    await peer.wire.send_all(whole(await peer.asked1()))
    await peer.wire.close("cut")


async def _answers_and_408(peer: SocketPeer) -> None:
    await peer.wire.send_all(whole(await peer.asked1()) + HTTP408)
    await peer.stay()


async def _answers_twice(peer: SocketPeer) -> None:
    await peer.wire.send_all(2 * whole(await peer.asked1()))
    await peer.stay()


@over_http1(before=1)
async def http1_answer_late_twice(peer: SocketPeer) -> None:
    answer = whole(await peer.asked1())
    await peer.wire.send_all(answer)
    await _says(peer, answer)


# ------------------------------------------------------------ nobody can know


@over_http1()
async def http1_closed_before_answer(peer: SocketPeer) -> None:
    await peer.asked1()


@over_http1(before=1)
async def http1_idle_closed_as_we_write(peer: SocketPeer) -> None:
    """As the gateway sees it: its request has left, and then the connection's end comes without an answer."""
    await peer.wire.send_all(whole(await peer.asked1()))
    await peer.asked1()


@over_http1()
async def close_delimited_cut(peer: SocketPeer) -> None:
    await peer.wire.send_all(until_closed(await peer.asked1()))
    await peer.wire.close("cut")


@over_http1()
async def length_short_notified(peer: SocketPeer) -> None:
    await peer.wire.send_all(whole(await peer.asked1())[:-1])


@over_http1()
async def length_short_cut(peer: SocketPeer) -> None:
    await peer.wire.send_all(whole(await peer.asked1())[:-1])
    await peer.wire.close("cut")


async def _answers_too_much(peer: SocketPeer) -> None:
    await _says(peer, b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + bytes(ANSWER_BYTES_MAX + 1), stay=True)


WAYS.update(
    {
        "chunk_cut": scripted(
            "http/1.1", partial(_says, words=b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n50\r\n<Docu")
        ),
        "http1_half_header": scripted("http/1.1", partial(_says, words=b"HTTP/1.1 200 OK\r\nconte")),
        "http1_garbage": scripted("http/1.1", partial(_says, words=b"220 smtp.bank.example ESMTP\r\n\r\n", stay=True)),
        "http1_answer_too_large": scripted("http/1.1", _answers_too_much),
        "http1_switches_protocol": scripted(
            "http/1.1",
            partial(_says, words=b"HTTP/1.1 101 Switching Protocols\r\nupgrade: chess\r\n\r\n", stay=True),
        ),
        "http1_answer_twice": scripted("http/1.1", _answers_twice, also=serve, after=1),
        "unasked_408_on_idle": scripted("http/1.1", _answers_and_408, also=serve, before=1),
    }
)


async def _answers_once(peer: SocketPeer) -> None:
    await peer.wire.send_all(whole(await peer.asked1()))
    await peer.stay()


WAYS["http1_timeout_before_first_byte"] = scripted(
    "http/1.1", _answers_once, also=serve, deadline_s=SHORT_S, before=1, after=1
)


@over_http1(before=1)
async def status_408_crossing(peer: SocketPeer) -> None:
    """As the gateway sees it: its request has left on a connection that lay idle, and then the 408 comes."""
    await peer.wire.send_all(whole(await peer.asked1()))
    await _says(peer, HTTP408)


# ------------------------------------------------------------ nginx


@asynccontextmanager
async def behind_nginx(scene: Scene, location: str) -> AsyncIterator[Way]:
    certificate, key = scene.papers.server
    server = (
        f"ssl_certificate {certificate}; ssl_certificate_key {key};"
        f"ssl_client_certificate {scene.papers.authority.path}; ssl_verify_client on; location / {{ {location} }}"
    )
    async with nginx(scene.folder, server, http2=True) as port:
        yield Way(port)


@way
async def nginx_502(scene: Scene) -> AsyncIterator[Way]:
    async with behind_nginx(scene, f"proxy_pass http://127.0.0.1:{free_port()};") as each:
        yield each


@way
async def nginx_504(scene: Scene) -> AsyncIterator[Way]:
    async def silent(wire: Wire) -> None:
        while await wire.receive_some():
            pass

    async with raw_bank(silent) as bank:
        location = f"proxy_pass http://127.0.0.1:{bank.port}; proxy_read_timeout 300ms;"
        async with behind_nginx(scene, location) as each:
            yield each


@way
async def nginx_413(scene: Scene) -> AsyncIterator[Way]:
    async with behind_nginx(scene, "client_max_body_size 100; return 200;") as each:
        yield each
