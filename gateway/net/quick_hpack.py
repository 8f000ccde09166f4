"""An HPACK decoder (RFC 7541) that says what hpack's says, in a third of the time, and knows again what it has read.

The tables, their eviction, table size updates and Huffman's code are hpack's. Ours is the loop over one block, whose
price in hpack is a slice, three calls and a line of log for every field, and that over a coded string, which goes by
whole bytes; tests/net/test_quick_hpack.py puts the same bytes to both.

One peer's blocks repeat: once its names are in the table, its next block is often the same bytes. What a block means
depends on its bytes and on the dynamic table (section 2.3), and on nothing else. So as long as the table has not
changed, the same bytes need no second decoding. A block that changes the table is never remembered, and makes
everything before it forgotten.
"""

from collections.abc import Iterable
from typing import Final, cast

from hpack import Decoder, HPACKDecodingError, OversizedHeaderListError
from hpack.hpack import VARINT_MAX_LENGTH
from hpack.huffman_table import HUFFMAN_COMPLETE, HUFFMAN_EMIT_SYMBOL, HUFFMAN_FAIL, HUFFMAN_TABLE
from hpack.struct import HeaderTuple
from hpack.table import HeaderTable

BLOCKS_KEPT_MAX: Final = 16  # per connection; one peer says few different things. With the next two: 64 KB at the most
BLOCK_BYTES_KEPT_MAX: Final = 1_024
FIELDS_KEPT_MAX: Final = 32
FIELD_OVERHEAD_BYTES: Final = 32  # section 4.1, and RFC 9113 section 6.5.2

Field = tuple[bytes, bytes]
_STATIC: Final = HeaderTable.STATIC_TABLE
_STATIC_LENGTH: Final = HeaderTable.STATIC_TABLE_LENGTH


class _WatchedTable(HeaderTable):
    """A table that counts its changes."""

    changes = 0

    def add(self, name: bytes, value: bytes) -> None:
        self.changes += 1
        super().add(name, value)

    @property
    def maxsize(self) -> int:
        return self._maxsize

    @maxsize.setter
    def maxsize(self, newmax: int) -> None:
        self.changes += 1
        HeaderTable.maxsize.__set__(self, newmax)  # type: ignore[attr-defined]


class QuickDecoder(Decoder):
    """Decodes to pairs of bytes. Set `max_header_list_size` before the first block: it is part of what one means."""

    def __init__(self) -> None:
        super().__init__()
        self._table = self.header_table = _WatchedTable()
        self._kept: dict[bytes, list[Field]] = {}

    def decode(self, data: bytes, raw: bool = False) -> Iterable[HeaderTuple]:
        """The fields of one block, as bytes whatever `raw` says; the caller must not change the list.

        Raises hpack's HPACKDecodingError and its kinds; the connection is then at its end.
        """
        known = self._kept.get(data)
        if known is None:
            known = self._decode_new(data)
        return cast("list[HeaderTuple]", known)

    def _decode_new(self, data: bytes) -> list[Field]:
        before = self._table.changes
        try:
            fields = self._fields(data)
        except IndexError as error:
            raise HPACKDecodingError("a block that ends inside a field") from error
        self._assert_valid_table_size()
        if self._table.changes != before or len(self._kept) >= BLOCKS_KEPT_MAX:
            self._kept.clear()
        if self._table.changes == before and len(data) <= BLOCK_BYTES_KEPT_MAX and len(fields) <= FIELDS_KEPT_MAX:
            self._kept[data] = fields
        return fields

    def _fields(self, data: bytes) -> list[Field]:
        fields: list[Field] = []
        at, room = 0, self.max_header_list_size
        while at < len(data):
            octet = data[at]
            if octet & 0x80:  # section 6.1
                index, at = _integer(data, at, 0x7F)
                field = self._entry(index)
            elif octet & 0x60 == 0x20:  # section 6.3
                if fields:
                    raise HPACKDecodingError("a table size update behind a field")
                at += self._update_encoding_context(data[at:])
                continue
            else:  # section 6.2
                index, at = _integer(data, at, 0x3F if octet & 0x40 else 0x0F)
                if index:
                    name = self._entry(index)[0]
                else:
                    name, at = _string(data, at)
                value, at = _string(data, at)
                field = (name, value)
                if octet & 0x40:
                    self._table.add(name, value)
            room -= len(field[0]) + len(field[1]) + FIELD_OVERHEAD_BYTES
            if room < 0:
                raise OversizedHeaderListError(f"a header list larger than {self.max_header_list_size}")
            fields.append(field)
        return fields

    def _entry(self, index: int) -> Field:
        if 0 < index <= _STATIC_LENGTH:
            return _STATIC[index - 1]
        return self._table.get_by_index(index)


def _integer(data: bytes, at: int, mask: int) -> tuple[int, int]:
    """The number at `at` (section 5.1) and the place behind it. Raises IndexError where the block ends inside it."""
    number = data[at] & mask
    start, at = at, at + 1
    if number < mask:
        return number, at
    shift = 0
    while True:
        octet = data[at]
        at += 1
        number += (octet & 0x7F) << shift
        if octet < 0x80:
            return number, at
        shift += 7
        if at - start > VARINT_MAX_LENGTH:
            raise HPACKDecodingError("a number of too many bytes")


def _string(data: bytes, at: int) -> tuple[bytes, int]:
    """The string literal at `at` (section 5.2) and the place behind it."""
    coded = data[at] & 0x80
    length, at = _integer(data, at, 0x7F)
    octets = data[at : at + length]
    if len(octets) != length:
        raise HPACKDecodingError("a string longer than its block")
    return (_decoded(octets) if coded else octets), at + length


_STEPS: Final[dict[int, tuple[int, bytes, bool]]] = {}
"""From a state of hpack's table and a byte to the next state, the letters said, and whether a string may end here.
Filled as bytes are met; at most the 65,536 there are, some 10 MB, and a few thousand in practice."""


def _decoded(octets: bytes) -> bytes:
    """A string in Huffman's code (section 5.2 and appendix B)."""
    state, complete, letters = 0, True, []
    for octet in octets:
        state, said, complete = _STEPS.get(state << 8 | octet) or _step(state, octet)
        letters.append(said)
    if not complete:
        raise HPACKDecodingError("a coded string that ends inside a letter")
    return b"".join(letters)


def _step(state: int, octet: int) -> tuple[int, bytes, bool]:
    said, flags, start = bytearray(), 0, state
    for half in (octet >> 4, octet & 0x0F):
        state, flags, letter = HUFFMAN_TABLE[state * 16 + half]
        if flags & HUFFMAN_FAIL:
            raise HPACKDecodingError("what is no letter in Huffman's code")
        if flags & HUFFMAN_EMIT_SYMBOL:
            said.append(letter)
    step = _STEPS[start << 8 | octet] = (state, bytes(said), bool(flags & HUFFMAN_COMPLETE))
    return step
