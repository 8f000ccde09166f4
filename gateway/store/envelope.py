"""The envelope that every stored record is in, checked at every read.

It is version (1 byte), CRC-32 over key and body (4), body. The key is in the checksum, so a whole record under another
payment's key is as corrupt as a torn one, and so is one whose phrase (phrases.py) has become another. What the checksum
cannot show (somebody rewrote a record and its checksum) the fact chain shows: see verify.
"""

import struct
import zlib
from collections.abc import Callable
from typing import Final, TypeVar

from google.protobuf.message import DecodeError

ENVELOPE_VERSION: Final = 2
_ENVELOPE: Final = struct.Struct(">BI")
ENVELOPE_BYTES: Final = _ENVELOPE.size

_T = TypeVar("_T")


class CorruptRecord(Exception):
    """A stored record that is torn, altered or unreadable. Its payment can never be sent: a send needs a mark, a
    mark needs the record."""

    def __init__(self, mapping: str, key: bytes, what: str) -> None:
        super().__init__(f"{mapping} {key.hex()}: {what}")
        self.mapping = mapping
        self.key = key
        self.what = what


def seed(key: bytes, also: bytes = b"") -> int:
    """What the checksum of a record begins with: its key, and what else it means nothing without."""
    return zlib.crc32(also, zlib.crc32(key))


def seal(key: bytes, body: bytes, also: bytes = b"") -> bytes:
    """The body in its envelope, to be stored under `key`. `also` is not stored, and must be known to unseal it."""
    return seal_seeded(seed(key, also), body)


def seal_seeded(begun: int, body: bytes) -> bytes:
    """With `seed` in place of what it is made of."""
    return _ENVELOPE.pack(ENVELOPE_VERSION, zlib.crc32(body, begun)) + body


def unseal(mapping: str, key: bytes, stored: bytes, also: bytes = b"") -> bytes:
    """The body. Raises CorruptRecord, naming the mapping and the key."""
    if len(stored) < _ENVELOPE.size:
        raise CorruptRecord(mapping, key, f"only {len(stored)} bytes")
    version, checksum = _ENVELOPE.unpack_from(stored)
    body = stored[_ENVELOPE.size :]
    if version != ENVELOPE_VERSION:
        raise CorruptRecord(mapping, key, f"envelope version {version}, this Causeway reads {ENVELOPE_VERSION}")
    if checksum != zlib.crc32(body, seed(key, also)):
        raise CorruptRecord(mapping, key, "checksum does not match")
    return body


def decoded(mapping: str, key: bytes, read: Callable[[bytes], _T], body: bytes) -> _T:
    """What `read` makes of a body. Raises CorruptRecord where it makes nothing of it."""
    try:
        return read(body)
    except (DecodeError, KeyError, ValueError, ArithmeticError) as error:
        # The text names the kind of error only: the bytes hold names and accounts (law 11).
        raise CorruptRecord(mapping, key, f"whole, but cannot be read ({type(error).__name__})") from error


# ---------------------------------------------------------------- the format of a data directory

_FORMAT: Final = struct.Struct(">BIII")
_FORMAT_VERSION: Final = 1
_NUMBER_BYTES: Final = 4


def seal_format(key: bytes, number: int) -> bytes:
    """The one record whose shape never changes (version, length, CRC-32, number): every Causeway must be able to read
    in what format another has written."""
    return _FORMAT.pack(
        _FORMAT_VERSION, _NUMBER_BYTES, zlib.crc32(number.to_bytes(_NUMBER_BYTES, "big"), zlib.crc32(key)), number
    )


def unseal_format(mapping: str, key: bytes, stored: bytes) -> int:
    """Raises CorruptRecord."""
    number = int.from_bytes(stored[-_NUMBER_BYTES:], "big")
    if stored != seal_format(key, number):
        raise CorruptRecord(mapping, key, "says no format that can be read")
    return number
