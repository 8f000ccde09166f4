"""Bytes into frames, with a short way for the two kinds that every exchange is made of.

h2 cuts frames by hyperframe and then makes a text of each for a log that nobody reads: together a third of what a
frame costs. DATA and whole HEADERS without padding or priority are most of all frames and need none of that. Here
they become `QuickFrame`s, which say all that h2 asks of a frame; every other frame, and any in the middle of a header
block, goes h2's own way. What h2 then makes of a frame is untouched.
"""

import struct
from typing import Final

from h2.frame_buffer import FrameBuffer
from hyperframe.frame import Frame

HEADER_BYTES: Final = 9  # RFC 9113 section 4.1
KIND_DATA: Final = 0
KIND_HEADERS: Final = 1
FLAG_END_STREAM: Final = 0x1
FLAG_END_HEADERS: Final = 0x4

_HEAD: Final = struct.Struct(">HBBBL")
_NO_FLAGS: Final = frozenset[str]()
_END_STREAM: Final = frozenset(("END_STREAM",))


class QuickFrame:
    """A whole frame on a stream, in hyperframe's words as far as h2 uses them."""

    __slots__ = ("data", "flags", "flow_controlled_length", "stream_id")

    def __init__(self, stream_id: int, data: bytes, flags: frozenset[str]) -> None:
        self.stream_id = stream_id
        self.data = data
        self.flags = flags
        self.flow_controlled_length = len(data)

    def __repr__(self) -> str:  # h2 asks for it with every frame
        return "a frame"


class QuickData(QuickFrame):
    """DATA without padding."""

    __slots__ = ()


class QuickHeaders(QuickFrame):
    """HEADERS with END_HEADERS, without padding or priority."""

    __slots__ = ()


class QuickFrameBuffer(FrameBuffer):
    """h2's buffer of what has arrived, which hands out QuickFrames where it can."""

    def __next__(self) -> Frame | QuickFrame:  # type: ignore[override]
        """The next whole frame. Raises FrameTooLargeError as soon as a frame's header says so: h2 would first
        collect up to 16 MiB."""
        data = self._data
        if len(data) < HEADER_BYTES:
            raise StopIteration
        high, low, kind, flags, stream_id = _HEAD.unpack_from(data)
        length = (high << 8) | low
        self._validate_frame_length(length)
        if self._headers_buffer or not 0 < stream_id < 0x8000_0000:
            return super().__next__()
        if kind == KIND_DATA and not flags & ~FLAG_END_STREAM:
            quick: type[QuickFrame] = QuickData
        elif kind == KIND_HEADERS and flags | FLAG_END_STREAM == FLAG_END_HEADERS | FLAG_END_STREAM:
            quick = QuickHeaders
        else:
            return super().__next__()
        end = HEADER_BYTES + length
        if len(data) < end:
            raise StopIteration
        body = bytes(data[HEADER_BYTES:end])
        del data[:end]
        return quick(stream_id, body, _END_STREAM if flags & FLAG_END_STREAM else _NO_FLAGS)
