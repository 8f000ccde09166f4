"""Claims about random bytes: whoever asks gets what nobody else got."""

import itertools

from gateway.house import DRAWN_BYTES, Entropy


def test_no_byte_is_given_twice() -> None:
    """What is handed out, in pieces of any size, is what the system gave, in order; rests are dropped, never reused."""
    numbers = itertools.count()

    def draw(size: int) -> bytes:
        return b"".join(next(numbers).to_bytes(4, "big") for _ in range(size // 4))

    entropy = Entropy(draw)
    pieces = [entropy(size) for size in (8, 12, DRAWN_BYTES - 8, 4, 2 * DRAWN_BYTES, 16)]
    said = [piece[at : at + 4] for piece in pieces for at in range(0, len(piece), 4)]
    assert [len(piece) for piece in pieces] == [8, 12, DRAWN_BYTES - 8, 4, 2 * DRAWN_BYTES, 16]
    assert len(set(said)) == len(said)
