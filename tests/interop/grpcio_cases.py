"""The canonical interop cases as a stock grpcio client runs them; each raises AssertionError if it fails.

They run in a worker thread: the synchronous client is the one most users have.
"""

import os
from collections.abc import Callable, Iterator
from queue import SimpleQueue

import grpc
import pytest

from tests.interop import testing_pb2 as pb
from tests.interop import testing_pb2_grpc
from tests.interop.conftest import Wire
from tests.interop.service import INITIAL_KEY, TRAILING_KEY

Stub = testing_pb2_grpc.TestServiceStub
LARGE_REQUEST, LARGE_RESPONSE = 271_828, 314_159
REQUEST_SIZES = (27_182, 8, 1_828, 45_904)
RESPONSE_SIZES = (31_415, 9, 2_653, 58_979)
TRUE, FALSE = pb.BoolValue(value=True), pb.BoolValue(value=False)
SPECIAL_MESSAGE = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"


def empty_unary(channel: grpc.Channel, wire: Wire) -> None:
    assert Stub(channel).EmptyCall(pb.Empty()) == pb.Empty()


def large_unary(channel: grpc.Channel, wire: Wire) -> None:
    request = pb.SimpleRequest(response_size=LARGE_RESPONSE, payload=body(LARGE_REQUEST))
    assert len(Stub(channel).UnaryCall(request).payload.body) == LARGE_RESPONSE


def client_streaming(channel: grpc.Channel, wire: Wire) -> None:
    requests = (pb.StreamingInputCallRequest(payload=body(size)) for size in REQUEST_SIZES)
    assert Stub(channel).StreamingInputCall(requests).aggregated_payload_size == 74_922


def server_streaming(channel: grpc.Channel, wire: Wire) -> None:
    responses = Stub(channel).StreamingOutputCall(wishes(*RESPONSE_SIZES))
    assert [len(response.payload.body) for response in responses] == list(RESPONSE_SIZES)


def ping_pong(channel: grpc.Channel, wire: Wire) -> None:
    pipe = Pipe()
    responses = Stub(channel).FullDuplexCall(pipe)
    for request_size, response_size in zip(REQUEST_SIZES, RESPONSE_SIZES, strict=True):
        request = wishes(response_size)
        request.payload.body = bytes(request_size)
        pipe.put(request)
        assert len(next(responses).payload.body) == response_size
    pipe.close()
    assert list(responses) == []


def empty_stream(channel: grpc.Channel, wire: Wire) -> None:
    assert list(Stub(channel).FullDuplexCall(iter(()))) == []


def client_compressed_unary(channel: grpc.Channel, wire: Wire) -> None:
    request = pb.SimpleRequest(response_size=LARGE_RESPONSE, payload=body(LARGE_REQUEST), expect_compressed=TRUE)
    call = Stub(channel).UnaryCall
    assert code_of(lambda: call(request)) is grpc.StatusCode.INVALID_ARGUMENT, "the server must look"
    assert len(call(request, compression=grpc.Compression.Gzip).payload.body) == LARGE_RESPONSE
    request.expect_compressed.value = False
    assert len(call(request).payload.body) == LARGE_RESPONSE


def server_compressed_unary(channel: grpc.Channel, wire: Wire) -> None:
    for compressed in (TRUE, FALSE):
        before = wire.sent_bytes
        request = pb.SimpleRequest(
            response_compressed=compressed, response_size=LARGE_RESPONSE, payload=body(LARGE_REQUEST)
        )
        assert len(Stub(channel).UnaryCall(request).payload.body) == LARGE_RESPONSE
        assert (wire.sent_bytes - before < LARGE_RESPONSE // 10) is compressed.value


def client_compressed_streaming(channel: grpc.Channel, wire: Wire) -> None:
    call = Stub(channel).StreamingInputCall
    probe = pb.StreamingInputCallRequest(expect_compressed=TRUE, payload=body(27_182))
    assert code_of(lambda: call(iter((probe,)))) is grpc.StatusCode.INVALID_ARGUMENT
    # grpcio's client compresses per call and leaves alone what would not shrink: random bytes go out plain.
    plain = pb.StreamingInputCallRequest(expect_compressed=FALSE, payload=pb.Payload(body=os.urandom(45_904)))
    total = call(iter((probe, plain)), compression=grpc.Compression.Gzip).aggregated_payload_size
    assert total == 73_086


def server_compressed_streaming(channel: grpc.Channel, wire: Wire) -> None:
    request = wishes(31_415, 92_653)
    request.response_parameters[0].compressed.value = True
    request.response_parameters[1].compressed.value = False
    before = wire.sent_bytes
    responses = [len(response.payload.body) for response in Stub(channel).StreamingOutputCall(request)]
    assert responses == [31_415, 92_653]
    assert 92_653 < wire.sent_bytes - before < 92_653 + 31_415 // 10


def cancel_after_begin(channel: grpc.Channel, wire: Wire) -> None:
    pipe = Pipe()
    call = Stub(channel).StreamingInputCall.future(pipe)
    call.cancel()
    assert call.cancelled()
    assert call.code() is grpc.StatusCode.CANCELLED
    pipe.close()


def cancel_after_first_response(channel: grpc.Channel, wire: Wire) -> None:
    pipe = Pipe()
    responses = Stub(channel).FullDuplexCall(pipe)
    request = wishes(31_415)
    request.payload.body = bytes(27_182)
    pipe.put(request)
    assert len(next(responses).payload.body) == 31_415
    responses.cancel()
    assert code_of(lambda: next(responses)) is grpc.StatusCode.CANCELLED
    pipe.close()


def timeout_on_sleeping_server(channel: grpc.Channel, wire: Wire) -> None:
    pipe = Pipe()
    request = wishes(31_415)
    request.response_parameters[0].interval_us = 30_000_000
    request.payload.body = bytes(27_182)
    responses = Stub(channel).FullDuplexCall(pipe, timeout=0.001)
    pipe.put(request)
    assert code_of(lambda: next(responses)) is grpc.StatusCode.DEADLINE_EXCEEDED
    pipe.close()


def custom_metadata(channel: grpc.Channel, wire: Wire) -> None:
    text, octets = "test_initial_metadata_value", b"\xab\xab\xab"
    sent = ((INITIAL_KEY, text), (TRAILING_KEY, octets))
    stub = Stub(channel)
    request = pb.SimpleRequest(response_size=1, payload=body(1))
    _, unary = stub.UnaryCall.with_call(request, metadata=sent)
    duplex = stub.FullDuplexCall(iter((wishes(1),)), metadata=sent)
    assert len(list(duplex)) == 1
    for call in (unary, duplex):
        assert (INITIAL_KEY, text) in tuple(call.initial_metadata())
        assert (TRAILING_KEY, octets) in tuple(call.trailing_metadata())


def status_code_and_message(channel: grpc.Channel, wire: Wire) -> None:
    expect_status(channel, grpc.StatusCode.UNKNOWN, "test status message")


def special_status_message(channel: grpc.Channel, wire: Wire) -> None:
    expect_status(channel, grpc.StatusCode.UNKNOWN, SPECIAL_MESSAGE)


def unimplemented_method(channel: grpc.Channel, wire: Wire) -> None:
    call = Stub(channel).UnimplementedCall
    assert code_of(lambda: call(pb.Empty())) is grpc.StatusCode.UNIMPLEMENTED


def unimplemented_service(channel: grpc.Channel, wire: Wire) -> None:
    call = testing_pb2_grpc.UnimplementedServiceStub(channel).UnimplementedCall
    assert code_of(lambda: call(pb.Empty())) is grpc.StatusCode.UNIMPLEMENTED


CASES: dict[str, Callable[[grpc.Channel, Wire], None]] = {
    case.__name__: case
    for case in (
        empty_unary,
        large_unary,
        client_streaming,
        server_streaming,
        ping_pong,
        empty_stream,
        client_compressed_unary,
        server_compressed_unary,
        client_compressed_streaming,
        server_compressed_streaming,
        cancel_after_begin,
        cancel_after_first_response,
        timeout_on_sleeping_server,
        custom_metadata,
        status_code_and_message,
        special_status_message,
        unimplemented_method,
        unimplemented_service,
    )
}


class Pipe:
    """An iterator of requests that ends when it is closed."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[pb.StreamingOutputCallRequest | None] = SimpleQueue()

    def __iter__(self) -> Iterator[pb.StreamingOutputCallRequest]:
        return self

    def __next__(self) -> pb.StreamingOutputCallRequest:
        request = self._queue.get()
        if request is None:
            raise StopIteration
        return request

    def put(self, request: pb.StreamingOutputCallRequest) -> None:
        self._queue.put(request)

    def close(self) -> None:
        self._queue.put(None)


def body(size: int) -> pb.Payload:
    return pb.Payload(body=bytes(size))


def wishes(*sizes: int) -> pb.StreamingOutputCallRequest:
    return pb.StreamingOutputCallRequest(response_parameters=[pb.ResponseParameters(size=size) for size in sizes])


def code_of(call: Callable[[], object]) -> grpc.StatusCode:
    try:
        call()
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK


def expect_status(channel: grpc.Channel, code: grpc.StatusCode, message: str) -> None:
    status = pb.EchoStatus(code=code.value[0], message=message)
    stub = Stub(channel)
    calls: tuple[Callable[[], object], ...] = (
        lambda: stub.UnaryCall(pb.SimpleRequest(response_status=status)),
        lambda: list(stub.FullDuplexCall(iter((pb.StreamingOutputCallRequest(response_status=status),)))),
    )
    for call in calls:
        with pytest.raises(grpc.RpcError) as caught:
            call()
        assert caught.value.code() is code
        assert caught.value.details() == message
