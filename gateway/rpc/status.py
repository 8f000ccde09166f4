"""How a call ends: codes, messages, google.rpc.Status details, and the trailers that carry them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import grpc
from google.protobuf.any_pb2 import Any as AnyProto
from google.protobuf.message import Message
from google.rpc import status_pb2

from gateway.net.literal_hpack import literal_block

from .metadata import Metadata, encode_metadata

DETAILS_KEY: Final = "grpc-status-details-bin"
_OK_TRAILERS: Final = literal_block(((b"grpc-status", b"0"),))
# "gRPC over HTTP/2", Percent-Byte-Unencoded: 0x20 to 0x7E except the percent sign stand for themselves.
_TO_ESCAPE: Final = re.compile(rb"[^\x20-\x24\x26-\x7e]")


@dataclass(frozen=True, slots=True)
class Status(grpc.Status):
    """The end of a call.

    `code`, `details` (the message, for people) and `trailing_metadata` are what grpcio's `grpc.Status` has, so it
    goes into `context.abort_with_status` here as well as there.
    """

    code: grpc.StatusCode
    details: str = ""
    trailing_metadata: Metadata = field(default=())


OK: Final = Status(grpc.StatusCode.OK)


def rich_status(code: grpc.StatusCode, message: str, *details: Message) -> Status:
    """A status whose trailers carry a google.rpc.Status with these detail messages (AIP-193)."""
    packed = []
    for detail in details:
        packed.append(AnyProto())
        packed[-1].Pack(detail)
    proto = status_pb2.Status(code=code.value[0], message=message, details=packed)
    return Status(code, message, ((DETAILS_KEY, proto.SerializeToString()),))


class RpcError(Exception):
    """Raise it in a handler, from any depth: the call ends with this code, message and details.

    Nothing but what is given here reaches the client.
    """

    def __init__(self, code: grpc.StatusCode, message: str = "", details: Sequence[Message] = ()) -> None:
        super().__init__(f"{code.name}: {message}")
        self.code = code
        self.message = message
        self.details = tuple(details)

    @property
    def status(self) -> Status:
        """What the trailers will say; OK is not a failure and becomes UNKNOWN, as in grpcio."""
        code = grpc.StatusCode.UNKNOWN if self.code is grpc.StatusCode.OK else self.code
        if self.details:
            return rich_status(code, self.message, *self.details)
        return Status(code, self.message)


class AbortError(Exception):
    """Ends a handler from inside `context.abort`; the context already knows the status."""


def percent_encode(message: str) -> bytes:
    """The value of grpc-message: UTF-8, percent-encoded; a lone surrogate becomes a question mark."""
    return _TO_ESCAPE.sub(lambda match: b"%%%02X" % match[0][0], message.encode("utf-8", "replace"))


def percent_decode(value: bytes) -> str:
    """Undo `percent_encode`; what is not valid is kept as it stands, never refused."""
    octets = re.sub(rb"%([0-9A-Fa-f]{2})", lambda match: bytes((int(match[1], 16),)), value)
    return octets.decode("utf-8", "replace")


def trailers(status: Status, metadata: Metadata = ()) -> bytes:
    """The header block that ends a call: grpc-status, grpc-message if there is one, then the metadata."""
    if status is OK and not metadata:
        return _OK_TRAILERS
    fields = [(b"grpc-status", b"%d" % status.code.value[0])]
    if status.details:
        fields.append((b"grpc-message", percent_encode(status.details)))
    fields.extend(encode_metadata(metadata))
    fields.extend(encode_metadata(status.trailing_metadata))
    return literal_block(fields)
