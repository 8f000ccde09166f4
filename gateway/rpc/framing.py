"""gRPC's length-prefixed messages: bytes in, messages out, and back. No I/O, no HTTP/2.

Each message is a flag (0 plain, 1 compressed), a length of four bytes, and that many bytes.
Source: "gRPC over HTTP/2", section Length-Prefixed-Message.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import Final

import grpc

from .status import RpcError

PREFIX: Final = struct.Struct(">BL")
PREFIX_BYTES: Final = PREFIX.size
_GZIP: Final = 16 + zlib.MAX_WBITS
# Level 1 is three times as fast as the default and loses a tenth of the ratio on repetitive protobuf.
_GZIP_LEVEL: Final = 1
_GZIP_BYTES_MIN: Final = 18  # of a member: head 10, checksum 4, length 4 (RFC 1952 section 2.3)
_ISIZE: Final = struct.Struct("<L")
_SQUEEZED_BYTES: Final = 16 * 1024  # zlib copies what it has not taken, with every slice
DEFLATE_RATIO_MAX: Final = 1_032
"""Two bits name at most 258 bytes: an announced length beyond it is no length, and the member is broken."""
INFLATE_SLICE_BYTES: Final = 64 * 1024
"""Of plain text made at a time: some 0.2 ms of work."""


class Deflated(bytes):
    """A message as it came, still compressed: it is blown up only when its handler asks for it."""


def frame(message: bytes) -> bytes:
    """One uncompressed message, ready for the wire."""
    return PREFIX.pack(0, len(message)) + message


def frame_gzip(message: bytes) -> bytes:
    """One message, compressed where that makes it smaller (as grpcio does), else plain."""
    deflate = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP)
    squeezed = deflate.compress(message) + deflate.flush()
    if len(squeezed) >= len(message):
        return frame(message)
    return PREFIX.pack(1, len(squeezed)) + squeezed


def inflate(squeezed: bytes, max_bytes: int) -> bytes:
    """Undo gzip at once; see `inflating`, whose errors it raises."""
    return b"".join(inflating(squeezed, max_bytes))


def inflating(squeezed: bytes, max_bytes: int) -> Iterator[bytes]:
    """Undo gzip, slice by slice: between two of them others may work.

    A bomb is not blown up: gzip ends with the length of what it holds (RFC 1952 section 2.3.1), and who lies about it
    gets no further than `max_bytes`.

    Raises:
        RpcError: RESOURCE_EXHAUSTED if the message would exceed `max_bytes`, INTERNAL if it is not exactly one whole
            gzip member.
    """
    announced = _ISIZE.unpack(squeezed[-4:])[0] if len(squeezed) >= _GZIP_BYTES_MIN else 0
    if max_bytes < announced <= len(squeezed) * DEFLATE_RATIO_MAX:
        raise _too_large(max_bytes)
    decompressor = zlib.decompressobj(_GZIP)
    left, rest = max_bytes, b""
    for start in range(0, len(squeezed), _SQUEEZED_BYTES):
        rest = squeezed[start : start + _SQUEEZED_BYTES]
        while rest and not decompressor.eof:
            try:
                part = decompressor.decompress(rest, min(INFLATE_SLICE_BYTES, left + 1))
            except zlib.error as error:
                raise RpcError(grpc.StatusCode.INTERNAL, "compressed message is not gzip") from error
            rest = decompressor.unconsumed_tail
            left -= len(part)
            if left < 0:
                raise _too_large(max_bytes)
            yield part
        if rest:
            break
    if not decompressor.eof or rest or decompressor.unused_data:
        raise RpcError(grpc.StatusCode.INTERNAL, "compressed message is cut short or followed by rubbish")


def _too_large(max_bytes: int) -> RpcError:
    return RpcError(grpc.StatusCode.RESOURCE_EXHAUSTED, f"decompressed message larger than max ({max_bytes} bytes)")


class MessageReader:
    """Cuts one stream's bytes into messages.

    Args:
        max_bytes: the largest message, after decompression.
        gzip: whether the peer named gzip as its encoding; without it a compressed flag is an error.
    """

    __slots__ = ("_gzip", "_max_bytes", "_rest")

    def __init__(self, max_bytes: int, *, gzip: bool) -> None:
        self._max_bytes = max_bytes
        self._gzip = gzip
        self._rest = bytearray()

    @property
    def partial_bytes(self) -> int:
        """Bytes of the message that is not whole yet, its prefix included."""
        return len(self._rest)

    def drop(self) -> None:
        """Forget the message that is not whole: no more is wanted of this stream."""
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Take what arrived; give every message that is now whole (`Deflated` if it is compressed).

        Raises:
            RpcError: RESOURCE_EXHAUSTED for a message over the limit (known from its prefix alone), INTERNAL for a
                flag that is none or does not fit the encoding. The stream is of no use afterwards.
        """
        rest = self._rest
        if rest:
            rest += data
            if not self._whole(rest):
                return []
            data = bytes(rest)
            rest.clear()
        messages: list[bytes] = []
        position, end = 0, len(data)
        while end - position >= PREFIX_BYTES:
            flag, length = PREFIX.unpack_from(data, position)
            if flag or length > self._max_bytes:
                self._check(flag, length)
            stop = position + PREFIX_BYTES + length
            if stop > end:
                break
            message = data[position + PREFIX_BYTES : stop]
            messages.append(Deflated(message) if flag else message)
            position = stop
        if position < end:
            rest += data[position:] if position else data
        return messages

    def _whole(self, rest: bytearray) -> bool:
        """Whether the buffer holds its first message whole, so that a large one is not copied at every frame. Its
        prefix may have come in pieces: it is checked here as well, before anything is collected on its word."""
        if len(rest) < PREFIX_BYTES:
            return False
        flag, length = PREFIX.unpack_from(rest)
        if flag or length > self._max_bytes:
            self._check(flag, length)
        return bool(len(rest) - PREFIX_BYTES >= length)

    def _check(self, flag: int, length: int) -> None:
        if length > self._max_bytes:
            raise RpcError(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"Received message larger than max ({length} vs. {self._max_bytes})",
            )
        if flag != 1:
            raise RpcError(grpc.StatusCode.INTERNAL, f"message with unknown flag {flag}")
        if not self._gzip:
            raise RpcError(grpc.StatusCode.INTERNAL, "compressed message without a grpc-encoding")
