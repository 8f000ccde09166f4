"""Header blocks without compression state (RFC 7541 section 6.2.2), for the side that answers.

A server's answers are three short fields. Encoding them as literals that no table remembers costs the wire a few
bytes and buys two things: a block is a constant, made once; and a peer that asks for an enormous header table
(SETTINGS_HEADER_TABLE_SIZE) cannot make us fill it.
"""

from collections.abc import Iterable
from functools import lru_cache

_STATUS_200 = b"\x88"  # index 8 of the static table
_TABLE_SIZE_ZERO = b"\x20"  # dynamic table size update to 0, section 6.3


def _string(octets: bytes) -> bytes:
    """A string literal without Huffman coding (section 5.2)."""
    length = len(octets)
    if length < 127:
        return bytes((length,)) + octets
    head = bytearray(b"\x7f")
    length -= 127
    while length >= 128:
        head.append(length % 128 + 128)
        length //= 128
    head.append(length)
    return bytes(head) + octets


def _field(name: bytes, value: bytes) -> bytes:
    if name == b":status" and value == b"200":
        return _STATUS_200
    return b"\x00" + _string(name) + _string(value)


@lru_cache(maxsize=64)
def _constant_field(name: bytes, value: bytes) -> bytes:
    return _field(name, value)


_CONSTANT = (b":status", b"content-type", b"grpc-status", b"grpc-encoding", b"grpc-accept-encoding")


class LiteralEncoder:
    """Stands in for hpack's `Encoder`; only what h2 touches."""

    def __init__(self) -> None:
        self._announce_empty_table = False

    @property
    def header_table_size(self) -> int:
        """The table size the peer allows; we use none of it."""
        return 0

    @header_table_size.setter
    def header_table_size(self, _: int) -> None:
        # Section 4.2: a peer that changed the size must be told ours before the next block.
        self._announce_empty_table = True

    def encode(self, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
        """One header block; names and values as they are to stand on the wire."""
        fields = [
            _constant_field(name, value) if name in _CONSTANT else _field(name, value) for name, value in headers
        ]
        if self._announce_empty_table:
            self._announce_empty_table = False
            fields.insert(0, _TABLE_SIZE_ZERO)
        return b"".join(fields)
