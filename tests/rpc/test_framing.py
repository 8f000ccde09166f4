"""Length-prefixed messages."""

import gzip
import random
import struct

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.rpc.framing import (
    INFLATE_SLICE_BYTES,
    PREFIX,
    Deflated,
    MessageReader,
    frame,
    frame_gzip,
    inflate,
    inflating,
)
from gateway.rpc.status import RpcError

MESSAGES = st.lists(st.binary(max_size=200), max_size=20)


@given(MESSAGES, st.lists(st.integers(min_value=1, max_value=50), min_size=1))
def test_reader_is_blind_to_frame_boundaries(messages: list[bytes], cuts: list[int]) -> None:
    """However the bytes are cut on their way, the same messages come out, and nothing is left."""
    wire = b"".join(map(frame, messages))
    reader = MessageReader(200, gzip=False)
    found, position, turn = [], 0, 0
    while position < len(wire):
        step = cuts[turn % len(cuts)]
        found += reader.feed(wire[position : position + step])
        position, turn = position + step, turn + 1
    assert found == messages
    assert reader.partial_bytes == 0


@given(st.binary(max_size=400))
def test_rubbish_is_refused_or_waits(rubbish: bytes) -> None:
    """Arbitrary bytes never do anything but give messages, wait for more, or raise RpcError."""
    reader = MessageReader(64, gzip=True)
    try:
        messages = reader.feed(rubbish)
    except RpcError as error:
        refused = error.code
    else:
        refused = grpc.StatusCode.INTERNAL
        assert sum(map(len, messages)) + PREFIX.size * len(messages) + reader.partial_bytes == len(rubbish)
    assert refused in (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.INTERNAL)


def test_oversized_message_is_known_from_its_prefix() -> None:
    """A message over the limit is refused before a byte of it is kept."""
    with pytest.raises(RpcError) as caught:
        MessageReader(10, gzip=False).feed(PREFIX.pack(0, 11))
    assert caught.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert MessageReader(10, gzip=False).feed(frame(bytes(10))) == [bytes(10)]


@pytest.mark.parametrize("flag", [2, 255])
def test_unknown_flag(flag: int) -> None:
    """A flag that is neither 0 nor 1 makes the stream unreadable."""
    with pytest.raises(RpcError) as caught:
        MessageReader(10, gzip=True).feed(PREFIX.pack(flag, 0))
    assert caught.value.code is grpc.StatusCode.INTERNAL


def test_compressed_flag_without_encoding() -> None:
    """A compressed message on a stream that named no encoding is an INTERNAL error, as the protocol demands."""
    with pytest.raises(RpcError) as caught:
        MessageReader(10, gzip=False).feed(PREFIX.pack(1, 0))
    assert caught.value.code is grpc.StatusCode.INTERNAL


@given(st.binary(max_size=2_000))
def test_gzip_round_trip(message: bytes) -> None:
    """What is framed with gzip reads back the same, and travels plain where gzip does not pay."""
    framed = frame_gzip(message)
    (raw,) = MessageReader(2_000, gzip=True).feed(framed)
    if isinstance(raw, Deflated):
        assert len(raw) < len(message)
        raw = inflate(raw, 2_000)
    assert raw == message


def test_bomb_is_not_blown_up() -> None:
    """A gzip bomb costs no more memory than one message may have."""
    with pytest.raises(RpcError) as caught:
        inflate(gzip.compress(bytes(50_000_000)), 1_000)
    assert caught.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED


LIMIT = 4 * INFLATE_SLICE_BYTES


def test_an_honest_bomb_is_known_by_its_end() -> None:
    """What says at its end that it is too large is refused before a byte of it is inflated."""
    with pytest.raises(RpcError) as caught:
        next(inflating(gzip.compress(bytes(50_000_000)), LIMIT))
    assert caught.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("announced", [0, 100, LIMIT, 2**32 - 1])
def test_a_bomb_that_lies_is_inflated_to_the_limit(announced: int) -> None:
    """Whatever length it announces, it is inflated in slices, to the limit at most, and is RESOURCE_EXHAUSTED."""
    bomb = gzip.compress(bytes(50_000_000))[:-4] + struct.pack("<L", announced)
    made: list[int] = []
    with pytest.raises(RpcError) as caught:
        made.extend(map(len, inflating(bomb, LIMIT)))
    assert caught.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert sum(made) <= LIMIT
    assert max(made, default=0) <= INFLATE_SLICE_BYTES


@pytest.mark.parametrize("size", [0, 1, LIMIT - 1, LIMIT])
@pytest.mark.parametrize("noise", [False, True])
def test_up_to_the_limit_it_is_whole(size: int, noise: bool) -> None:
    """A message of the limit's size passes, whether its gzip is tiny or larger than itself."""
    message = random.Random(size).randbytes(size) if noise else bytes(size)
    assert inflate(gzip.compress(message), LIMIT) == message


@pytest.mark.parametrize("squeezed", [b"no gzip", gzip.compress(b"cut")[:-1], gzip.compress(b"x") + b"more"])
def test_broken_gzip(squeezed: bytes) -> None:
    """A compressed message that is not exactly one gzip member is an INTERNAL error."""
    with pytest.raises(RpcError) as caught:
        inflate(squeezed, 1_000)
    assert caught.value.code is grpc.StatusCode.INTERNAL


@pytest.mark.parametrize("prefix", [struct.pack(">BL", 0, 1_001), struct.pack(">BL", 2, 1), struct.pack(">BL", 1, 1)])
@pytest.mark.parametrize("cut", range(1, 5))
def test_a_prefix_in_pieces_is_checked(prefix: bytes, cut: int) -> None:
    """A message that may not be is refused by its prefix alone, also where that came in two frames: nothing of 4 GiB is
    collected on its word."""
    reader = MessageReader(1_000, gzip=False)
    assert reader.feed(prefix[:cut]) == []
    with pytest.raises(RpcError):
        reader.feed(prefix[cut:])
