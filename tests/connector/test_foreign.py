"""The connector against banks that we did not write: nghttpd, nginx and openssl s_server, over real sockets."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from OpenSSL import SSL

from gateway.connector.config import LinkConfig
from gateway.connector.pool import Pool
from gateway.core.ports import WireRequest
from gateway.net.tls import client_context
from tests.connector.bank import PAY, outcome
from tests.fakes.certificates import Authority
from tests.fakes.papers import BANK, Papers
from tests.fakes.programs import find, free_port, nginx, running

GET = WireRequest("GET", "/")


@asynccontextmanager
async def pool_to(port: int, papers: Papers, **terms: Any) -> AsyncIterator[Pool]:
    terms.setdefault("tls_context", lambda: client_context(papers.client_files()))
    terms.setdefault("host", BANK)
    pool = Pool(LinkConfig(port=port, connect_host="127.0.0.1", **terms))
    async with trio.open_nursery() as nursery:
        await nursery.start(pool.run)
        with trio.fail_after(60):
            yield pool
        nursery.cancel_scope.cancel()


def without_certificate(papers: Papers) -> SSL.Context:
    context = SSL.Context(SSL.TLS_METHOD)
    context.load_verify_locations(str(papers.authority.path))
    context.set_verify(SSL.VERIFY_PEER)
    context.set_alpn_protos([b"h2", b"http/1.1"])
    return context


# ------------------------------------------------------------ nghttpd


@asynccontextmanager
async def nghttpd(papers: Papers) -> AsyncIterator[int]:
    port = free_port()
    certificate, key = papers.server
    options = ["-v", "-a", "127.0.0.1", "--verify-client", "--echo-upload"]
    program = find("nghttpd", "nghttp2-server")
    async with running([program, *options, str(port), str(key), str(certificate)], b"listen"):
        yield port


async def test_nghttpd_echoes_many_at_once(papers: Papers) -> None:
    """200 payments at once over two connections come back whole."""
    bodies = [b"<Document>%d</Document>" % number * 50 for number in range(200)]
    answers: list[bytes] = []
    async with nghttpd(papers) as port, pool_to(port, papers) as pool:

        async def pay(body: bytes) -> None:
            answer = await pool.exchange(WireRequest("POST", "/payments", (), body), timeout_s=30)
            assert answer.status == 200
            answers.append(answer.body)

        async with trio.open_nursery() as nursery:
            for body in bodies:
                nursery.start_soon(pay, body)
        assert pool.snapshot().sessions <= 2
    assert sorted(answers) == sorted(bodies)


async def test_nghttpd_echoes_a_megabyte(papers: Papers) -> None:
    """A body larger than every window crosses both ways."""
    body = bytes(range(256)) * 4_096
    async with nghttpd(papers) as port, pool_to(port, papers) as pool:
        answer = await pool.exchange(WireRequest("POST", "/", (), body), timeout_s=30)
    assert answer.body == body


async def test_nghttpd_refuses_us_without_a_certificate(papers: Papers) -> None:
    """No client certificate: TLS refuses, before any SETTINGS, and nothing was sent."""
    async with (
        nghttpd(papers) as port,
        pool_to(port, papers, tls_context=partial(without_certificate, papers)) as pool,
    ):
        assert await outcome(pool) == "NotSent CERTIFICATE_REFUSED"


# ------------------------------------------------------------ nginx


def nginx_tls(papers: Papers, pair: tuple[Path, Path] | None = None) -> str:
    certificate, key = pair or papers.server
    return (
        f"ssl_certificate {certificate}; ssl_certificate_key {key};"
        f"ssl_client_certificate {papers.authority.path}; ssl_verify_client on;"
        "location / { add_header x-protocol $server_protocol; return 200 '<ok/>'; }"
    )


@pytest.mark.parametrize(("http2", "protocol"), [(True, "HTTP/2.0"), (False, "HTTP/1.1")])
async def test_nginx_answers_in_the_protocol_it_chose(
    http2: bool, protocol: str, papers: Papers, tmp_path: Path
) -> None:
    """nginx decides by ALPN which protocol is spoken, and answers in it, also on a connection used again."""
    async with nginx(tmp_path, nginx_tls(papers), http2=http2) as port, pool_to(port, papers) as pool:
        for _ in range(3):
            answer = await pool.exchange(PAY, timeout_s=10)
            assert (answer.status, answer.body, answer.header("x-protocol")) == (200, b"<ok/>", protocol)
        assert pool.snapshot().sessions == 1


@pytest.mark.parametrize("http2", [True, False])
async def test_nginx_rotates_connections_under_load(http2: bool, papers: Papers, tmp_path: Path) -> None:
    """nginx ends every connection after 7 requests: 300 payments, each answered or provably not sent, no doubt."""
    ends = Counter[str]()

    async def pay_until_answered(pool: Pool) -> None:
        for _ in range(200):
            end = await outcome(pool, timeout_s=50)
            ends[end] += 1
            if end.startswith("200"):
                return

    config = nginx_tls(papers) + "keepalive_requests 7;"
    async with (
        nginx(tmp_path, config, http2=http2) as port,
        pool_to(port, papers, sessions_max=4, streams_per_session_max=20) as pool,
        trio.open_nursery() as nursery,
    ):
        for _ in range(300):
            nursery.start_soon(pay_until_answered, pool)
    assert ends.pop("200 <ok/>") == 300
    assert not [end for end in ends if not end.startswith("NotSent ")], ends


async def test_nginx_answers_400_to_a_stranger(papers: Papers, tmp_path: Path) -> None:
    """nginx lets every certificate through TLS and answers 400: that is an answer, and the adapter's to read."""
    context = partial(client_context, papers.client_files(papers.stranger))
    async with (
        nginx(tmp_path, nginx_tls(papers), http2=True) as port,
        pool_to(port, papers, tls_context=context) as pool,
    ):
        assert (await outcome(pool)).startswith("400 ")


async def test_nginx_under_a_wrong_name(papers: Papers, tmp_path: Path) -> None:
    """A certificate for another name: nothing is sent."""
    async with nginx(tmp_path, nginx_tls(papers), http2=True) as port:
        async with pool_to(port, papers, host="other.example") as pool:
            assert await outcome(pool) == "NotSent TLS_FAILED"
        async with pool_to(port, papers, server_name="127.0.0.1") as pool:
            assert await outcome(pool) == "200 <ok/>"


@pytest.mark.parametrize("flaw", ["expired", "another authority"])
async def test_nginx_with_a_bad_certificate(flaw: str, papers: Papers, tmp_path: Path) -> None:
    """An expired certificate, or one of an authority we do not trust: nothing is sent."""
    if flaw == "expired":
        past = datetime.now(UTC) - timedelta(hours=1)
        pair = papers.authority.issue("nginx-expired", dns=[BANK], not_after=past)
    else:
        pair = Authority(tmp_path).issue("nginx-unknown", dns=[BANK])
    async with nginx(tmp_path, nginx_tls(papers, pair), http2=True) as port, pool_to(port, papers) as pool:
        assert await outcome(pool) == "NotSent TLS_FAILED"


# ------------------------------------------------------------ openssl s_server


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
async def test_s_server_refuses_a_stranger(version: str, papers: Papers) -> None:
    """OpenSSL's own server answers us and refuses a stranger: in TLS 1.2 within the handshake, in TLS 1.3 after the
    request has left. Where its alert arrives, that is the proof; where a reset of the socket swallows it, doubt."""
    port = free_port()
    command = [find("openssl", "openssl"), "s_server", "-accept", f"127.0.0.1:{port}", "-www", "-alpn", "http/1.1"]
    command += ["-cert", str(papers.server[0]), "-key", str(papers.server[1]), version]
    command += ["-CAfile", str(papers.authority.path), "-Verify", "1", "-verify_return_error"]
    async with running(command, b"ACCEPT"):
        async with pool_to(port, papers) as pool:
            assert (await outcome(pool, GET)).startswith("200 ")
        stranger = partial(client_context, papers.client_files(papers.stranger))
        async with pool_to(port, papers, tls_context=stranger) as pool:
            allowed = {"NotSent CERTIFICATE_REFUSED"}
            if version == "-tls1_3":
                allowed.add("MaybeSent REPLY_LOST")
            assert await outcome(pool, GET) in allowed


async def test_nobody_listens(papers: Papers) -> None:
    """A port without a listener: nothing is sent."""
    async with pool_to(free_port(), papers) as pool:
        assert await outcome(pool) == "NotSent CONNECT_FAILED"
