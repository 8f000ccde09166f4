"""HTTP/2 frames that h2 must not see or would not make (RFC 9113 sections 4.1 and 6.8)."""

from h2.errors import ErrorCodes
from hyperframe.frame import DataFrame, GoAwayFrame, HeadersFrame

PREFACE_BYTES = 24  # the client's connection preface, which comes before the first frame
HEAD_BYTES = 9  # of every frame: length 3, type 1, flags 1, stream 4
GOAWAY = 0x07
STREAM_MAX = 2**31 - 1


class FrameGate:
    """Takes the peer's GOAWAY frames out of its bytes; everything else passes unchanged."""

    def __init__(self) -> None:
        self._pass = PREFACE_BYTES
        self._drop = 0
        self._head = bytearray()

    def pass_on(self, data: bytes) -> bytes:
        """The bytes for h2. Never holds back more than a frame head."""
        out = bytearray()
        at = 0
        while at < len(data):
            if self._pass or self._drop:
                at += self._go_through(data[at : at + (self._pass or self._drop)], out)
                continue
            need = HEAD_BYTES - len(self._head)
            self._head += data[at : at + need]
            at += need
            if len(self._head) == HEAD_BYTES:
                self._open_frame(out)
        return bytes(out)

    def _go_through(self, part: bytes, out: bytearray) -> int:
        if self._pass:
            out += part
            self._pass -= len(part)
        else:
            self._drop -= len(part)
        return len(part)

    def _open_frame(self, out: bytearray) -> None:
        length = int.from_bytes(self._head[:3], "big")
        if self._head[3] == GOAWAY:
            self._drop = length
        else:
            self._pass = length
            out += self._head
        self._head.clear()


def goaway_frame(last_stream: int, error_code: int = ErrorCodes.NO_ERROR) -> bytes:
    """GOAWAY with any last stream id, whatever h2 thinks of it."""
    return bytes(GoAwayFrame(0, last_stream_id=last_stream, error_code=error_code).serialize())


def headers_frame(stream_id: int, block: bytes, end_headers: bool) -> bytes:
    """HEADERS with a ready header block, or with a part of one and no END_HEADERS."""
    frame = HeadersFrame(stream_id, data=block)
    if end_headers:
        frame.flags.add("END_HEADERS")
    return bytes(frame.serialize())


def last_data_frame(stream_id: int, data: bytes) -> bytes:
    """DATA with END_STREAM; `data` must fit the peer's SETTINGS_MAX_FRAME_SIZE."""
    frame = DataFrame(stream_id, data=data)
    frame.flags.add("END_STREAM")
    return bytes(frame.serialize())
