"""One request and the ways to answer it, whichever HTTP version carries it."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Literal

from loadtest.bank.wire import Ending

LastStream = Literal["below", "at", "max"]
Headers = tuple[tuple[str, str], ...]

XML: Headers = (("content-type", "application/xml"),)
PLAIN: Headers = (("content-type", "text/plain; charset=utf-8"),)
JSON: Headers = (("content-type", "application/json"),)


@dataclass(frozen=True, slots=True)
class Request:
    """A complete request: nothing is looked at before its last byte has come."""

    method: str
    target: str
    body: bytes
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete answer; content-length is added by the session."""

    status: int
    body: bytes = b""
    headers: Headers = field(default=PLAIN)


class Exchange(ABC):
    """The wire acts of one request. All raise Gone when the connection is no more.

    Acts that HTTP/1.1 does not know (streams and GOAWAY) end the connection there instead.
    """

    request: Request

    def take_on(self) -> bool:
        """Asked just before the booking: whether the bank still has this request. False once a GOAWAY disowned it."""
        return True

    @abstractmethod
    async def reply(self, reply: Reply) -> None:
        """The honest way: head, body, end."""

    @abstractmethod
    async def begin(self, reply: Reply, announce_length: bool = True) -> None:
        """The head of an answer whose body follows piece by piece."""

    @abstractmethod
    async def piece(self, data: bytes, end: bool) -> None:
        """Part of the body, on the wire when this returns; `end` ends the answer."""

    @abstractmethod
    async def reply_twice(self, reply: Reply) -> None:
        """A complete answer and, on the same stream, the same once more."""

    @abstractmethod
    async def half_header(self, reply: Reply) -> None:
        """The first half of the answer's header block; then the bank is mute on this connection."""

    @abstractmethod
    async def reset(self, error_code: int) -> None:
        """RST_STREAM after everything said so far. HTTP/1.1: TCP reset."""

    @abstractmethod
    async def goaway(self, last: LastStream, error_code: int) -> None:
        """GOAWAY that disowns this stream (below), includes it (at), or announces a drain (max).

        It never disowns another stream that was taken on: its last stream is higher where it would, and may then
        include this one (`take_on` tells)."""

    @abstractmethod
    async def garbage(self, data: bytes, below_tls: bool) -> None:
        """Bytes that belong to no protocol; then the bank is mute on this connection."""

    @abstractmethod
    async def close(self, how: Ending) -> None:
        """Everything said so far leaves, then the connection ends."""

    @abstractmethod
    def mute(self) -> None:
        """From now on the bank says nothing on this connection, not even PING answers."""

    @abstractmethod
    async def hang(self) -> None:
        """Returns when the connection is gone."""
