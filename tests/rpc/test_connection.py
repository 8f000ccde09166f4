"""Connections in time: keepalive, age, drain."""

import trio
import trio.testing

from gateway.net import http2
from gateway.rpc.framing import frame
from gateway.rpc.server import Server
from tests.fills import fills
from tests.rpc.abused import HANG, assert_works, server
from tests.rpc.echo import Echo
from tests.rpc.raw_peer import HEADERS, headers, raw_peer


async def test_silent_before_the_preface(autojump_clock: trio.testing.MockClock) -> None:
    """A connection that never says anything is closed after the preface timeout."""
    _ours, theirs = trio.testing.memory_stream_pair()
    with trio.fail_after(11):
        await server().serve_stream(theirs)


async def test_keepalive_closes_a_dead_connection(autojump_clock: trio.testing.MockClock) -> None:
    """Silence is answered with a PING, and silence after that with closing; handlers are cancelled."""
    echo = Echo()
    chosen = Server()
    echo.add_to(chosen)
    async with raw_peer(chosen) as peer:
        await peer.request(HANG, frame(b""))
        with trio.fail_after(141):
            await echo.cancelled.wait()
        await peer.wait_for_eof()
        assert peer.count(http2.PingReceived)


async def test_keepalive_spares_a_live_connection(autojump_clock: trio.testing.MockClock) -> None:
    """A peer that acknowledges pings may be idle for hours."""
    async with raw_peer(server(abuse_burst=10_000)) as peer:
        with trio.move_on_after(7_200):
            await peer.wait_for_eof()
        assert not peer.eof
        await assert_works(peer)


@fills("connection_age_s")
async def test_age(autojump_clock: trio.testing.MockClock) -> None:
    """An aged connection is drained: running calls end, then it closes."""
    async with raw_peer(server(connection_age_s=60.0)) as peer:
        await assert_works(peer)
        with trio.fail_after(67):
            await peer.wait_for_eof()
        assert trio.current_time() >= 54
        assert peer.goaway is not None
        assert peer.goaway.error_code == http2.ErrorCodes.NO_ERROR


async def test_drain_lets_calls_finish(autojump_clock: trio.testing.MockClock) -> None:
    """Draining says GOAWAY twice, serves what began before the second, refuses what comes after, then closes."""
    chosen = server()
    async with raw_peer(chosen) as peer, trio.open_nursery() as nursery:
        running = await peer.request(headers(path=b"/test.Echo/Concat"), frame(b"a"), end=False)
        nursery.start_soon(chosen.drain, 30.0)
        first = await peer.wait_for(http2.ConnectionTerminated)
        assert isinstance(first, http2.ConnectionTerminated)
        assert first.last_stream_id == 2**31 - 1
        peer.events.remove(first)
        second = await peer.wait_for(http2.ConnectionTerminated)
        assert isinstance(second, http2.ConnectionTerminated)
        assert second.last_stream_id == running
        late = await peer.request(HEADERS, frame(b"late"))
        refused = await peer.wait_for(http2.StreamReset, late)
        assert isinstance(refused, http2.StreamReset)
        assert refused.error_code == http2.ErrorCodes.REFUSED_STREAM
        peer.h2.send_data(running, frame(b"b"), end_stream=True)
        await peer.flush()
        await peer.wait_for_eof()
        assert peer.data_of(running) == frame(b"ab")
        assert trio.current_time() < 5


async def test_drain_ends_after_its_grace(autojump_clock: trio.testing.MockClock) -> None:
    """A call that does not end within the grace is cancelled and told UNAVAILABLE."""
    chosen = server()
    async with raw_peer(chosen) as peer, trio.open_nursery() as nursery:
        stuck = await peer.request(HANG, frame(b""))
        nursery.start_soon(chosen.drain, 5.0)
        await peer.wait_for_eof()
        assert peer.fields_of(stuck)[b"grpc-status"] == b"14"
        assert 5 <= trio.current_time() < 8


async def test_drain_of_an_idle_connection(autojump_clock: trio.testing.MockClock) -> None:
    """A connection without calls closes at once when drained."""
    chosen = server()
    async with raw_peer(chosen) as peer, trio.open_nursery() as nursery:
        nursery.start_soon(chosen.drain, 30.0)
        await peer.wait_for_eof()
        assert trio.current_time() < 2


async def test_goaway_of_the_client_does_not_end_its_calls(autojump_clock: trio.testing.MockClock) -> None:
    """A client may say GOAWAY and still read the answers it waits for."""
    async with raw_peer(server()) as peer:
        stream_id = await peer.request(headers(path=b"/test.Echo/Concat"), frame(b"a"), end=False)
        peer.h2.close_connection()
        await peer.flush()
        await trio.testing.wait_all_tasks_blocked()
        peer.h2.send_data(stream_id, frame(b"b"), end_stream=True)
        await peer.flush()
        await peer.wait_for(http2.StreamEnded, stream_id)
        assert peer.data_of(stream_id) == frame(b"ab")


async def test_drain_does_not_wait_for_who_has_left(autojump_clock: trio.testing.MockClock) -> None:
    """A connection that breaks while it is drained is done; the grace is not waited for."""
    chosen = server()
    async with raw_peer(chosen) as peer, trio.open_nursery() as nursery:
        await peer.request(HANG, frame(b""))
        nursery.start_soon(peer.stream.aclose)
        await chosen.drain(1_000.0)
    assert trio.current_time() < 5


async def test_smaller_header_table(autojump_clock: trio.testing.MockClock) -> None:
    """A client that shrinks its header table is told, as HPACK demands, that ours is empty."""
    async with raw_peer(server()) as peer:
        peer.h2.update_settings({http2.SettingCodes.HEADER_TABLE_SIZE: 100})
        await peer.flush()
        await peer.wait_for(http2.SettingsAcknowledged)
        await assert_works(peer)
