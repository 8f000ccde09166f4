"""Claims about a core that runs out: what has been begun comes first."""

import grpc
import trio
import trio.testing

from gateway.ingress.shedding import BUSY_SHARE, BUSY_WINDOW_S, CROWDED, Submissions
from gateway.net import http2
from gateway.rpc.callers import CROWD_S_MAX
from gateway.rpc.framing import frame
from gateway.rpc.server import Server
from tests.fills import fills
from tests.rpc.echo import Echo
from tests.rpc.raw_peer import HEADERS, raw_peer


class Clocks:
    """The wall's, and what this process had of a core."""

    def __init__(self) -> None:
        self.now_s = self.worked_s = 0.0

    def passed(self, seconds: float, share: float) -> None:
        self.now_s += seconds
        self.worked_s += seconds * share


def submissions() -> tuple[Submissions, Clocks]:
    clocks = Clocks()
    return Submissions(lambda: clocks.now_s, lambda: clocks.worked_s), clocks


def test_crowded_is_many_calls_for_want_of_the_core() -> None:
    """Few calls are no crowd however busy the core is; many that wait for a disk are none either: those are refused."""
    open_calls, clocks = submissions()
    open_calls.open = CROWDED - 1
    clocks.passed(BUSY_WINDOW_S, 1.0)
    assert not open_calls.crowded()
    open_calls.open = CROWDED
    assert open_calls.crowded()
    clocks.passed(BUSY_WINDOW_S, BUSY_SHARE - 0.1)
    assert not open_calls.crowded()
    clocks.passed(BUSY_WINDOW_S, BUSY_SHARE + 0.1)
    assert open_calls.crowded()
    open_calls.open = 0
    assert not open_calls.crowded()


@fills("CROWD_S_MAX")
async def test_a_crowded_server_reads_on_in_time(autojump_clock: trio.testing.MockClock) -> None:
    """While it is crowded a call waits in its socket, at most CROWD_S_MAX for each slice; then it is answered."""
    server = Server(crowded=lambda: True)
    Echo().add_to(server)
    async with raw_peer(server) as peer:
        began = trio.current_time()
        stream_id = await peer.request(HEADERS, frame(b""))
        await peer.wait_for(http2.StreamEnded, stream_id)
        assert CROWD_S_MAX <= trio.current_time() - began <= 4 * CROWD_S_MAX
        assert peer.fields_of(stream_id)[b"grpc-status"] == str(grpc.StatusCode.OK.value[0]).encode()


async def test_when_there_is_room_again_nobody_waits(autojump_clock: trio.testing.MockClock) -> None:
    """The slices that waited are read at once, of all connections in turn."""
    crowded = True
    server = Server(crowded=lambda: crowded)
    Echo().add_to(server)
    async with raw_peer(server) as one, raw_peer(server) as other:
        await trio.sleep(2 * CROWD_S_MAX)
        crowded = False
        began = trio.current_time()
        for peer in (one, other):
            stream_id = await peer.request(HEADERS, frame(b""))
            await peer.wait_for(http2.StreamEnded, stream_id)
        assert trio.current_time() - began < CROWD_S_MAX
