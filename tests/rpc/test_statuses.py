"""How calls end other than well, and what the client is told."""

import logging

import grpc
import pytest
import trio
import trio.testing
from google.rpc import error_details_pb2, status_pb2

from gateway.net import http2
from gateway.rpc.client import CallFailed
from gateway.rpc.context import Context
from gateway.rpc.framing import frame
from gateway.rpc.server import Server
from gateway.rpc.status import RpcError, rich_status
from tests.rpc.echo import SMALL, Echo, channel_to, failure_of, path, server_of, server_with
from tests.rpc.raw_peer import headers, raw_peer


async def test_abort_carries_code_details_and_metadata(autojump_clock: trio.testing.MockClock) -> None:
    """context.abort ends the call with exactly what it was given, even if the handler catches its exception."""

    async def behaviour(request: bytes, context: Context) -> bytes:
        try:
            await context.abort(grpc.StatusCode.NOT_FOUND, "nö", (("key", "value"),))
        except Exception:
            return b"caught"

    error = await failure_of(server_with(behaviour))
    assert (error.code, error.details) == (grpc.StatusCode.NOT_FOUND, "nö")
    assert error.trailing_metadata == (("key", "value"),)


async def test_rich_error(autojump_clock: trio.testing.MockClock) -> None:
    """RpcError and abort_with_status carry google.rpc details, from inside nurseries too."""
    info = error_details_pb2.ErrorInfo(reason="WHY", domain="test")

    async def raises(request: bytes, context: Context) -> bytes:
        async def child() -> None:
            raise RpcError(grpc.StatusCode.FAILED_PRECONDITION, "no", [info])

        async with trio.open_nursery() as nursery:
            nursery.start_soon(child)
        return b""

    async def aborts(request: bytes, context: Context) -> bytes:
        await context.abort_with_status(rich_status(grpc.StatusCode.FAILED_PRECONDITION, "no", info))

    for behaviour in (raises, aborts):
        error = await failure_of(server_with(behaviour))
        assert error.code is grpc.StatusCode.FAILED_PRECONDITION
        details = dict(error.trailing_metadata)["grpc-status-details-bin"]
        status = status_pb2.Status.FromString(details)
        unpacked = error_details_pb2.ErrorInfo()
        assert (status.code, status.message) == (9, "no")
        assert status.details[0].Unpack(unpacked)
        assert unpacked == info


async def test_unexpected_exception_tells_the_client_nothing(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A handler's accident is UNKNOWN to the client and a traceback in our log."""

    async def behaviour(request: bytes, context: Context) -> bytes:
        raise ValueError("account 4711")

    with caplog.at_level(logging.ERROR):
        error = await failure_of(server_with(behaviour))
    assert error.code is grpc.StatusCode.UNKNOWN
    assert "4711" not in error.details
    assert "4711" in caplog.text


async def test_set_code_and_details(autojump_clock: trio.testing.MockClock) -> None:
    """A handler may return after set_code and set_details; its response is then not sent."""

    async def behaviour(request: bytes, context: Context) -> bytes:
        context.set_code(grpc.StatusCode.DATA_LOSS)
        context.set_details("lost")
        return b"ignored"

    error = await failure_of(server_with(behaviour))
    assert (error.code, error.details) == (grpc.StatusCode.DATA_LOSS, "lost")


@pytest.mark.parametrize("kind", ["unary_unary", "stream_stream"])
async def test_method_of_the_generated_base_class(kind: str, autojump_clock: trio.testing.MockClock) -> None:
    """A method left to the generated servicer answers UNIMPLEMENTED, though it is a plain function."""

    def behaviour(request: object, context: Context) -> object:
        context.set_code(grpc.StatusCode.UNIMPLEMENTED)
        context.set_details("Method not implemented!")
        raise NotImplementedError("Method not implemented!")

    error = await failure_of(server_with(behaviour, kind))
    assert (error.code, error.details) == (grpc.StatusCode.UNIMPLEMENTED, "Method not implemented!")


async def test_unknown_method(autojump_clock: trio.testing.MockClock) -> None:
    """A method nobody serves is UNIMPLEMENTED."""
    error = await failure_of(server_of(Echo()), "Nothing")
    assert error.code is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize(("body", "code"), [(b"", b"12"), (frame(b"a") + frame(b"b"), b"13")])
async def test_unary_call_needs_exactly_one_message(
    body: bytes, code: bytes, autojump_clock: trio.testing.MockClock
) -> None:
    """A unary request of no message is UNIMPLEMENTED as in grpcio, one of two INTERNAL as in grpc-go."""
    async with raw_peer(server_of(Echo())) as peer:
        stream_id = await peer.request(headers(), body)
        await peer.wait_for(http2.StreamEnded, stream_id)
        assert peer.fields_of(stream_id)[b"grpc-status"] == code


@pytest.mark.parametrize("method", ["Unary", "Bidi"])
async def test_oversized_request(method: str, autojump_clock: trio.testing.MockClock) -> None:
    """A request over the limit is RESOURCE_EXHAUSTED, and the connection serves on."""
    async with channel_to(server_of(Echo(), SMALL)) as channel:
        with pytest.raises(CallFailed) as caught:
            await channel.unary_unary(path(method))(bytes(100_001))
        assert caught.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert await channel.unary_unary(path("Unary"))(b"x") == b"x"


async def test_oversized_response(autojump_clock: trio.testing.MockClock) -> None:
    """A response over the limit is RESOURCE_EXHAUSTED and is not sent."""
    async with channel_to(server_of(Echo(), SMALL)) as channel:
        async with channel.stream_unary(path("Concat"))() as call:
            await call.send_batch([bytes(60_000), bytes(60_000)])
            await call.end()
            with pytest.raises(CallFailed) as caught:
                await call.batch()
        assert caught.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_requests_that_nobody_can_read(autojump_clock: trio.testing.MockClock) -> None:
    """A request the deserializer refuses, and a response the serializer refuses, are INTERNAL."""

    async def behaviour(request: bytes, context: Context) -> object:
        return request

    def refuse(value: object) -> bytes:
        raise ValueError(value)

    for serializers in ({"request_deserializer": refuse}, {"response_serializer": refuse}):
        server = Server()
        handler = grpc.unary_unary_rpc_method_handler(behaviour, **serializers)
        server.add_registered_method_handlers("test.Echo", {"Method": handler})
        assert (await failure_of(server)).code is grpc.StatusCode.INTERNAL


async def test_request_cut_in_the_middle(autojump_clock: trio.testing.MockClock) -> None:
    """A request that ends inside a message cancels its handler and is INTERNAL."""
    async with raw_peer(server_of(Echo())) as peer:
        stream_id = await peer.request(headers(path=b"/test.Echo/Bidi"), frame(b"whole") + b"\0\0\0\0\5cut")
        await peer.wait_for(http2.StreamEnded, stream_id)
        assert peer.fields_of(stream_id)[b"grpc-status"] == b"13"
