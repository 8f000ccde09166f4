"""One call on the wire: what has arrived and waits for its handler, what the handler sent and waits to leave."""

from .framing import MessageReader
from .metadata import RequestHead


class Stream:
    """State of one HTTP/2 stream; only the session changes it.

    Towards us
      inbox: whole messages, decompressed, that the handler has not taken.
      ended: the client has half-closed; no more messages will come.
      unacked: flow-controlled bytes received for which no WINDOW_UPDATE has been sent.
      scraps: tiny frames since the last whole message.
      buffered: bytes held in `inbox` and in a message that is not whole yet.
    From us
      initial: header block still to be sent before the first message; None before the handler decided.
      began: response headers are on the wire.
      outbox: framed messages; a memoryview is the rest of something whose first part has left already.
      out_bytes: sum of the outbox.
      trailers: header block that ends the stream once the outbox is empty.
      closed: nothing can be sent any more.
    """

    __slots__ = (
        "began",
        "broken",
        "buffered",
        "closed",
        "ended",
        "head",
        "id",
        "inbox",
        "initial",
        "out_bytes",
        "outbox",
        "queued",
        "reader",
        "scraps",
        "trailers",
        "turn",
        "unacked",
    )

    def __init__(self, stream_id: int, head: RequestHead, reader: MessageReader) -> None:
        self.id = stream_id
        self.head = head
        self.reader = reader
        self.inbox: list[bytes] = []
        self.ended = False
        self.broken = False
        self.unacked = 0
        self.buffered = 0
        self.scraps = 0
        self.initial: bytes | None = None
        self.began = False
        self.outbox: list[bytes | memoryview] = []
        self.out_bytes = 0
        self.trailers: bytes | None = None
        self.closed = False
        self.queued = False
        self.turn = 0

    @property
    def torn(self) -> bool:
        """Whether the peer has got a part of a message whose rest still waits here."""
        return bool(self.outbox) and isinstance(self.outbox[0], memoryview)

    def drop_outbox(self) -> None:
        """Forget what has not left."""
        self.outbox.clear()
        self.out_bytes = 0
