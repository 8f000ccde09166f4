"""What arrives is cut where frames begin, into slices of about the same work."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.rpc.slices import HEADER_BYTES_PER_FRAME, PREFACE_BYTES, Slicer
from tests.rpc.raw_peer import frame_bytes

PREFACE = bytes(PREFACE_BYTES)
PING = frame_bytes(6, 0, 0, bytes(8))


def slices(slicer: Slicer, data: bytes, frames_max: int) -> list[bytes]:
    found, start = [], 0
    while start < len(data):
        end = slicer.end(data, start, frames_max)
        assert end > start
        found.append(data[start:end])
        start = end
    return found


def test_so_many_frames_at_once() -> None:
    """A slice holds as many frames as are allowed, the first one the preface, too."""
    found = slices(Slicer(), PREFACE + PING * 10, 4)
    assert found == [PREFACE + PING * 4, PING * 4, PING * 2]


def test_header_blocks_weigh_by_their_size() -> None:
    """A header block costs by the field: a large one is a slice of its own."""
    large = frame_bytes(1, 4, 1, bytes(4 * HEADER_BYTES_PER_FRAME))
    found = slices(Slicer(), PREFACE + PING + large + PING, 4)
    assert found == [PREFACE + PING, large, PING]


def test_messages_stay_together() -> None:
    """Full DATA frames cost by the frame, not by the byte: a window of them is a slice."""
    data = frame_bytes(0, 0, 1, bytes(16_000)) * 4
    assert slices(Slicer(), PREFACE + data, 4) == [PREFACE + data]


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3_000)), max_size=40),
    st.lists(st.integers(1, 4_000), min_size=1, max_size=40),
    st.integers(1, 9),
)
def test_cuts_are_where_frames_begin(frames: list[tuple[int, int]], reads: list[int], frames_max: int) -> None:
    """However the bytes arrive, nothing is lost, and a cut inside a read is a frame's beginning."""
    whole, begins = PREFACE, set()
    for kind, size in frames:
        begins.add(len(whole))
        whole += frame_bytes(kind, 0, 1, bytes(size))
    slicer, position, turn = Slicer(), 0, 0
    while position < len(whole):
        data = whole[position : position + reads[turn % len(reads)]]
        turn += 1
        parts = slices(slicer, data, frames_max)
        assert b"".join(parts) == data
        at = position
        for part in parts[:-1]:
            at += len(part)
            assert at in begins
        position += len(data)
