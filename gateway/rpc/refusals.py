"""Requests that are answered without a handler ever seeing them, in order of precedence."""

from typing import Final

import grpc

from gateway.net.literal_hpack import literal_block

from .metadata import RequestHead
from .status import Status, trailers

CONTENT_TYPES = frozenset((b"application/grpc", b"application/grpc+proto"))
ENCODINGS = frozenset((b"identity", b"gzip"))

RESPONSE_HEADERS: Final = literal_block(
    (
        (b":status", b"200"),
        (b"content-type", b"application/grpc"),
        (b"grpc-accept-encoding", b"identity,gzip"),
    )
)
GZIP_RESPONSE_HEADERS: Final = RESPONSE_HEADERS + literal_block(((b"grpc-encoding", b"gzip"),))


def refusal(head: RequestHead) -> bytes | None:
    """The complete answer to a request that is not gRPC as we speak it, or None if it is."""
    if head.http_method != b"POST":
        return _http(b"405", Status(grpc.StatusCode.UNKNOWN, "gRPC uses POST only"))
    if head.content_type.split(b";", 1)[0].rstrip() not in CONTENT_TYPES:
        return _http(b"415", Status(grpc.StatusCode.UNKNOWN, "content-type is not application/grpc"))
    if head.encoding not in ENCODINGS:
        name = head.encoding.decode("ascii", "replace")
        return trailers_only(Status(grpc.StatusCode.UNIMPLEMENTED, f"grpc-encoding {name} is not supported"))
    return None


def trailers_only(status: Status) -> bytes:
    """An answer of one header block: response headers and trailers in one."""
    return RESPONSE_HEADERS + trailers(status)


def _http(code: bytes, status: Status) -> bytes:
    fields = ((b":status", code), (b"content-type", b"application/grpc"))
    return literal_block(fields) + trailers(status)
