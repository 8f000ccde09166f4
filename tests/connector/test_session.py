"""One session at work: flow control, deadlines, cancellation, signs of life, stuck and failing writes."""

from functools import partial

import h2.errors
import h2.events
import h2.settings
import pytest
import trio

from gateway.core.errors import NotSent
from gateway.core.ports import WireRequest
from tests.connector.bank import PAY, Bank, Peer, Tally, outcome

Clock = trio.testing.MockClock
BIG = WireRequest("POST", "/bulk", (), bytes(range(256)) * 4_000)  # 1 MB


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


async def test_what_is_not_wanted_any_more_never_becomes_bytes(bank: Bank, autojump_clock: Clock) -> None:
    """Whether a request is still wanted is asked when it becomes bytes, not when it is handed over: one that waits
    behind a stuck send and is called off meanwhile is not sent, and those before and behind it are."""
    served: list[str] = []

    async def serve(peer: Peer) -> None:
        await peer.greet()
        while True:
            event = await peer.event(h2.events.RequestReceived)
            served.append(dict(event.headers)[":path"])
            await peer.answer(event.stream_id)

    bank.scripts = [serve]
    pool = await bank.pool(sessions_max=1)
    assert await outcome(pool) == "200 <ok/>"
    go_on = trio.Event()
    deliver = bank.wires[0].send_stream.send_all_hook
    assert deliver is not None

    async def stick() -> None:
        await go_on.wait()
        await deliver()

    bank.wires[0].send_stream.send_all_hook = stick
    wanted = {"/first": True, "/moved-on": True, "/last": True}
    ends: dict[str, str] = {}

    async def pay(path: str) -> None:
        try:
            answer = await pool.exchange(WireRequest("POST", path), timeout_s=60, wanted=lambda: wanted[path])
            ends[path] = str(answer.status)
        except NotSent as error:
            ends[path] = f"NotSent {error.reason}"

    async with trio.open_nursery() as nursery:
        for path in wanted:
            nursery.start_soon(pay, path)
            await trio.testing.wait_all_tasks_blocked()
        wanted["/first"] = wanted["/moved-on"] = False  # too late for the first: its bytes are made
        go_on.set()
    assert ends == {"/first": "200", "/moved-on": "NotSent NEVER_WRITTEN", "/last": "200"}
    assert served == ["/payments", "/first", "/last"]


async def test_failed_write_is_doubt(bank: Bank, autojump_clock: Clock) -> None:
    """A send that fails may have brought the whole request to the bank."""
    pool = await bank.pool(sessions_max=1)
    assert await outcome(pool) == "200 <ok/>"

    async def fail() -> None:
        raise trio.BrokenResourceError

    bank.wires[0].send_stream.send_all_hook = fail
    assert await outcome(pool) == "MaybeSent REPLY_LOST"
    assert await outcome(pool) == "200 <ok/>"


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
