"""Law 4 over HTTP/1.1, row by row."""

from collections.abc import Callable

import pytest
import trio

from gateway.limits import ANSWER_BYTES_MAX
from tests.connector.bank import PAY, Bank, Peer, Script, outcome

ROWS: list[tuple[str, Script]] = []
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n<ok/>"


def row(expected: str) -> Callable[[Script], Script]:
    def add(script: Script) -> Script:
        ROWS.append((expected, script))
        return script

    return add


async def request(peer: Peer) -> bytes:
    received = b""
    while not received.endswith(PAY.body):
        chunk = await peer.stream.receive_some()
        if not chunk:
            raise EOFError
        received += chunk
    return received


async def say(peer: Peer, words: bytes, *, cut: bool = False, stay: bool = False) -> None:
    """Read a request, say this, and then: say goodbye, or cut the wire, or stay."""
    await request(peer)
    await peer.stream.send_all(words)
    if cut:
        await peer.stream.transport.aclose()
    if stay:
        await trio.sleep_forever()


@row("200 <ok/>")
async def answers(peer: Peer) -> None:
    await say(peer, OK)


@row("200 <ok/>")
async def answers_and_is_cut_off(peer: Peer) -> None:
    """The length said where the answer ends: what the connection does afterwards does not matter."""
    await say(peer, OK, cut=True)


@row("200 <ok/>")
async def answers_in_chunks(peer: Peer) -> None:
    await say(peer, b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\n<ok\r\n2\r\n/>\r\n0\r\n\r\n", stay=True)


@row("200 <ok/>")
async def answers_after_informational(peer: Peer) -> None:
    await say(peer, b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" + OK, stay=True)


@row("200 <ok/>")
async def answers_until_goodbye(peer: Peer) -> None:
    """A body that lasts until the connection closes is whole when TLS says goodbye."""
    await say(peer, b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n<ok/>")


@row("MaybeSent REPLY_TRUNCATED")
async def answers_until_cut_off(peer: Peer) -> None:
    """The same bytes without close_notify: nobody can know whether that was all."""
    await say(peer, b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n<ok/>", cut=True)


@row("MaybeSent REPLY_TRUNCATED")
async def closes_inside_the_body(peer: Peer) -> None:
    await say(peer, OK[:-1])


@row("MaybeSent REPLY_TRUNCATED")
async def closes_inside_a_chunk(peer: Peer) -> None:
    await say(peer, b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n<ok")


@row("MaybeSent REPLY_TRUNCATED")
async def closes_inside_the_header(peer: Peer) -> None:
    await say(peer, OK[:20])


@row("MaybeSent REPLY_TRUNCATED")
async def closes_after_informational(peer: Peer) -> None:
    await say(peer, b"HTTP/1.1 103 Early Hints\r\n\r\n")


@row("MaybeSent REPLY_LOST")
async def closes_before_answering(peer: Peer) -> None:
    await say(peer, b"\r\n"[:0])


@row("MaybeSent REPLY_LOST")
async def is_cut_off_before_answering(peer: Peer) -> None:
    await request(peer)
    await peer.stream.transport.aclose()


@row("MaybeSent REPLY_UNREADABLE")
async def speaks_garbage(peer: Peer) -> None:
    await say(peer, b"220 smtp.bank.example ESMTP\r\n\r\n", stay=True)


@row("MaybeSent REPLY_UNREADABLE")
async def switches_protocols(peer: Peer) -> None:
    await say(peer, b"HTTP/1.1 101 Switching Protocols\r\nupgrade: chess\r\n\r\n", stay=True)


@row("MaybeSent REPLY_UNREADABLE")
async def sends_a_header_bomb(peer: Peer) -> None:
    await say(peer, b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100_000, stay=True)


@row("MaybeSent REPLY_UNREADABLE")
async def answers_without_end(peer: Peer) -> None:
    await say(peer, b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + bytes(ANSWER_BYTES_MAX + 1), stay=True)


@row("MaybeSent REPLY_TIMEOUT")
async def never_answers(peer: Peer) -> None:
    await say(peer, b"", stay=True)


@row("MaybeSent REPLY_TIMEOUT")
async def stops_inside_the_answer(peer: Peer) -> None:
    await say(peer, OK[:-1], stay=True)


@row("MaybeSent REPLY_LOST")
async def hangs_up_at_once(peer: Peer) -> None:
    """Without a greeting to wait for, the request has left before the end is seen."""
    peer.stream.transport.receive_stream.close()
    await trio.testing.wait_all_tasks_blocked()
    await peer.stream.transport.aclose()


@pytest.mark.parametrize(("expected", "script"), [pytest.param(*each, id=each[1].__name__) for each in ROWS])
async def test_row(expected: str, script: Script, bank: Bank, autojump_clock: trio.testing.MockClock) -> None:
    """Each way a bank can end an exchange gets exactly the verdict that can be proven."""
    bank.alpn = ("http/1.1",)
    bank.scripts = [script]
    pool = await bank.pool()
    assert await outcome(pool) == expected


async def test_connection_is_used_again_one_exchange_at_a_time(
    bank: Bank, autojump_clock: trio.testing.MockClock
) -> None:
    """Exchanges on one connection follow each other and never overlap; the request is complete HTTP/1.1."""
    seen: list[bytes] = []

    async def serve(peer: Peer) -> None:
        while True:
            seen.append(await request(peer))
            await trio.sleep(0.1)
            await peer.stream.send_all(OK)

    bank.alpn, bank.scripts = ("http/1.1",), [serve]
    pool = await bank.pool(sessions_max=1)
    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(outcome, pool)
    assert bank.dials == 1
    assert seen == [seen[0]] * 5
    assert seen[0] == (
        b"POST /payments HTTP/1.1\r\nhost: bank.example\r\ncontent-type: application/xml\r\n"
        b"content-length: 11\r\n\r\n<Document/>"
    )


async def test_idle_connection_is_not_trusted_for_long(bank: Bank, autojump_clock: trio.testing.MockClock) -> None:
    """A connection that lay idle is closed by us before the bank might: a request never races with its closing."""

    async def serve(peer: Peer) -> None:
        await say(peer, OK, stay=True)

    bank.alpn, bank.scripts = ("http/1.1",), [serve]
    pool = await bank.pool()
    assert await outcome(pool) == "200 <ok/>"
    await trio.sleep(30)
    assert pool.snapshot().sessions == 0
    assert await outcome(pool) == "200 <ok/>"
    assert bank.dials == 2


async def test_unasked_answer_is_never_taken_for_one(bank: Bank, autojump_clock: trio.testing.MockClock) -> None:
    """What a bank says on an idle connection (408, say) closes it, and its other half, which comes after the next
    request, is not the answer to that."""

    async def serve(peer: Peer) -> None:
        await say(peer, OK)
        await trio.sleep(1)
        await peer.stream.send_all(b"HTTP/1.1 408 Request Ti")
        if await request(peer):
            await peer.stream.send_all(b"meout\r\ncontent-length: 0\r\n\r\n")
        await trio.sleep_forever()

    bank.alpn, bank.scripts = ("http/1.1",), [serve]
    pool = await bank.pool()
    assert await outcome(pool) == "200 <ok/>"
    await trio.sleep(2)
    assert await outcome(pool) == "200 <ok/>"
    assert bank.dials == 2
