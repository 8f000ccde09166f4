"""A server with a small, never refilled abuse budget, and what its peers see of it."""

import dataclasses

from gateway.net import http2
from gateway.rpc.framing import frame
from gateway.rpc.limits import ServerLimits
from gateway.rpc.server import Server
from tests.rpc.echo import Echo
from tests.rpc.raw_peer import HEADERS, RawPeer, headers

HANG = headers(path=b"/test.Echo/Hang")
BURST = 20


def server(**limits: float) -> Server:
    """An echo server whose abuse budget is small and does not come back, with these other limits."""
    chosen = dataclasses.replace(
        ServerLimits(abuse_burst=BURST, abuse_refill_per_s=0.0),
        **limits,  # type: ignore[arg-type]
    )
    made = Server(limits=chosen)
    Echo().add_to(made)
    return made


async def assert_calmed(peer: RawPeer, reason: bytes | None = None) -> None:
    """The server says ENHANCE_YOUR_CALM and closes."""
    await peer.wait_for_eof()
    assert peer.goaway is not None
    assert peer.goaway.error_code == http2.ErrorCodes.ENHANCE_YOUR_CALM
    if reason is not None:
        assert peer.goaway.additional_data == reason


async def assert_works(peer: RawPeer) -> None:
    """A call on this connection is answered."""
    stream_id = await peer.request(HEADERS, frame(b"works"))
    await peer.wait_for(http2.StreamEnded, stream_id)
    assert peer.data_of(stream_id) == frame(b"works")
