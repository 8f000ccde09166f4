"""Law 4 before the first request: whatever goes wrong on the way to a session, nothing was sent."""

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trio
from cryptography import x509
from trio.testing import memory_stream_pair

from gateway.connector.link import REASONS, Ending, verdict
from gateway.core.errors import MaybeSent, NotSent
from gateway.core.ports import WireRequest
from gateway.core.reasons import Reason, may_retry
from gateway.net.tls import TlsServerFiles, client_context, pin_of
from tests.connector.bank import PAY, Bank, outcome
from tests.fakes.certificates import Authority
from tests.fakes.papers import BANK, Papers

Clock = trio.testing.MockClock


def test_table_is_total() -> None:
    """Every ending has a reason, and NotSent is raised exactly where the reason may be sent again."""
    assert set(REASONS) == set(Ending)
    for ending in Ending:
        assert isinstance(verdict(ending), NotSent if may_retry(REASONS[ending]) else MaybeSent)


def test_only_these_endings_prove_that_nothing_was_sent() -> None:
    """The list of law 4, spelt out: whoever adds to it has to change this test and say why."""
    assert {ending.name for ending in Ending if may_retry(REASONS[ending])} == {
        *("REQUEST_NOT_HTTP", "CONNECT_FAILED", "CONNECT_TIMED_OUT", "TLS_FILES_BAD", "HANDSHAKE_FAILED"),
        *("HANDSHAKE_TIMED_OUT", "PEER_NOT_TRUSTED", "CERTIFICATE_REFUSED_EARLY", "ALPN_UNKNOWN", "GREETING_MISSING"),
        *("NO_ROOM_IN_TIME", "QUEUE_FULL", "NOT_WANTED", "SESSION_LOST_BEFORE_WRITING", "POOL_CLOSED_BEFORE_WRITING"),
        *("CERTIFICATE_REFUSED_LATE", "STREAM_REFUSED", "ABOVE_GOAWAY"),
    }


async def _refused() -> trio.abc.Stream:
    raise ConnectionRefusedError


async def _silent() -> trio.abc.Stream:
    """Accepts the connection and never says a word."""
    return memory_stream_pair()[0]


async def _plain() -> trio.abc.Stream:
    ours, theirs = memory_stream_pair()
    await theirs.send_all(b"HTTP/1.1 400 plain HTTP only\r\n\r\n")
    return ours


async def _closed() -> trio.abc.Stream:
    ours, theirs = memory_stream_pair()
    await theirs.aclose()
    return ours


async def _faulty() -> trio.abc.Stream:
    raise RuntimeError("a fault of ours")


@pytest.mark.parametrize(
    ("dial", "expected"),
    [
        (_refused, "NotSent CONNECT_FAILED"),
        (trio.sleep_forever, "NotSent CONNECT_FAILED"),
        (_faulty, "NotSent CONNECT_FAILED"),
        (_silent, "NotSent TLS_FAILED"),
        (_plain, "NotSent TLS_FAILED"),
        (_closed, "NotSent TLS_FAILED"),
    ],
)
async def test_no_connection(dial: Any, expected: str, bank: Bank, autojump_clock: Clock) -> None:
    """No transport, or one that does not speak TLS: all who wait learn so, and nothing was sent."""
    pool = await bank.pool(dial=dial, connect_timeout_s=2, handshake_timeout_s=2)
    ends: list[str] = []

    async def pay() -> None:
        ends.append(await outcome(pool))

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(pay)
    assert ends == [expected] * 3
    assert pool.snapshot().in_flight == 0


async def test_deadline_while_connecting(bank: Bank, autojump_clock: Clock) -> None:
    """A deadline that passes before there is a session finds the request unwritten."""
    pool = await bank.pool(dial=trio.sleep_forever)
    assert await outcome(pool, timeout_s=3) == "NotSent NEVER_WRITTEN"


def _expired(papers: Papers) -> TlsServerFiles:
    return papers.server_files(
        papers.authority.issue("expired", dns=[BANK], not_after=datetime.now(UTC) - timedelta(days=1))
    )


def _other_name(papers: Papers) -> TlsServerFiles:
    return papers.server_files(papers.authority.issue("other", dns=["other.example"]))


def _no_name(papers: Papers) -> TlsServerFiles:
    return papers.server_files(papers.authority.issue(BANK))


def _other_authority(papers: Papers) -> TlsServerFiles:
    folder = papers.authority.path.parent
    return papers.server_files(Authority(folder, "impostor").issue("fake-bank", dns=[BANK]))


def _client_as_server(papers: Papers) -> TlsServerFiles:
    return papers.server_files(papers.client)


@pytest.mark.parametrize("files", [_expired, _other_name, _no_name, _other_authority, _client_as_server])
async def test_wrong_bank(
    files: Callable[[Papers], TlsServerFiles], bank: Bank, papers: Papers, autojump_clock: Clock
) -> None:
    """A bank that cannot prove who it is gets nothing."""
    bank.files = files(papers)
    assert await outcome(await bank.pool()) == "NotSent TLS_FAILED"


async def test_revoked_bank(bank: Bank, papers: Papers, tmp_path: Path, autojump_clock: Clock) -> None:
    """A bank whose certificate is in the CRL gets nothing; another of the same issuer does."""
    authority = Authority(tmp_path)
    pair, other = authority.issue("bad", dns=[BANK]), authority.issue("good", dns=[BANK])
    crl = authority.revoke(pair[0])
    ours = papers.client_files(authority=authority.path, revocations=crl)
    bank.files = papers.server_files(pair)
    assert await outcome(await bank.pool(tls_context=lambda: client_context(ours))) == "NotSent TLS_FAILED"
    bank.files = papers.server_files(other)
    assert await outcome(await bank.pool(tls_context=lambda: client_context(ours))) == "200 <ok/>"


async def test_pins(bank: Bank, papers: Papers, autojump_clock: Clock) -> None:
    """With pins, a chain without any of the pinned keys gets nothing; one with the issuer's key pinned is good."""
    issuer = pin_of(papers.authority.certificate)
    stranger = pin_of(x509.load_pem_x509_certificate(papers.stranger[0].read_bytes()))
    for pin, expected in ((issuer, "200 <ok/>"), (stranger, "NotSent TLS_FAILED")):
        files = papers.client_files(pins=frozenset({pin}))
        assert await outcome(await bank.pool(tls_context=lambda f=files: client_context(f))) == expected


async def test_bank_by_address(bank: Bank, autojump_clock: Clock) -> None:
    """A bank may be known by its address, if its certificate says so."""
    assert await outcome(await bank.pool(server_name="127.0.0.1")) == "200 <ok/>"
    assert await outcome(await bank.pool(server_name="127.0.0.2")) == "NotSent TLS_FAILED"


@pytest.mark.parametrize("alpn", ["h2", "http/1.1"])
async def test_our_certificate_is_refused(alpn: str, bank: Bank, papers: Papers, autojump_clock: Clock) -> None:
    """Over HTTP/2 the refusal comes before the bank's SETTINGS, so nothing was written; over HTTP/1.1 the request has
    left when it comes, and the alert before any byte of an answer is the proof."""
    bank.alpn = (alpn,)
    pool = await bank.pool(tls_context=lambda: client_context(papers.client_files(papers.stranger)))
    assert await outcome(pool) == "NotSent CERTIFICATE_REFUSED"


async def test_bank_offers_no_protocol(bank: Bank, papers: Papers, autojump_clock: Clock) -> None:
    """ALPN decides; a bank that chooses nothing, or refuses all of ours, is not guessed at."""
    bank.alpn = ("spdy/1",)
    assert await outcome(await bank.pool()) == "NotSent PROTOCOL_NOT_OFFERED"
    pool = await bank.pool(tls_context=lambda: client_context(papers.client_files(), alpn=["spdy/1"]))
    assert await outcome(pool) == "NotSent PROTOCOL_NOT_OFFERED"


async def test_our_files_are_bad(bank: Bank, papers: Papers, tmp_path: Path, autojump_clock: Clock) -> None:
    """Files that were replaced by bad ones cost the connection, and the error names the file; good ones heal it."""
    key = tmp_path / "client.key"
    key.write_text("not a key")
    files = dataclasses.replace(papers.client_files(), key=key)
    pool = await bank.pool(tls_context=lambda: client_context(files))
    with pytest.raises(NotSent, match=r"client\.key") as caught:
        await pool.exchange(PAY, timeout_s=1)
    assert caught.value.reason is Reason.TLS_FAILED
    key.write_bytes(papers.client[1].read_bytes())
    assert await outcome(pool) == "200 <ok/>"


@pytest.mark.parametrize(
    "request_",
    [
        WireRequest("POST", "/", (("x", "a\r\nb: c"),)),
        WireRequest("POST", "/", (("X", "upper"),)),
        WireRequest("POST", "/", ((":path", "/other"),)),
        WireRequest("POST", "/", (("content-length", "9"),)),
        WireRequest("POST", "/", (("x", " padded "),)),
        WireRequest("POST", "/a b"),
        WireRequest("POST", "payments"),
        WireRequest("PO ST", "/"),
    ],
)
async def test_request_that_is_not_http(request_: WireRequest, bank: Bank, autojump_clock: Clock) -> None:
    """A request that cannot be written as HTTP never reaches a session, and harms none."""
    pool = await bank.pool()
    assert await outcome(pool, request_) == "NotSent NEVER_WRITTEN"
    assert bank.dials == 0
