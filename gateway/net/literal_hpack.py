"""Header blocks without compression state (RFC 7541 section 6.2.2), for the side that answers.

A server's answers are three short fields. Encoding them as literals that no table remembers costs the wire a
few bytes and buys three things: a block is a constant, made once; blocks may be put together like strings; and
a peer that asks for an enormous header table (SETTINGS_HEADER_TABLE_SIZE) cannot make us fill it.
"""

from collections.abc import Iterable
from typing import Final

TABLE_SIZE_ZERO: Final = b"\x20"
"""Stands before the first block after the peer changed its table size (sections 4.2 and 6.3): we use none."""

_STATUS_200: Final = b"\x88"  # index 8 of the static table


def literal_block(fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Encode these fields, in this order, as they are to stand on the wire."""
    return b"".join([_field(name, value) for name, value in fields])


def _field(name: bytes, value: bytes) -> bytes:
    if name == b":status" and value == b"200":
        return _STATUS_200
    return b"\x00" + _string(name) + _string(value)


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
