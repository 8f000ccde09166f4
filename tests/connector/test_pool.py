"""The pool: who carries a request, bounds, replacement, signs of life, and what one bank can do to another."""

from collections import Counter
from functools import partial

import h2.errors
import h2.events
import h2.settings
import pytest
import trio

from gateway.core.ports import WireRequest
from gateway.net.tls import client_context
from tests.connector.bank import PAY, Bank, Peer, outcome
from tests.connector.test_link_http2 import goaway
from tests.fakes.papers import Papers

Clock = trio.testing.MockClock
BIG = WireRequest("POST", "/bulk", (), bytes(range(256)) * 4_000)  # 1 MB


class Tally:
    """Outcomes of exchanges that run beside the test."""

    def __init__(self) -> None:
        self.ends: list[str] = []

    async def pay(self, pool: object, **more: float) -> None:
        self.ends.append(await outcome(pool, **more))  # type: ignore[arg-type]


async def test_many_requests_share_one_connection_and_one_send(bank: Bank, autojump_clock: Clock) -> None:
    """Requests of one loop turn leave together: 80 of them cost one connection and one send."""
    pool = await bank.pool()
    assert await outcome(pool) == "200 <ok/>"
    sends = 0
    pump = bank.wires[0].send_stream.send_all_hook

    async def count() -> None:
        nonlocal sends
        sends += 1
        await pump() if pump else None

    bank.wires[0].send_stream.send_all_hook = count
    tally = Tally()
    async with trio.open_nursery() as nursery:
        for _ in range(80):
            nursery.start_soon(tally.pay, pool)
    assert tally.ends == ["200 <ok/>"] * 80
    assert bank.dials == 1
    assert sends < 20, "one for the requests, the others acknowledge answers"


async def test_streams_and_sessions_are_bounded(bank: Bank, autojump_clock: Clock) -> None:
    """Never more than sessions_max connections with streams_per_session_max requests each; the others wait."""
    busiest: list[int] = []

    async def serve(peer: Peer) -> None:
        await peer.greet()
        while True:
            waiting = [await peer.request()]
            with trio.move_on_after(1):
                while True:
                    waiting.append(await peer.request())
            busiest.append(len(waiting))
            for stream_id in waiting:
                await peer.answer(stream_id)

    bank.scripts = [serve]
    pool = await bank.pool(sessions_max=2, streams_per_session_max=3)
    tally = Tally()
    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(tally.pay, pool)
    assert tally.ends == ["200 <ok/>"] * 20
    assert bank.dials == 2
    assert max(busiest) == 3


async def test_waiting_is_bounded(bank: Bank, autojump_clock: Clock) -> None:
    """The request that would wait as number waiting_max + 1 is refused at once, unwritten."""
    pool = await bank.pool(dial=trio.sleep_forever, waiting_max=3)
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(outcome, pool)
        await trio.testing.wait_all_tasks_blocked()
        before = trio.current_time()
        assert await outcome(pool) == "NotSent NEVER_WRITTEN"
        assert trio.current_time() == before
        nursery.cancel_scope.cancel()


async def test_late_answer_is_dropped_without_harm(bank: Bank, autojump_clock: Clock) -> None:
    """The answer to a request whose deadline has passed changes nothing for the others on the session."""
    resets: list[h2.events.StreamReset] = []

    async def serve(peer: Peer) -> None:
        await peer.greet()
        late, good = await peer.request(), await peer.request()
        resets.append(await peer.event(h2.events.StreamReset))
        # h2 will not answer a stream that was reset; a bank whose answer crossed the reset does.
        peer.connection.streams.pop(late)
        block = peer.connection.encoder.encode([(":status", "200")])
        frame = len(block).to_bytes(3, "big") + b"\x01\x04" + late.to_bytes(4, "big") + block
        await peer.stream.send_all(frame + b"\x00\x00\x04\x00\x01" + late.to_bytes(4, "big") + b"late")
        await peer.answer(good)
        await trio.sleep_forever()

    bank.scripts = [serve]
    pool = await bank.pool()
    tally = Tally()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(tally.pay, pool, timeout_s=2))
        await trio.sleep(1)
        nursery.start_soon(tally.pay, pool)
    assert tally.ends == ["MaybeSent REPLY_TIMEOUT", "200 <ok/>"]
    assert [each.error_code for each in resets] == [h2.errors.ErrorCodes.CANCEL]


async def test_cancelled_caller_resets_its_stream_only(bank: Bank, autojump_clock: Clock) -> None:
    """Cancelling an exchange tells the bank RST_STREAM with CANCEL, and the session goes on."""

    async def serve(peer: Peer) -> None:
        await peer.greet()
        cancelled = await peer.request()
        reset = await peer.event(h2.events.StreamReset)
        assert (reset.stream_id, reset.error_code) == (cancelled, h2.errors.ErrorCodes.CANCEL)
        await peer.answer(await peer.request())
        await trio.sleep_forever()

    bank.scripts = [serve]
    pool = await bank.pool()
    with trio.move_on_after(1) as scope:
        await pool.exchange(PAY, timeout_s=60)
    assert scope.cancelled_caught
    assert await outcome(pool) == "200 <ok/>"
    assert (bank.dials, pool.snapshot().in_flight) == (1, 0)


async def test_goaway_rotation_under_load_leaves_no_doubt(bank: Bank, autojump_clock: Clock) -> None:
    """A bank that says GOAWAY after every third request, in the middle of others, costs no doubt: each exchange is
    answered or provably not sent, and is then sent again."""

    async def serve(peer: Peer) -> None:
        await peer.greet()
        ids = [await peer.request() for _ in range(3)]
        await peer.stream.send_all(goaway(ids[-1]))
        for stream_id in ids:
            await trio.sleep(0.2)
            await peer.answer(stream_id)

    bank.scripts = [serve]
    pool = await bank.pool(sessions_max=3, streams_per_session_max=10)
    tally = Counter[str]()

    async def pay_until_answered() -> None:
        for _ in range(50):
            end = await outcome(pool, timeout_s=60)
            tally[end] += 1
            if end.startswith("200"):
                return
        raise AssertionError("never answered")

    async with trio.open_nursery() as nursery:
        for _ in range(60):
            nursery.start_soon(pay_until_answered)
    assert tally.pop("200 <ok/>") == 60
    assert set(tally) <= {"NotSent GOAWAY_ABOVE_LAST"}


async def test_replaced_session_finishes_its_streams(bank: Bank, autojump_clock: Clock) -> None:
    """After GOAWAY new requests go to a new session at once, and the old one still brings its answer."""
    go_on = trio.Event()

    async def leaving(peer: Peer) -> None:
        await peer.greet()
        stream_id = await peer.request()
        await peer.stream.send_all(goaway(stream_id))
        await go_on.wait()
        await peer.answer(stream_id, b"old")

    bank.scripts = [leaving, Peer.serve]
    pool = await bank.pool(sessions_max=1)
    tally = Tally()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(tally.pay, pool, timeout_s=60))
        await trio.sleep(1)
        assert await outcome(pool) == "200 <ok/>"
        go_on.set()
    assert tally.ends == ["200 old"]
    await trio.sleep(1)
    assert pool.snapshot().sessions == 1


async def test_old_age_replaces_a_session(bank: Bank, autojump_clock: Clock) -> None:
    """A session takes new requests for at most session_age_s_max, with a context made anew for its successor; the
    certificates are then read again."""
    contexts: list[object] = []
    papers = bank.papers

    def make() -> object:
        contexts.append(client_context(papers.client_files()))
        return contexts[-1]

    pool = await bank.pool(session_age_s_max=100, tls_context=make)
    for _ in range(4):
        assert await outcome(pool) == "200 <ok/>"
        await trio.sleep(50)
    assert 2 <= bank.dials <= 3
    assert len(set(map(id, contexts))) == bank.dials


async def test_number_of_exchanges_replaces_a_session(bank: Bank, autojump_clock: Clock) -> None:
    """A session carries at most exchanges_per_session_max, so stream ids never run out."""
    pool = await bank.pool(exchanges_per_session_max=2, sessions_max=1)
    tally = Tally()
    async with trio.open_nursery() as nursery:
        for _ in range(7):
            nursery.start_soon(tally.pay, pool)
    assert tally.ends == ["200 <ok/>"] * 7
    assert bank.dials == 4


async def test_silent_bank_is_asked_and_given_up(bank: Bank, autojump_clock: Clock) -> None:
    """20 to 30 s of silence bring a PING, 10 s without an answer end the session, in doubt."""
    asked_at: list[float] = []

    async def serve(peer: Peer) -> None:
        await peer.greet()
        await peer.request()
        peer.connection.data_to_send = lambda amount=None: b""  # from now on it reads and says nothing
        await peer.event(h2.events.PingReceived)
        asked_at.append(trio.current_time())
        await trio.sleep_forever()

    bank.scripts = [serve]
    pool = await bank.pool()
    start = trio.current_time()
    assert await outcome(pool, timeout_s=1_000) == "MaybeSent REPLY_LOST"
    assert 20 <= asked_at[0] - start <= 30
    assert 30 <= trio.current_time() - start <= 41


async def test_answered_ping_keeps_a_session(bank: Bank, autojump_clock: Clock) -> None:
    """A bank that answers PINGs may take its time, and an idle session stays."""

    async def serve(peer: Peer) -> None:
        await peer.greet()
        stream_id = await peer.request()
        for _ in range(5):
            await peer.event(h2.events.PingReceived)
        await peer.answer(stream_id)
        await peer.answer(await peer.request())

    bank.scripts = [serve]
    pool = await bank.pool()
    assert await outcome(pool, timeout_s=1_000) == "200 <ok/>"
    assert await outcome(pool) == "200 <ok/>"
    assert bank.dials == 1


async def test_stalled_bank_stalls_only_its_own_pool(
    bank: Bank, papers: Papers, nursery: trio.Nursery, autojump_clock: Clock
) -> None:
    """A bank that takes connections and then nothing more does not delay another bank's exchange by a second."""
    stalled = Bank(papers, nursery)
    slow = await stalled.pool(waiting_max=10)
    assert await outcome(slow) == "200 <ok/>"
    stalled.wires[0].send_stream.send_all_hook = trio.sleep_forever
    fast = await bank.pool()
    async with trio.open_nursery() as others:
        for _ in range(10):
            others.start_soon(outcome, slow)
        await trio.testing.wait_all_tasks_blocked()
        start = trio.current_time()
        for _ in range(10):
            assert await outcome(fast) == "200 <ok/>"
        assert trio.current_time() == start
        others.cancel_scope.cancel()


async def test_clogged_wire_tells_written_from_unwritten(bank: Bank, autojump_clock: Clock) -> None:
    """While a send is stuck, later requests stay unwritten and say so at their deadline; the stuck one is doubt."""
    pool = await bank.pool()
    assert await outcome(pool) == "200 <ok/>"
    bank.wires[0].send_stream.send_all_hook = trio.sleep_forever
    tally = Tally()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(tally.pay, pool)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(partial(tally.pay, pool, timeout_s=5))
    assert sorted(tally.ends) == ["MaybeSent REPLY_TIMEOUT", "NotSent NEVER_WRITTEN"]


async def test_failed_write_is_doubt(bank: Bank, autojump_clock: Clock) -> None:
    """A send that fails may have brought the whole request to the bank."""
    pool = await bank.pool(sessions_max=1)
    assert await outcome(pool) == "200 <ok/>"

    async def fail() -> None:
        raise trio.BrokenResourceError

    bank.wires[0].send_stream.send_all_hook = fail
    assert await outcome(pool) == "MaybeSent REPLY_LOST"
    assert await outcome(pool) == "200 <ok/>"


async def test_closing_the_pool_ends_every_exchange(bank: Bank, autojump_clock: Clock) -> None:
    """When the pool is cancelled, what was written is in doubt, what waited is not sent, later ones are refused."""

    async def serve(peer: Peer) -> None:
        await peer.greet({h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 1})
        await peer.request()
        await trio.sleep_forever()

    bank.scripts = [serve]
    pool = bank.new_pool(sessions_max=1)
    tally = Tally()
    async with trio.open_nursery() as callers, trio.open_nursery() as own:
        await own.start(pool.run)
        callers.start_soon(tally.pay, pool)
        await trio.testing.wait_all_tasks_blocked()
        callers.start_soon(tally.pay, pool)
        await trio.testing.wait_all_tasks_blocked()
        own.cancel_scope.cancel()
    assert sorted(tally.ends) == ["MaybeSent REPLY_LOST", "NotSent NEVER_WRITTEN"]
    assert await outcome(pool) == "NotSent NEVER_WRITTEN"


@pytest.mark.parametrize("window", [1, 1_000, 65_535, 2**20])
async def test_large_bodies_cross_any_window(window: int, bank: Bank, autojump_clock: Clock) -> None:
    """A body and an answer larger than the windows arrive whole, also while SETTINGS shrink the window below what is
    already in flight."""
    size = len(BIG.body) if window > 1 else 300
    request = WireRequest("POST", "/bulk", (), BIG.body[:size])

    async def serve(peer: Peer) -> None:
        await peer.greet({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window})
        received = bytearray()
        await peer.event(h2.events.RequestReceived)
        while len(received) < size:
            event = await peer.event(h2.events.DataReceived)
            received += event.data
            if len(received) == window:
                peer.connection.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: max(1, window // 2)})
                await peer.flush()
        left = memoryview(bytes(received))
        peer.connection.send_headers(1, [(":status", "200")])
        while left:
            room = min(peer.connection.local_flow_control_window(1), peer.connection.max_outbound_frame_size)
            if room <= 0:
                await peer.event(h2.events.WindowUpdated)
                continue
            peer.connection.send_data(1, bytes(left[:room]), end_stream=len(left) <= room)
            left = left[room:]
            await peer.flush()
        await trio.sleep_forever()

    bank.scripts = [serve]
    pool = await bank.pool()
    answer = await pool.exchange(request, timeout_s=60)
    assert answer.body == request.body


async def test_streams_limit_lowered_in_flight(bank: Bank, autojump_clock: Clock) -> None:
    """When SETTINGS lower the limit below what is open, nothing new begins until there is room again."""

    async def serve(peer: Peer) -> None:
        await peer.greet()
        ids = [await peer.request() for _ in range(3)]
        peer.connection.update_settings({h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 1})
        await peer.flush()
        await peer.event(h2.events.SettingsAcknowledged)
        for stream_id in ids:
            await trio.sleep(1)
            await peer.answer(stream_id)
        while True:
            stream_id = await peer.request()
            with trio.move_on_after(1):
                await peer.request()
                raise AssertionError("two at a time")
            await peer.answer(stream_id)

    bank.scripts = [serve]
    pool = await bank.pool(sessions_max=1)
    tally = Tally()
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(partial(tally.pay, pool, timeout_s=60))
        await trio.sleep(0.5)
        for _ in range(3):
            nursery.start_soon(partial(tally.pay, pool, timeout_s=60))
    assert tally.ends == ["200 <ok/>"] * 6


async def test_answer_before_the_end_of_the_request(bank: Bank, autojump_clock: Clock) -> None:
    """A bank may answer without reading all (413, say): the answer counts and the rest is not sent."""

    async def serve(peer: Peer) -> None:
        await peer.greet({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 100})
        await peer.event(h2.events.RequestReceived)
        await peer.answer(1, b"", 413)
        assert (await peer.event(h2.events.StreamReset)).error_code == h2.errors.ErrorCodes.CANCEL
        await peer.event(h2.events.RequestReceived)
        await peer.answer(3)
        await trio.sleep_forever()

    bank.scripts = [serve]
    pool = await bank.pool()
    assert await outcome(pool, BIG) == "413 "
    assert await outcome(pool) == "200 <ok/>"


async def test_flood_of_pings_is_bounded(bank: Bank, autojump_clock: Clock) -> None:
    """A bank that asks for acknowledgements and does not read them loses the session, not our memory."""
    flooding = trio.Event()

    async def serve(peer: Peer) -> None:
        await peer.greet()
        await peer.request()
        flooding.set()
        while True:
            await peer.stream.send_all(b"\x00\x00\x08\x06\x00\x00\x00\x00\x00flooding" * 1_000)

    bank.scripts = [serve]
    pool = await bank.pool()
    tally = Tally()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(tally.pay, pool)
        await flooding.wait()
        bank.wires[0].send_stream.send_all_hook = trio.sleep_forever
    assert tally.ends == ["MaybeSent REPLY_UNREADABLE"]


async def test_snapshot_shows_sessions_and_expiry(bank: Bank, autojump_clock: Clock) -> None:
    """Operators see sessions, load, the earlier expiry of both certificates, and the reason of the last failure."""
    pool = await bank.pool()
    assert pool.snapshot().certificate_expires_at is None
    assert await outcome(pool) == "200 <ok/>"
    snapshot = pool.snapshot()
    assert (snapshot.sessions, snapshot.in_flight, snapshot.last_failure) == (1, 0, "")
    assert snapshot.certificate_expires_at is not None


async def test_header_and_authority(bank: Bank, autojump_clock: Clock) -> None:
    """The request carries the configured authority, the adapter's headers as they are, and the body's length."""
    seen: list[tuple[str, str]] = []

    async def serve(peer: Peer) -> None:
        await peer.greet()
        event = await peer.event(h2.events.RequestReceived)
        seen.extend(event.headers)
        await peer.answer(event.stream_id)

    bank.scripts = [serve]
    assert await outcome(await bank.pool(authority="api.bank.example:8443")) == "200 <ok/>"
    assert seen == [
        (":method", "POST"),
        (":scheme", "https"),
        (":authority", "api.bank.example:8443"),
        (":path", "/payments"),
        ("content-type", "application/xml"),
        ("content-length", "11"),
    ]
