"""What a session tells its owner.

Legal order per stream: Opened, Readable*, then at most one of Broken and Reset. After `finish` no more come.
"""

from typing import NamedTuple

from .status import Status
from .stream import Stream


class Opened(NamedTuple):
    """A call whose headers are acceptable; messages may be in its inbox already."""

    stream: Stream


class Readable(NamedTuple):
    """The stream's `inbox` or `ended` has changed."""

    stream: Stream


class Broken(NamedTuple):
    """The request cannot be read on; the call is to end with this status."""

    stream: Stream
    status: Status


class Reset(NamedTuple):
    """The client has left this stream; nothing can be sent on it."""

    stream: Stream


class PingAcked(NamedTuple):
    """The peer has answered our ping."""


class GoneAway(NamedTuple):
    """The server takes no more calls; those above `last_stream_id` were not processed."""

    last_stream_id: int
    error_code: int
    reason: str


Event = Opened | Readable | Broken | Reset | PingAcked | GoneAway
