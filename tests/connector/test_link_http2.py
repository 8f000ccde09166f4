"""Law 4 over HTTP/2, row by row: how a bank can end an exchange, and what may be claimed afterwards."""

from collections.abc import Callable

import h2.errors
import h2.events
import h2.settings
import pytest
import trio
from hyperframe.frame import DataFrame, GoAwayFrame, HeadersFrame

from gateway.limits import ANSWER_BYTES_MAX
from tests.connector.bank import Bank, Peer, Script, outcome

ROWS: list[tuple[str, Script]] = []


def row(expected: str) -> Callable[[Script], Script]:
    def add(script: Script) -> Script:
        ROWS.append((expected, script))
        return script

    return add


async def greeted(peer: Peer) -> int:
    await peer.greet()
    return await peer.request()


@row("200 <ok/>")
async def answers(peer: Peer) -> None:
    await peer.answer(await greeted(peer))


@row("500 <ok/>")
async def answers_with_an_error(peer: Peer) -> None:
    """A whole answer is an answer, whatever its status: the adapter reads it."""
    await peer.answer(await greeted(peer), status=500)


@row("200 <ok/>")
async def answers_after_informational(peer: Peer) -> None:
    """1xx answers are passed over."""
    stream_id = await greeted(peer)
    peer.connection.send_headers(stream_id, [(":status", "103"), ("link", "</style>")])
    peer.connection.send_headers(stream_id, [(":status", "100")])
    await peer.answer(stream_id)


@row("200 <ok/>")
async def answers_with_trailers(peer: Peer) -> None:
    stream_id = await greeted(peer)
    await peer.answer(stream_id, end=False)
    peer.connection.send_headers(stream_id, [("digest", "x")], end_stream=True)
    await peer.flush()


@row("204 ")
async def answers_with_headers_only(peer: Peer) -> None:
    stream_id = await greeted(peer)
    peer.connection.send_headers(stream_id, [(":status", "204")], end_stream=True)
    await peer.flush()


@row("200 <ok/>")
async def answers_and_then_speaks_garbage(peer: Peer) -> None:
    """An answer whose end was seen stays an answer, though the same packet holds nonsense."""
    stream_id = await greeted(peer)
    peer.connection.send_headers(stream_id, [(":status", "200")])
    peer.connection.send_data(stream_id, b"<ok/>", end_stream=True)
    await peer.stream.send_all(peer.connection.data_to_send() + b"\x00\x00\x04\x08\x00\x00\x00\x00\x00" + bytes(4))


@row("200 <ok/>")
async def answers_under_goaway(peer: Peer) -> None:
    """A stream not above GOAWAY's last id is finished as if nothing had happened."""
    stream_id = await greeted(peer)
    await peer.stream.send_all(goaway(stream_id))
    await peer.answer(stream_id)


@row("200 <ok/>")
async def answers_under_two_goaways(peer: Peer) -> None:
    """The polite shutdown: first 2**31-1 as a warning, then the true last id."""
    stream_id = await greeted(peer)
    await peer.stream.send_all(goaway(2**31 - 1) + goaway(stream_id))
    await peer.answer(stream_id)


@row("NotSent STREAM_REFUSED")
async def refuses_the_stream(peer: Peer) -> None:
    """REFUSED_STREAM says that nothing was processed."""
    await reset(peer, await greeted(peer), h2.errors.ErrorCodes.REFUSED_STREAM)


@row("MaybeSent STREAM_RESET")
async def refuses_the_stream_after_informational(peer: Peer) -> None:
    """Who has said 103 has looked at the request: a refusal afterwards proves nothing."""
    stream_id = await greeted(peer)
    peer.connection.send_headers(stream_id, [(":status", "103")])
    await reset(peer, stream_id, h2.errors.ErrorCodes.REFUSED_STREAM)


@row("MaybeSent STREAM_RESET")
async def refuses_the_stream_inside_the_answer(peer: Peer) -> None:
    stream_id = await greeted(peer)
    await peer.answer(stream_id, end=False)
    await reset(peer, stream_id, h2.errors.ErrorCodes.REFUSED_STREAM)


for _code in h2.errors.ErrorCodes:
    if _code is not h2.errors.ErrorCodes.REFUSED_STREAM:

        async def resets(peer: Peer, code: h2.errors.ErrorCodes = _code) -> None:
            """Any other code leaves doubt."""
            await reset(peer, await greeted(peer), code)

        resets.__name__ = f"resets_with_{_code.name.lower()}"
        ROWS.append(("MaybeSent STREAM_RESET", resets))


@row("NotSent GOAWAY_ABOVE_LAST")
async def goes_away_below(peer: Peer) -> None:
    """A stream above GOAWAY's last id was not and will not be processed."""
    await greeted(peer)
    await peer.stream.send_all(goaway(0))
    await trio.sleep_forever()


@row("NotSent GOAWAY_ABOVE_LAST")
async def goes_away_below_with_an_error(peer: Peer) -> None:
    await greeted(peer)
    await peer.stream.send_all(goaway(0, h2.errors.ErrorCodes.ENHANCE_YOUR_CALM))


@row("MaybeSent STREAM_RESET")
async def goes_away_below_after_informational(peer: Peer) -> None:
    """A bank that has begun to answer and then denies it proves nothing."""
    stream_id = await greeted(peer)
    peer.connection.send_headers(stream_id, [(":status", "103")])
    await peer.flush()
    await peer.stream.send_all(goaway(0))
    await trio.sleep_forever()


@row("MaybeSent REPLY_LOST")
async def goes_away_and_closes(peer: Peer) -> None:
    """A stream under GOAWAY's last id may have been processed."""
    await peer.stream.send_all(goaway(await greeted(peer)))


@row("MaybeSent REPLY_LOST")
async def closes_before_answering(peer: Peer) -> None:
    await greeted(peer)


@row("MaybeSent REPLY_LOST")
async def is_cut_off_before_answering(peer: Peer) -> None:
    await greeted(peer)
    await peer.stream.transport.aclose()


@row("MaybeSent REPLY_TRUNCATED")
async def closes_inside_the_answer(peer: Peer) -> None:
    await peer.answer(await greeted(peer), end=False)


@row("MaybeSent REPLY_TRUNCATED")
async def is_cut_off_inside_the_answer(peer: Peer) -> None:
    """Whole body or not: without END_STREAM it is no answer."""
    await peer.answer(await greeted(peer), end=False)
    await peer.stream.transport.aclose()


@row("MaybeSent REPLY_LOST")
async def closes_inside_the_header(peer: Peer) -> None:
    frame = HeadersFrame(await greeted(peer), data=b"\x88", flags=["END_HEADERS"]).serialize()
    await peer.stream.send_all(frame[:-1])


@row("MaybeSent REPLY_LOST")
async def closes_between_header_and_continuation(peer: Peer) -> None:
    await peer.stream.send_all(HeadersFrame(await greeted(peer), data=b"\x88").serialize())


@row("MaybeSent REPLY_UNREADABLE")
async def sends_garbage(peer: Peer) -> None:
    await greeted(peer)
    await peer.stream.send_all(b"\x00\x00\x04\x08\x00\x00\x00\x00\x00" + bytes(4))  # WINDOW_UPDATE by nothing


@row("MaybeSent REPLY_UNREADABLE")
async def sends_an_oversized_frame(peer: Peer) -> None:
    await greeted(peer)
    await peer.stream.send_all(b"\xff\xff\xff\x00\x00\x00\x00\x00\x01")
    await trio.sleep_forever()


@row("MaybeSent REPLY_UNREADABLE")
async def sends_goaway_inside_a_header_block(peer: Peer) -> None:
    """Where no frame may be, not even GOAWAY is believed."""
    await peer.stream.send_all(HeadersFrame(await greeted(peer), data=b"\x88").serialize() + goaway(0))


@row("MaybeSent REPLY_UNREADABLE")
async def sends_a_header_bomb(peer: Peer) -> None:
    stream_id = await greeted(peer)
    peer.connection.send_headers(stream_id, [(":status", "200"), *[("x", "y" * 4_000)] * 30])
    await peer.flush()


@row("MaybeSent REPLY_UNREADABLE")
async def answers_with_the_wrong_length(peer: Peer) -> None:
    stream_id = await greeted(peer)
    peer.connection.send_headers(stream_id, [(":status", "200"), ("content-length", "9")])
    await peer.flush()
    await peer.stream.send_all(DataFrame(stream_id, data=b"<ok/>", flags=["END_STREAM"]).serialize())


@row("MaybeSent REPLY_UNREADABLE")
async def answers_without_end(peer: Peer) -> None:
    """An answer above ANSWER_BYTES_MAX is refused, not collected."""
    stream_id = await greeted(peer)
    peer.connection.send_headers(stream_id, [(":status", "200")])
    sent = 0
    while sent <= ANSWER_BYTES_MAX + 2**20:
        window = peer.connection.local_flow_control_window(stream_id)
        if window <= 0:
            await peer.event(h2.events.WindowUpdated)
            continue
        sent += min(window, 16_384)
        peer.connection.send_data(stream_id, bytes(min(window, 16_384)))
        await peer.flush()


@row("MaybeSent REPLY_TIMEOUT")
async def never_answers(peer: Peer) -> None:
    await greeted(peer)
    await trio.sleep_forever()


@row("MaybeSent REPLY_TIMEOUT")
async def stops_inside_the_answer(peer: Peer) -> None:
    await peer.answer(await greeted(peer), end=False)
    await trio.sleep_forever()


@row("MaybeSent REPLY_TIMEOUT")
async def never_reads_the_body(peer: Peer) -> None:
    """The header has left: whether the bank will do without the rest is its secret."""
    await peer.greet({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 0})
    await trio.sleep_forever()


@row("NotSent NEVER_WRITTEN")
async def allows_no_streams(peer: Peer) -> None:
    """MAX_CONCURRENT_STREAMS 0: the request waits, and its deadline finds it unwritten."""
    await peer.greet({h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 0})
    await trio.sleep_forever()


@row("NotSent CONNECT_FAILED")
async def never_greets(peer: Peer) -> None:
    """Nothing is written before the bank's SETTINGS have come."""
    await trio.sleep_forever()


@row("NotSent CONNECT_FAILED")
async def hangs_up_before_greeting(peer: Peer) -> None:
    await peer.stream.aclose()


@row("NotSent CONNECT_FAILED")
async def speaks_http1_where_http2_was_agreed(peer: Peer) -> None:
    await peer.stream.send_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")


@row("NotSent CONNECT_FAILED")
async def goes_away_at_once(peer: Peer) -> None:
    """Two connections are tried, not thousands."""
    await peer.greet(then=goaway(0))
    await trio.sleep_forever()


@pytest.mark.parametrize(("expected", "script"), [pytest.param(*each, id=each[1].__name__) for each in ROWS])
async def test_row(expected: str, script: Script, bank: Bank, autojump_clock: trio.testing.MockClock) -> None:
    """Each way a bank can end an exchange gets exactly the verdict that can be proven."""
    bank.scripts = [script]
    pool = await bank.pool(handshake_timeout_s=5)
    assert await outcome(pool) == expected
    snapshot = pool.snapshot()
    assert snapshot.last_failure == ("" if expected[0].isdigit() else expected.split()[1])
    assert snapshot.in_flight == 0
    assert bank.dials <= 2


def goaway(last: int, code: int = 0) -> bytes:
    return GoAwayFrame(0, last_stream_id=last, error_code=code).serialize()


async def reset(peer: Peer, stream_id: int, code: int) -> None:
    peer.connection.reset_stream(stream_id, code)
    await peer.flush()
    await trio.sleep_forever()
