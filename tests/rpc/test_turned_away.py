"""Claims about calls that the gate turns away."""

from itertools import count

import grpc
import trio.testing

from gateway.net import http2
from gateway.rpc.calls import TURNED_AWAY_MAX, _turned_away
from gateway.rpc.framing import frame
from gateway.rpc.server import Server
from gateway.rpc.status import Status
from tests.fills import fills
from tests.rpc.echo import Echo
from tests.rpc.raw_peer import HEADERS, raw_peer


@fills("TURNED_AWAY_MAX")
async def test_refusals_are_kept_as_bytes(autojump_clock: trio.testing.MockClock) -> None:
    """However many different things a gate says, no more than TURNED_AWAY_MAX ends of calls are kept ready-made."""
    said = (Status(grpc.StatusCode.RESOURCE_EXHAUSTED, f"full {number}") for number in count())
    server = Server(gate=lambda method: next(said))
    Echo().add_to(server)
    async with raw_peer(server) as peer:
        for number in range(TURNED_AWAY_MAX + 10):
            stream_id = await peer.request(HEADERS, frame(b""))
            await peer.wait_for(http2.StreamEnded, stream_id)
            assert peer.fields_of(stream_id)[b"grpc-message"] == b"full %d" % number
    assert _turned_away.cache_info().currsize == TURNED_AWAY_MAX
