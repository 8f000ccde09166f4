"""Cuts what arrives into slices of about the same work, without I/O and without understanding it: by frame heads.

Bytes alone say little: 64 KiB may be four frames of messages, which cost next to nothing, or four thousand PINGs.
"""

from collections.abc import Iterator
from typing import Final

PREFACE_BYTES: Final = 24  # before the first frame, RFC 9113 section 3.4
HEAD_BYTES: Final = 9
HEADER_BYTES_PER_FRAME: Final = 512
"""So many bytes of a header block cost as much as a frame: HPACK spends some 3 us on a field, and one can be of
three bytes."""
_HEADERS, _CONTINUATION = 1, 9


class Slicer:
    """One connection's, from its first byte on; what it is given need not end where a frame ends."""

    __slots__ = ("_head", "_rest")

    def __init__(self) -> None:
        self._rest = PREFACE_BYTES  # bytes still to come of what has begun
        self._head = b""  # of a frame whose head is not here whole

    def cut(self, data: bytes | bytearray, frames_max: int) -> Iterator[bytes | bytearray]:
        """`data` in order, in slices that hold the beginnings of frames worth `frames_max` at most, but at least one.

        Take all slices of one call before the next call.
        """
        start = position = worth = 0
        while True:
            position += self._rest
            if position >= len(data):
                self._rest = position - len(data)
                break
            head = self._head + data[position : position + HEAD_BYTES - len(self._head)]
            if len(head) < HEAD_BYTES:
                self._head, self._rest = bytes(head), 0
                break
            size = int.from_bytes(head[:3], "big")
            more = 1 + (size // HEADER_BYTES_PER_FRAME if head[3] in (_HEADERS, _CONTINUATION) else 0)
            if worth and worth + more > frames_max and position > start:
                yield data[start:position]
                start, worth = position, 0
            worth += more
            position += HEAD_BYTES - len(self._head)
            self._head, self._rest = b"", size
        if start == 0:
            yield data
        elif start < len(data):
            yield data[start:]
