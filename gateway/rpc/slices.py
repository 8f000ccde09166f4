"""Cuts what arrives into slices of about the same work, without I/O and without understanding it: by frame heads.

Bytes alone say little: 64 KiB may be four frames of messages, which cost next to nothing, or four thousand PINGs.
"""

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

    def end(self, data: bytes | bytearray, start: int, frames_max: int) -> int:
        """Where in `data` the slice ends that begins at `start`: before the frame that would make it worth more than
        `frames_max`, though it has one at least. The next slice begins there, or with the next `data`."""
        position, worth = start, 0
        while True:
            at = position + self._rest
            if at >= len(data):
                self._rest = at - len(data)
                return len(data)
            head = self._head + data[at : at + HEAD_BYTES - len(self._head)]
            if len(head) < HEAD_BYTES:
                self._head, self._rest = bytes(head), 0
                return len(data)
            size = int.from_bytes(head[:3], "big")
            more = 1 + (size // HEADER_BYTES_PER_FRAME if head[3] in (_HEADERS, _CONTINUATION) else 0)
            if worth and worth + more > frames_max:
                self._rest = 0
                return at
            worth += more
            position = at + HEAD_BYTES - len(self._head)
            self._head, self._rest = b"", size
