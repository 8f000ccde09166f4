"""Claims about what one session with a bank keeps, owes, and waits for at most."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from hyperframe.frame import PingFrame

from gateway.connector import exchange, http2_wire
from gateway.connector.exchange import NAMES_KEPT_MAX, flaw_of
from gateway.connector.http1_wire import IDLE_S_MAX, Http1Wire
from gateway.connector.http2_wire import (
    ANSWERS_BYTES_MAX,
    FIELDS_ENCODED_MAX,
    METHODS_KEPT_MAX,
    STREAM_ID_MAX,
    Http2Wire,
)
from gateway.connector.link import Ending
from gateway.connector.session import CONTROL_BYTES_MAX, GOODBYE_S_MAX
from gateway.connector.wire import Answered, Failed
from gateway.core.ports import WireRequest
from gateway.limits import ANSWER_BYTES_MAX
from tests.connector.bank import PAY, Bank, Peer, Tally, outcome
from tests.connector.test_http2_wire import FRAME_BYTES, data, greeted, head
from tests.fills import fills

Clock = trio.testing.MockClock
PING_ACK_BYTES = 17  # RFC 9113 sections 4.1 and 6.7


# ---------------------------------------------------------------- HTTP/2 without I/O


def _part(wire: Http2Wire, key: int, size: int) -> list[object]:
    """So many bytes of an answer, in frames; the windows are given back as they are read."""
    events: list[object] = []
    while size:
        events += wire.receive(data(key, bytes(min(size, FRAME_BYTES))))
        size -= min(size, FRAME_BYTES)
        wire.bytes_to_send()
    return events


@fills("ANSWERS_BYTES_MAX")
def test_unfinished_answers_have_one_bound_together() -> None:
    """Answers that never end are kept until they are ANSWERS_BYTES_MAX together, each within its own bound; the byte
    that is too much ends the exchange that it came for, the others can still be answered, and there is room again."""
    wire = greeted()
    whole = ANSWERS_BYTES_MAX // ANSWER_BYTES_MAX
    keys = [wire.begin(PAY) for _ in range(whole + 1)]
    for key in keys:
        wire.receive(head(key, b"200"))
    for key in keys[:whole]:
        assert _part(wire, key, ANSWER_BYTES_MAX) == []
    surplus = keys[whole]
    assert _part(wire, surplus, 1) == [Failed(surplus, Ending.ANSWER_TOO_LARGE)]
    for key in keys[:whole]:
        (event,) = wire.receive(data(key, b"", "END_STREAM"))
        assert isinstance(event, Answered)
        assert len(event.answer.body) == ANSWER_BYTES_MAX
    again = wire.begin(PAY)
    (event,) = wire.receive(head(again, b"200") + data(again, b"<ok/>", "END_STREAM"))
    assert isinstance(event, Answered)


@fills("STREAM_ID_MAX")
def test_the_last_stream_of_a_connection() -> None:
    """The id below STREAM_ID_MAX leaves room for one request more; with that one the connection takes no others, and
    still reads its answer."""
    wire = greeted()
    # A thousand million requests later; nothing in h2 or in the wire counts them otherwise.
    wire._connection.highest_outbound_stream_id = STREAM_ID_MAX - 4
    assert wire.begin(PAY) == STREAM_ID_MAX - 2
    assert (wire.draining, wire.room > 0) == (False, True)
    last = wire.begin(PAY)
    assert last == STREAM_ID_MAX
    assert (wire.draining, wire.room) == (True, 0)
    wire.bytes_to_send()
    (event,) = wire.receive(head(last, b"200") + data(last, b"<ok/>", "END_STREAM"))
    assert isinstance(event, Answered)


@fills("METHODS_KEPT_MAX")
def test_methods_kept_encoded() -> None:
    """METHODS_KEPT_MAX methods are kept encoded; one more is encoded anew each time, and is written rightly."""
    wire = greeted()
    for number in range(METHODS_KEPT_MAX + 1):
        wire.abandon(wire.begin(WireRequest("M" * (number + 1), "/")))
    surplus = "M" * (METHODS_KEPT_MAX + 1)
    assert len(wire._heads) == METHODS_KEPT_MAX
    assert surplus not in wire._heads
    assert surplus.encode() in wire.bytes_to_send()


@fills("FIELDS_ENCODED_MAX")
def test_fields_kept_encoded() -> None:
    """Of any number of fields FIELDS_ENCODED_MAX are kept encoded, and each is written rightly all the same."""
    kept = http2_wire._field
    kept.cache_clear()
    wire = greeted()
    for number in range(2 * FIELDS_ENCODED_MAX):
        wire.abandon(wire.begin(WireRequest("GET", f"/status/{number}")))
    written = wire.bytes_to_send()
    assert all(f"/status/{number}".encode() in written for number in range(2 * FIELDS_ENCODED_MAX))
    assert kept.cache_info().currsize == FIELDS_ENCODED_MAX


@fills("exchange.NAMES_KEPT_MAX")
def test_names_found_good_are_kept() -> None:
    """Of any number of header names NAMES_KEPT_MAX verdicts are kept, and the others are found again."""
    kept = exchange._flaw_of_name
    kept.cache_clear()
    for _ in range(2):
        for number in range(2 * NAMES_KEPT_MAX):
            assert flaw_of(WireRequest("GET", "/", ((f"x-{number}", "1"),))) == ""
            assert flaw_of(WireRequest("GET", "/", ((f"X-{number}", "1"),))) == "a header"
    assert kept.cache_info().currsize == NAMES_KEPT_MAX


# ---------------------------------------------------------------- HTTP/1.1 at rest


@fills("http1_wire.IDLE_S_MAX")
@pytest.mark.parametrize(
    ("hint", "rest_s"),
    [
        (None, IDLE_S_MAX),
        ("timeout=3600", IDLE_S_MAX),
        (f"timeout={2 * IDLE_S_MAX:.0f}", IDLE_S_MAX),
        ("timeout=4, max=100", 2.0),
        ("timeout=0", 0.0),
    ],
)
def test_how_long_a_connection_may_rest(hint: str | None, rest_s: float) -> None:
    """Half of what the server announces, and never more than IDLE_S_MAX, whatever it announces."""
    wire = Http1Wire("bank.example")
    assert wire.idle_s_max == IDLE_S_MAX
    wire.begin(PAY)
    field = f"keep-alive: {hint}\r\n" if hint else ""
    (event,) = wire.receive(f"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n{field}\r\n".encode())
    assert isinstance(event, Answered)
    assert wire.idle_s_max == rest_s


@fills("http1_wire.IDLE_S_MAX")
@pytest.mark.parametrize(("over", "dials"), [(-0.5, 1), (0.5, 2)])
async def test_an_idle_connection_is_given_up_in_time(
    over: float, dials: int, bank: Bank, autojump_clock: Clock
) -> None:
    """Used again just before IDLE_S_MAX it is the same connection; just after it is a new one, whatever the server
    promised."""

    async def serve(peer: Peer) -> None:
        while True:
            received = b""
            while not received.endswith(PAY.body):
                chunk = await peer.stream.receive_some()
                if not chunk:
                    return
                received += chunk
            await peer.stream.send_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nkeep-alive: timeout=60\r\n\r\n<ok/>")

    bank.alpn, bank.scripts = ("http/1.1",), [serve]
    pool = await bank.pool()
    assert await outcome(pool) == "200 <ok/>"
    await trio.sleep(IDLE_S_MAX + over)
    assert await outcome(pool) == "200 <ok/>"
    assert bank.dials == dials


# ---------------------------------------------------------------- a bank that does not read


@fills("CONTROL_BYTES_MAX")
async def test_what_a_bank_may_make_us_owe(bank: Bank, autojump_clock: Clock) -> None:
    """While our sending is stuck, as many PINGs as fit into CONTROL_BYTES_MAX of acknowledgements are taken; one more
    ends the session, and what was written on it is in doubt."""
    stuck, more = trio.Event(), trio.Event()
    ping = PingFrame(0, b"flooding").serialize()

    async def serve(peer: Peer) -> None:
        await peer.greet()
        await peer.request()
        await stuck.wait()
        await peer.stream.send_all(ping)  # whose acknowledgement sticks on its way
        await trio.testing.wait_all_tasks_blocked()
        await peer.stream.send_all(ping * (CONTROL_BYTES_MAX // PING_ACK_BYTES))
        await more.wait()
        await peer.stream.send_all(ping)
        await trio.sleep_forever()

    bank.scripts = [serve]
    pool = await bank.pool()
    tally = Tally()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(tally.pay, pool)
        await trio.sleep(1)
        bank.wires[0].send_stream.send_all_hook = trio.sleep_forever
        stuck.set()
        await trio.sleep(1)
        assert (tally.ends, pool.snapshot().sessions) == ([], 1)
        more.set()
    assert tally.ends == ["MaybeSent REPLY_UNREADABLE"]
    await trio.testing.wait_all_tasks_blocked()
    assert pool.snapshot().sessions == 0


@asynccontextmanager
async def _running(pool: object) -> AsyncIterator[None]:
    async with trio.open_nursery() as nursery:
        await nursery.start(pool.run)  # type: ignore[attr-defined]
        yield
        nursery.cancel_scope.cancel()


@fills("GOODBYE_S_MAX")
async def test_a_goodbye_waits_for_nobody(bank: Bank, autojump_clock: Clock) -> None:
    """A bank that does not read when we close holds us up for GOODBYE_S_MAX, and not a moment longer."""
    pool = bank.new_pool()
    async with _running(pool):
        assert await outcome(pool) == "200 <ok/>"
        bank.wires[0].send_stream.send_all_hook = trio.sleep_forever
        closed_at = trio.current_time()
    assert trio.current_time() - closed_at == pytest.approx(GOODBYE_S_MAX)
