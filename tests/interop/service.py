"""grpc.testing.TestService on our server, as gRPC's interop test descriptions define it."""

from collections.abc import AsyncIterator

import grpc
import trio

from gateway.rpc.context import Context
from gateway.rpc.server import Requests
from tests.interop import testing_pb2 as pb
from tests.interop import testing_pb2_grpc

INITIAL_KEY = "x-grpc-test-echo-initial"
TRAILING_KEY = "x-grpc-test-echo-trailing-bin"


class TestService(testing_pb2_grpc.TestServiceServicer):
    """UnimplementedCall is left to the generated base class, on purpose."""

    async def EmptyCall(self, request: pb.Empty, context: Context) -> pb.Empty:  # noqa: N802
        await echo_metadata(context)
        return pb.Empty()

    async def UnaryCall(self, request: pb.SimpleRequest, context: Context) -> pb.SimpleResponse:  # noqa: N802
        await check_compressed(request, context)
        if request.response_compressed.value:
            context.set_compression(grpc.Compression.Gzip)
        await echo_metadata(context)
        await end_with(request.response_status, request.HasField("response_status"), context)
        return pb.SimpleResponse(payload=payload(request.response_size))

    async def StreamingInputCall(  # noqa: N802
        self, requests: Requests[pb.StreamingInputCallRequest], context: Context
    ) -> pb.StreamingInputCallResponse:
        total = 0
        async for request in requests:
            await check_compressed(request, context)
            total += len(request.payload.body)
        return pb.StreamingInputCallResponse(aggregated_payload_size=total)

    async def StreamingOutputCall(  # noqa: N802
        self, request: pb.StreamingOutputCallRequest, context: Context
    ) -> AsyncIterator[pb.StreamingOutputCallResponse]:
        if any(wish.compressed.value for wish in request.response_parameters):
            context.set_compression(grpc.Compression.Gzip)
        async for response in answers(request, context):
            yield response

    async def FullDuplexCall(  # noqa: N802
        self, requests: Requests[pb.StreamingOutputCallRequest], context: Context
    ) -> AsyncIterator[pb.StreamingOutputCallResponse]:
        await echo_metadata(context)
        async for request in requests:
            await end_with(request.response_status, request.HasField("response_status"), context)
            async for response in answers(request, context):
                yield response

    async def HalfDuplexCall(  # noqa: N802
        self, requests: Requests[pb.StreamingOutputCallRequest], context: Context
    ) -> AsyncIterator[pb.StreamingOutputCallResponse]:
        for request in [request async for request in requests]:
            async for response in answers(request, context):
                yield response


async def answers(
    request: pb.StreamingOutputCallRequest, context: Context
) -> AsyncIterator[pb.StreamingOutputCallResponse]:
    for wish in request.response_parameters:
        await trio.sleep(wish.interval_us / 1e6)
        if wish.HasField("compressed"):
            wanted = grpc.Compression.Gzip if wish.compressed.value else grpc.Compression.NoCompression
            context.set_compression(wanted)
        yield pb.StreamingOutputCallResponse(payload=payload(wish.size))


def payload(size: int) -> pb.Payload:
    return pb.Payload(body=bytes(size))


async def check_compressed(request: pb.SimpleRequest | pb.StreamingInputCallRequest, context: Context) -> None:
    expected = request.expect_compressed.value
    if request.HasField("expect_compressed") and expected != context.request_was_compressed:
        await context.abort(
            grpc.StatusCode.INVALID_ARGUMENT,
            f"expected compressed: {expected}, was: {context.request_was_compressed}",
        )


async def echo_metadata(context: Context) -> None:
    metadata = dict(context.invocation_metadata())
    if TRAILING_KEY in metadata:
        context.set_trailing_metadata(((TRAILING_KEY, metadata[TRAILING_KEY]),))
    if INITIAL_KEY in metadata:
        await context.send_initial_metadata(((INITIAL_KEY, metadata[INITIAL_KEY]),))


async def end_with(status: pb.EchoStatus, wanted: bool, context: Context) -> None:
    if wanted and status.code:
        code = next(code for code in grpc.StatusCode if code.value[0] == status.code)
        await context.abort(code, status.message)
