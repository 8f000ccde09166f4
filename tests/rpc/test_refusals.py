"""Requests that are answered without a handler, each on its own stream only."""

import pytest
import trio
import trio.testing

from gateway.net import http2
from gateway.rpc.framing import frame
from tests.fills import fills
from tests.rpc.abused import HANG, assert_works, server
from tests.rpc.raw_peer import HEADERS, headers, raw_peer


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"method": b"GET"}, b"405"),
        ({"content_type": b"text/plain"}, b"415"),
        ({"content_type": None}, b"415"),
        ({"content_type": b"application/grpc-web"}, b"415"),
    ],
)
async def test_what_is_not_grpc(
    changes: dict[str, bytes | None], status: bytes, autojump_clock: trio.testing.MockClock
) -> None:
    """A request that is not gRPC gets an HTTP status, and the connection serves on."""
    async with raw_peer(server()) as peer:
        stream_id = await peer.request(headers(**changes), frame(b""))
        await peer.wait_for(http2.StreamEnded, stream_id)
        assert peer.fields_of(stream_id)[b":status"] == status
        await assert_works(peer)


@pytest.mark.parametrize(
    "changes",
    [
        {"content_type": b"application/grpc+proto"},
        {"content_type": b"application/grpc;charset=utf-8"},
        {"te": None},
    ],
)
async def test_what_is_grpc_too(changes: dict[str, bytes | None], autojump_clock: trio.testing.MockClock) -> None:
    """Other spellings of the content-type, and a missing te, are served."""
    async with raw_peer(server()) as peer:
        stream_id = await peer.request(headers(**changes), frame(b"x"))
        await peer.wait_for(http2.StreamEnded, stream_id)
        assert peer.fields_of(stream_id)[b"grpc-status"] == b"0"


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"grpc_encoding": b"snappy"}, b"12"),
        ({"grpc_timeout": b"soon"}, b"13"),
        ({"key_bin": b"*"}, b"13"),
    ],
)
async def test_grpc_headers_that_cannot_be_served(
    changes: dict[str, bytes | None], status: bytes, autojump_clock: trio.testing.MockClock
) -> None:
    """Unknown encodings and unreadable metadata end the call in one block that names what is accepted."""
    async with raw_peer(server()) as peer:
        stream_id = await peer.request(headers(**changes), frame(b""))
        await peer.wait_for(http2.StreamEnded, stream_id)
        fields = peer.fields_of(stream_id)
        assert fields[b"grpc-status"] == status
        assert fields[b"grpc-accept-encoding"] == b"identity,gzip"
        assert peer.count(http2.TrailersReceived)[stream_id] == 0
        await assert_works(peer)


async def test_malformed_request_is_a_stream_error(autojump_clock: trio.testing.MockClock) -> None:
    """A malformed request is reset with PROTOCOL_ERROR; the connection serves on."""
    async with raw_peer(server()) as peer:
        stream_id = await peer.request([*HEADERS, (b"connection", b"close")], frame(b""))
        event = await peer.wait_for(http2.StreamReset, stream_id)
        assert isinstance(event, http2.StreamReset)
        assert event.error_code == http2.ErrorCodes.PROTOCOL_ERROR
        await assert_works(peer)


@fills("max_concurrent_streams")
async def test_surplus_streams_are_refused(autojump_clock: trio.testing.MockClock) -> None:
    """One stream more than allowed is refused, to be tried again; the others are not touched."""
    async with raw_peer(server(max_concurrent_streams=3)) as peer:
        peer.h2.remote_settings[http2.SettingCodes.MAX_CONCURRENT_STREAMS] = 100  # it does not heed the limit
        peer.h2.remote_settings.acknowledge()
        first, *_ = [await peer.request(HANG, frame(b"")) for _ in range(3)]
        surplus = await peer.request(HANG, frame(b""))
        event = await peer.wait_for(http2.StreamReset, surplus)
        assert isinstance(event, http2.StreamReset)
        assert event.error_code == http2.ErrorCodes.REFUSED_STREAM
        peer.h2.reset_stream(first, http2.ErrorCodes.CANCEL)
        await assert_works(peer)


@pytest.mark.parametrize("fields", [HANG, [*HANG, (b"connection", b"close")]])
async def test_what_is_refused_may_be_reset_already(
    fields: list[tuple[bytes, bytes]], autojump_clock: trio.testing.MockClock
) -> None:
    """A stream that one read opens and resets is refused without harm to the connection."""
    async with raw_peer(server(max_concurrent_streams=1)) as peer:
        peer.h2.remote_settings[http2.SettingCodes.MAX_CONCURRENT_STREAMS] = 100
        peer.h2.remote_settings.acknowledge()
        running = await peer.request(headers(path=b"/test.Echo/Concat"), end=False)
        for _ in range(3):
            stream_id = peer.h2.get_next_available_stream_id()
            peer.h2.send_headers(stream_id, fields)
            peer.h2.reset_stream(stream_id, http2.ErrorCodes.CANCEL)
        await peer.flush()
        peer.h2.send_data(running, frame(b"a"), end_stream=True)
        await peer.flush()
        await peer.wait_for(http2.StreamEnded, running)
        assert peer.data_of(running) == frame(b"a")


async def test_upload_that_is_reset_in_the_same_read(autojump_clock: trio.testing.MockClock) -> None:
    """Data that would earn a WINDOW_UPDATE, followed by its stream's reset, does no harm to the connection."""
    async with raw_peer(server(stream_window_bytes=65_535)) as peer:
        stream_id = peer.h2.get_next_available_stream_id()
        peer.h2.send_headers(stream_id, headers(path=b"/test.Echo/Concat"))
        peer.h2.send_data(stream_id, b"\0" + (100_000).to_bytes(4, "big") + bytes(11_000))
        for _ in range(2):
            peer.h2.send_data(stream_id, bytes(16_000))
        peer.h2.reset_stream(stream_id, http2.ErrorCodes.CANCEL)
        await peer.flush()
        await assert_works(peer)
