"""Header blocks without compression state (RFC 7541 section 6.2.2), for both roles.

What we say is a few short fields. Encoding them as literals that no table remembers costs the wire some bytes and
buys four things: a block is a constant where its fields are; blocks may be put together like strings; a peer that
asks for an enormous header table (SETTINGS_HEADER_TABLE_SIZE) cannot make us fill it; and no credential ever lies in
a table beside what an attacker could choose.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from hpack.table import HeaderTable

TABLE_SIZE_ZERO: Final = b"\x20"
"""Stands before the first block after the peer changed its table size (sections 4.2 and 6.3): we use none."""

NEVER_INDEXED: Final = frozenset((b"authorization", b"proxy-authorization", b"cookie"))
"""No intermediary may put these into a table of its own either (section 7.1.3)."""

NAMES_KEPT_MAX: Final = 256  # names are words of ours and of the adapters: a few dozen
NAME_BYTES_KEPT_MAX: Final = 64

_STATIC: Final = {pair: index for index, pair in reversed(list(enumerate(HeaderTable.STATIC_TABLE, 1)))}
_STATIC_NAMES: Final = {name: index for index, (name, _) in reversed(list(enumerate(HeaderTable.STATIC_TABLE, 1)))}
_WHOLE: Final = {pair: bytes((0x80 | index,)) for pair, index in _STATIC.items() if pair[1]}


def literal_block(fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Encode these fields, in this order, as they are to stand on the wire."""
    return b"".join([_WHOLE.get(field) or _named(field[0]) + _string(field[1]) for field in fields])


def _named(name: bytes) -> bytes:
    return _kept_name(name) if len(name) <= NAME_BYTES_KEPT_MAX else _name(name)


def _name(name: bytes) -> bytes:
    """What stands before the value: the kind of the field, and its name by number or in full."""
    kind = 0x10 if name in NEVER_INDEXED else 0x00
    index = _STATIC_NAMES.get(name)
    if index is None:
        return bytes((kind,)) + _string(name)
    return bytes((kind | index,)) if index < 15 else bytes((kind | 15, index - 15))


_kept_name: Final = lru_cache(maxsize=NAMES_KEPT_MAX)(_name)


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
