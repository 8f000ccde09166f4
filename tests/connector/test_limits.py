"""Claims about how long a bank's answer may be: the bound is taken, a byte more is not, and never collected."""

import pytest
import trio

from gateway.limits import ANSWER_BYTES_MAX, ANSWER_HEADER_BYTES_MAX
from tests.connector.bank import PAY, Bank, Peer, outcome
from tests.fills import fills

UNREADABLE = "MaybeSent REPLY_UNREADABLE"


async def _asked(peer: Peer) -> None:
    """Reads the whole request over HTTP/1.1."""
    received = b""
    while not received.endswith(PAY.body):
        received += await peer.stream.receive_some()


@fills("ANSWER_HEADER_BYTES_MAX")
@pytest.mark.parametrize(("over", "expected"), [(0, "200 <ok/>"), (1, UNREADABLE)])
async def test_header_over_http1(over: int, expected: str, bank: Bank, autojump_clock: trio.testing.MockClock) -> None:
    """The head of an answer, line ends included."""
    start, end = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nx: ", b"\r\n\r\n"

    async def serve(peer: Peer) -> None:
        await _asked(peer)
        # A head that is not over yet is looked at whenever something of it arrives.
        long = b"y" * (ANSWER_HEADER_BYTES_MAX + over - len(start))
        await peer.stream.send_all(start + long)
        await trio.sleep(1)
        await peer.stream.send_all(end + b"<ok/>")
        await trio.sleep_forever()

    bank.alpn, bank.scripts = ("http/1.1",), [serve]
    assert await outcome(await bank.pool()) == expected


@fills("ANSWER_HEADER_BYTES_MAX")
@pytest.mark.parametrize(("over", "expected"), [(0, "200 <ok/>"), (1, UNREADABLE)])
async def test_header_over_http2(over: int, expected: str, bank: Bank, autojump_clock: trio.testing.MockClock) -> None:
    """The decoded header list: names, values and 32 octets for each field (RFC 9113 section 6.5.2)."""
    used = len(":status") + len("200") + 32 + len("x") + 32

    async def serve(peer: Peer) -> None:
        await peer.greet()
        stream_id = await peer.request()
        fields = [(":status", "200"), ("x", "y" * (ANSWER_HEADER_BYTES_MAX + over - used))]
        peer.connection.send_headers(stream_id, fields)
        peer.connection.send_data(stream_id, b"<ok/>", end_stream=True)
        await peer.flush()
        await trio.sleep_forever()

    bank.scripts = [serve]
    assert await outcome(await bank.pool()) == expected


@fills("ANSWER_BYTES_MAX")
@pytest.mark.parametrize("over", [0, 1])
async def test_body_over_http1(over: int, bank: Bank, autojump_clock: trio.testing.MockClock) -> None:
    """A whole answer of ANSWER_BYTES_MAX is read, and a byte more is not an answer."""
    size = ANSWER_BYTES_MAX + over

    async def serve(peer: Peer) -> None:
        await _asked(peer)
        await peer.stream.send_all(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size + b"x" * size)
        await trio.sleep_forever()

    bank.alpn, bank.scripts = ("http/1.1",), [serve]
    said = await outcome(await bank.pool())
    assert said == (UNREADABLE if over else "200 " + "x" * size)
