"""Request headers and metadata: what a client's header list says, checked in one pass, and metadata on the wire.

Sources: RFC 9113 section 8 (what makes a request malformed) and "gRPC over HTTP/2" (Request-Headers,
Custom-Metadata).
"""

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

MetadataValue = str | bytes
Metadata = tuple[tuple[str, MetadataValue], ...]
HeaderFields = Iterable[tuple[bytes, bytes]]

_NAME: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")
_BAD_VALUE: Final = re.compile(rb"[\x00\r\n]|^[ \t]|[ \t]$")
_METADATA_KEY: Final = re.compile(r"[0-9a-z_.\-]+")
_METADATA_TEXT: Final = re.compile(r"[\x20-\x7e]*")
_CONNECTION_FIELDS: Final = frozenset(
    (b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade")
)
_PSEUDO: Final = frozenset((b":method", b":scheme", b":path", b":authority"))
# What the protocol itself uses is not handed to handlers as metadata.
_PROTOCOL: Final = frozenset((b"content-length", b"host"))
_SECONDS: Final = {
    b"H": 3_600.0,
    b"M": 60.0,
    b"S": 1.0,
    b"m": 1e-3,
    b"u": 1e-6,
    b"n": 1e-9,
}
_TIMEOUT_DIGITS_MAX: Final = 8


class MalformedRequest(Exception):
    """Not an HTTP/2 request (RFC 9113 section 8.1.1): a stream error, whatever the headers mean."""


class MalformedMetadata(Exception):
    """An HTTP/2 request whose gRPC headers cannot be read; the text says which and why."""


@dataclass(frozen=True, slots=True)
class RequestHead:
    """What one request's headers say. `timeout_s` is None without a deadline, `metadata` in order of arrival."""

    http_method: bytes
    path: bytes
    authority: bytes
    content_type: bytes
    timeout_s: float | None
    encoding: bytes
    accept_encoding: bytes
    metadata: Metadata


NO_HEAD: Final = RequestHead(b"", b"", b"", b"", None, b"identity", b"", ())
"""Stands where a head could not be read."""


def read_head(headers: HeaderFields) -> RequestHead:
    """Check and read one request's header list.

    Raises:
        MalformedRequest: for a stream error.
        MalformedMetadata: for a grpc-timeout or a `-bin` value that is none.
    """
    pseudo: dict[bytes, bytes] = {}
    content_type = accept_encoding = b""
    encoding = b"identity"
    timeout_s = None
    metadata: list[tuple[str, MetadataValue]] = []
    for name, value in headers:
        if name in _PSEUDO:
            if name in pseudo or metadata or content_type:
                raise MalformedRequest(f"{name!r} twice or after other fields")
            pseudo[name] = value
        elif name == b"content-type":
            content_type = value
        elif name == b"te":
            if value != b"trailers":
                raise MalformedRequest("te other than trailers")
        elif name == b"grpc-timeout":
            timeout_s = parse_timeout(value)
        elif name == b"grpc-encoding":
            encoding = value
        elif name == b"grpc-accept-encoding":
            accept_encoding = value
        else:
            _check_field(name, value)
            if name not in _PROTOCOL:
                metadata.extend(decode_field(name, value))
    return _finish(pseudo, content_type, timeout_s, encoding, accept_encoding, tuple(metadata))


def _finish(
    pseudo: dict[bytes, bytes],
    content_type: bytes,
    timeout_s: float | None,
    encoding: bytes,
    accept_encoding: bytes,
    metadata: Metadata,
) -> RequestHead:
    method, path = pseudo.get(b":method"), pseudo.get(b":path")
    if method is None or not path or b":scheme" not in pseudo:
        raise MalformedRequest("method, path or scheme is missing")
    authority = pseudo.get(b":authority", b"")
    return RequestHead(method, path, authority, content_type, timeout_s, encoding, accept_encoding, metadata)


def _check_field(name: bytes, value: bytes) -> None:
    if _NAME.fullmatch(name) is None or name in _CONNECTION_FIELDS:
        raise MalformedRequest(f"field name {name!r}")
    if _BAD_VALUE.search(value) is not None:
        raise MalformedRequest(f"value of {name!r}")


def decode_field(name: bytes, value: bytes) -> Iterable[tuple[str, MetadataValue]]:
    """The metadata of one header field: text as it stands, a `-bin` value as bytes, one entry per joined value.

    Raises:
        MalformedMetadata: if a binary value is not base64 (padding may be missing).
    """
    key = name.decode("ascii")
    if not key.endswith("-bin"):
        return ((key, value.decode("latin-1")),)
    return [(key, _decode_base64(key, part)) for part in value.split(b",")]


def _decode_base64(key: str, value: bytes) -> bytes:
    text = value.strip()
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error as error:
        raise MalformedMetadata(f"metadata {key} is not base64") from error


def encode_metadata(metadata: Iterable[tuple[str, MetadataValue]]) -> list[tuple[bytes, bytes]]:
    """Header fields for this metadata; binary values in base64 without padding, as grpcio sends them.

    Raises:
        ValueError: for a key or value that gRPC forbids, or a type that does not fit the key.
    """
    fields = []
    for key, value in metadata:
        if _METADATA_KEY.fullmatch(key) is None:
            raise ValueError(f"metadata key {key!r}: only 0-9 a-z _ . - are allowed")
        if key.endswith("-bin"):
            octets = value if isinstance(value, bytes) else value.encode()
            fields.append((key.encode(), base64.b64encode(octets).rstrip(b"=")))
        else:
            text = value.decode("ascii") if isinstance(value, bytes) else value
            if _METADATA_TEXT.fullmatch(text) is None:
                raise ValueError(f"metadata {key}: only printable ASCII is allowed; use a -bin key")
            fields.append((key.encode(), text.strip(" ").encode()))
    return fields


def parse_timeout(value: bytes) -> float:
    """Seconds of a grpc-timeout: one to eight digits and a unit (H M S m u n).

    Raises:
        MalformedMetadata: if it is anything else.
    """
    digits, unit = value[:-1], value[-1:]
    if unit not in _SECONDS or not digits.isdigit() or len(digits) > _TIMEOUT_DIGITS_MAX:
        raise MalformedMetadata("grpc-timeout is not 1 to 8 digits and a unit")
    return int(digits) * _SECONDS[unit]


def format_timeout(seconds: float) -> bytes:
    """A grpc-timeout of at least one nanosecond, in the finest unit that fits eight digits, rounded up."""
    for unit in (b"n", b"u", b"m", b"S", b"M", b"H"):
        count = max(1, -int(-seconds // _SECONDS[unit]))
        if count < 10**_TIMEOUT_DIGITS_MAX:
            return b"%d%s" % (count, unit)
    return b"99999999H"
