"""The decoder says what hpack's says: the same fields, or an error where hpack has one."""

import hpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.net.literal_hpack import NEVER_INDEXED, literal_block
from gateway.net.quick_hpack import BLOCKS_KEPT_MAX, QuickDecoder

LIST_BYTES = 400
NAMES = st.sampled_from([b":status", b"content-type", b"date", b"x-request-id", b"cookie", b"x" * 40])
VALUES = st.one_of(st.sampled_from([b"200", b"", b"application/xml", b"y" * 150]), st.binary(max_size=40))
BLOCK = st.lists(st.tuples(NAMES, VALUES, st.booleans()), max_size=6)


def both(table_bytes: int = 4_096) -> tuple[QuickDecoder, hpack.Decoder]:
    ours, theirs = QuickDecoder(), hpack.Decoder()
    for decoder in (ours, theirs):
        decoder.max_header_list_size = LIST_BYTES
        decoder.header_table_size = table_bytes
    return ours, theirs


def said(decoder: hpack.Decoder, block: bytes) -> list[tuple[bytes, bytes]] | str:
    """What a decoder makes of a block; an error ends the connection, so one word for all of them is enough."""
    try:
        return [(bytes(name), bytes(value)) for name, value in decoder.decode(block, raw=True)]
    except hpack.OversizedHeaderListError:
        return "oversized"  # h2 calls this an attack, and not an error of the protocol
    except (hpack.HPACKError, IndexError):
        return "error"


def assert_same_table(ours: hpack.Decoder, theirs: hpack.Decoder) -> None:
    assert list(ours.header_table.dynamic_entries) == list(theirs.header_table.dynamic_entries)
    assert ours.header_table.maxsize == theirs.header_table.maxsize


@given(st.lists(BLOCK, max_size=12), st.booleans(), st.lists(st.sampled_from([0, 60, 200, 4_096]), max_size=12))
def test_what_an_encoder_says(blocks: list[list[tuple[bytes, bytes, bool]]], huffman: bool, sizes: list[int]) -> None:
    """A whole connection's blocks, with entries that push out others and tables that change their size."""
    ours, theirs = both()
    encoder = hpack.Encoder()
    for number, fields in enumerate(blocks):
        if number < len(sizes):
            encoder.header_table_size = sizes[number]
        block = encoder.encode(fields, huffman=huffman)
        for _ in range(2):  # some blocks mean the same when they come again, and some do not
            answer = said(ours, block)
            assert answer == said(theirs, block)
            assert_same_table(ours, theirs)
            if isinstance(answer, str):
                return


@given(st.lists(st.binary(max_size=40), max_size=8), st.sampled_from([0, 64, 4_096]))
def test_what_nobody_would_say(blocks: list[bytes], table_bytes: int) -> None:
    """Any bytes at all: the same meaning, or an error of both."""
    ours, theirs = both(table_bytes)
    for block in blocks:
        answer = said(ours, block)
        assert answer == said(theirs, block)
        if isinstance(answer, str):
            return  # the connection is over
        assert_same_table(ours, theirs)


@given(
    st.sampled_from([0x80, 0x40, 0x20, 0x10, 0x00]), st.sampled_from([0x7F, 0x3F, 0x1F, 0x0F]), st.binary(max_size=14)
)
def test_long_numbers(kind: int, mask: int, rest: bytes) -> None:
    """Numbers of many bytes, also those that never end."""
    ours, theirs = both()
    block = bytes((kind | mask,)) + bytes(octet | 0x80 for octet in rest[:9]) + rest[9:]
    assert said(ours, block) == said(theirs, block)


def test_the_same_bytes_mean_something_else_when_the_table_has_changed() -> None:
    """What is remembered of a block is forgotten with the table it was read by."""
    ours, _ = both()
    encoder = hpack.Encoder()
    encoder.encode([(b"a", b"1")])
    newest = b"\xbe"  # index 62: the newest entry
    said(ours, b"\x40\x01a\x011")
    assert said(ours, newest) == said(ours, newest) == [(b"a", b"1")]
    said(ours, b"\x40\x01a\x012")
    assert said(ours, newest) == [(b"a", b"2")]
    said(ours, b"\x20")  # a table of no size
    assert said(ours, newest) == "error"


def test_no_more_is_remembered_than_the_bound() -> None:
    """A peer that never repeats itself fills no memory: 16 blocks, none of them large."""
    decoder = QuickDecoder()
    for number in range(10 * BLOCKS_KEPT_MAX):
        said(decoder, literal_block([(b":status", b"200"), (b"x-request-id", b"%d" % number)]))
        said(decoder, literal_block([(b"x", b"%d" % number * 600)]))
        assert len(decoder._kept) <= BLOCKS_KEPT_MAX
    assert all(len(block) < 100 for block in decoder._kept)


@given(BLOCK)
def test_our_own_blocks(fields: list[tuple[bytes, bytes, bool]]) -> None:
    """What literal_hpack writes is HPACK for the same fields, and changes no table."""
    decoder = hpack.Decoder()
    block = literal_block([(name, value) for name, value, _ in fields])
    assert [tuple(field) for field in decoder.decode(block, raw=True)] == [(name, value) for name, value, _ in fields]
    assert not decoder.header_table.dynamic_entries


@pytest.mark.parametrize("name", sorted(NEVER_INDEXED))
def test_credentials_are_never_indexed(name: bytes) -> None:
    """No hop on the way may put a credential into its table."""
    (field,) = hpack.Decoder().decode(literal_block([(name, b"secret")]), raw=True)
    assert isinstance(field, hpack.NeverIndexedHeaderTuple)


def test_long_names_and_values() -> None:
    """Lengths of more than one byte."""
    field = (b"n" * 300, b"v" * 20_000)
    assert [tuple(each) for each in hpack.Decoder().decode(literal_block([field]), raw=True)] == [field]
