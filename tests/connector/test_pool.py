"""The pool: who carries a request, bounds, replacement, and what one bank can do to another."""

from collections import Counter
from functools import partial

import h2.errors
import h2.events
import h2.settings
import trio

from gateway.net.tls import client_context
from tests.connector.bank import Bank, Peer, Tally, outcome
from tests.connector.test_link_http2 import goaway
from tests.fakes.papers import Papers

Clock = trio.testing.MockClock


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


async def test_snapshot_shows_sessions_and_expiry(bank: Bank, autojump_clock: Clock) -> None:
    """Operators see sessions, load, the earlier expiry of both certificates, and the reason of the last failure."""
    pool = await bank.pool()
    assert pool.snapshot().certificate_expires_at is None
    assert await outcome(pool) == "200 <ok/>"
    snapshot = pool.snapshot()
    assert (snapshot.sessions, snapshot.in_flight, snapshot.last_failure) == (1, 0, "")
    assert snapshot.certificate_expires_at is not None
