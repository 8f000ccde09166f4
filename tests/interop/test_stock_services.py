"""Health and reflection as the stock stubs see them."""

from collections.abc import Callable
from queue import SimpleQueue

import grpc
import pytest
import trio
from google.protobuf import descriptor_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from tests.interop.conftest import Target

UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
PACKAGES = ("grpc.reflection.v1", "grpc.reflection.v1alpha")


async def with_channel(target: Target, run: Callable[[grpc.Channel], None]) -> None:
    def work() -> None:
        with grpc.insecure_channel(target.address) as channel:
            run(channel)

    with trio.fail_after(20):
        await trio.to_thread.run_sync(work)


async def test_health_check(target: Target) -> None:
    """Check and List tell the status of known names; an unknown one is NOT_FOUND."""
    target.health.set("bank.north", False)

    def run(channel: grpc.Channel) -> None:
        stub = health_pb2_grpc.HealthStub(channel)
        assert stub.Check(health_pb2.HealthCheckRequest()).status == SERVING
        assert stub.Check(health_pb2.HealthCheckRequest(service="bank.north")).status == NOT_SERVING
        assert set(stub.List(health_pb2.HealthListRequest()).statuses) == {"", "bank.north"}
        with pytest.raises(grpc.RpcError) as caught:
            stub.Check(health_pb2.HealthCheckRequest(service="nobody"))
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND

    await with_channel(target, run)


async def test_health_watch(target: Target) -> None:
    """Watch tells SERVICE_UNKNOWN for a name not yet set, then every change, and nothing twice."""
    seen: SimpleQueue[int] = SimpleQueue()

    def watch(channel: grpc.Channel) -> None:
        stub = health_pb2_grpc.HealthStub(channel)
        call = stub.Watch(health_pb2.HealthCheckRequest(service="live"))
        for answer in call:
            seen.put(answer.status)
            if answer.status == NOT_SERVING:
                call.cancel()
                break

    async with trio.open_nursery() as nursery:
        nursery.start_soon(with_channel, target, watch)
        assert await trio.to_thread.run_sync(seen.get) == UNKNOWN
        target.health.set("live", True)
        assert await trio.to_thread.run_sync(seen.get) == SERVING
        target.health.set("live", True)
        target.health.set("live", False)
        assert await trio.to_thread.run_sync(seen.get) == NOT_SERVING


def reflect(
    channel: grpc.Channel, package: str, *requests: reflection_pb2.ServerReflectionRequest
) -> list[reflection_pb2.ServerReflectionResponse]:
    call = channel.stream_stream(
        f"/{package}.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    return list(call(iter(requests)))


@pytest.mark.parametrize("package", PACKAGES)
async def test_reflection(package: str, target: Target) -> None:
    """Both versions list the services and describe each, themselves included, under the right names."""

    def run(channel: grpc.Channel) -> None:
        listing, unknown = reflect(
            channel,
            package,
            reflection_pb2.ServerReflectionRequest(list_services="*"),
            reflection_pb2.ServerReflectionRequest(file_containing_symbol="no.Such"),
        )
        names = [service.name for service in listing.list_services_response.service]
        assert set(names) >= {"grpc.testing.TestService", *(f"{name}.ServerReflection" for name in PACKAGES)}
        assert unknown.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]
        for name in names:
            request = reflection_pb2.ServerReflectionRequest(file_containing_symbol=name)
            (answer,) = reflect(channel, package, request)
            files = [
                descriptor_pb2.FileDescriptorProto.FromString(octets)
                for octets in answer.file_descriptor_response.file_descriptor_proto
            ]
            assert name in {f"{file.package}.{service.name}" for file in files for service in file.service}

    await with_channel(target, run)


async def test_stock_v1alpha_stub(target: Target) -> None:
    """The generated v1alpha stub works as it comes."""

    def run(channel: grpc.Channel) -> None:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        (answer,) = stub.ServerReflectionInfo(iter((request,)))
        assert len(answer.list_services_response.service) == 4

    await with_channel(target, run)
