"""Server reflection, v1 and v1alpha: how grpcurl and buf curl learn what a server speaks.

The stock package knows v1alpha only. v1 is the same on the wire, so its calls are served by the stock servicer too;
what differs is the name, also in the descriptor, which is made here by renaming so that reflecting on
reflection works.
"""

from collections.abc import Iterable
from typing import Final

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool
from grpc_reflection.v1alpha import reflection, reflection_pb2

from .server import Server

_ALPHA: Final = "grpc.reflection.v1alpha"
_V1: Final = "grpc.reflection.v1"
_SERVICE: Final = "ServerReflection"
_V1_FILE: Final = "grpc/reflection/v1/reflection.proto"


def add(server: Server, service_names: Iterable[str]) -> None:
    """Serve reflection of these services and of itself.

    Args:
        service_names: full names, such as "grpc.health.v1.Health"; their generated modules must be imported.
    """
    _define_v1(descriptor_pool.Default())
    names = (*service_names, f"{_V1}.{_SERVICE}", f"{_ALPHA}.{_SERVICE}")
    servicer = reflection.aio.ReflectionServicer(names)
    handler = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    for package in (_V1, _ALPHA):
        server.add_registered_method_handlers(f"{package}.{_SERVICE}", {"ServerReflectionInfo": handler})


def _define_v1(pool: descriptor_pool.DescriptorPool) -> None:
    """Add the v1 descriptor unless the pool has it."""
    try:
        pool.FindFileByName(_V1_FILE)
    except KeyError:
        pool.Add(v1_descriptor())


def v1_descriptor() -> descriptor_pb2.FileDescriptorProto:
    """The v1alpha file with every name moved to v1."""
    file = descriptor_pb2.FileDescriptorProto()
    reflection_pb2.DESCRIPTOR.CopyToProto(file)
    file.name, file.package = _V1_FILE, _V1
    for message in file.message_type:
        for field in message.field:
            if field.type_name:
                field.type_name = field.type_name.replace(f".{_ALPHA}.", f".{_V1}.")
    for method in file.service[0].method:
        method.input_type = method.input_type.replace(f".{_ALPHA}.", f".{_V1}.")
        method.output_type = method.output_type.replace(f".{_ALPHA}.", f".{_V1}.")
    return file
