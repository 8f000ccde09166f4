"""What a session needs of a protocol: bytes in, events out, no I/O."""

from typing import NamedTuple, Protocol

from gateway.connector.link import Ending
from gateway.core.ports import WireAnswer, WireRequest


class Answered(NamedTuple):
    """The end of the answer was seen."""

    key: int
    answer: WireAnswer


class Failed(NamedTuple):
    key: int
    ending: Ending
    detail: str = ""


WireEvent = Answered | Failed


class Wire(Protocol):
    """One connection's protocol. Legal order: `greet`, then any of them; after `finished` only `bytes_to_send`."""

    @property
    def ready(self) -> bool:
        """Whether requests may be begun: for HTTP/2, the bank's SETTINGS have come."""
        ...

    @property
    def room(self) -> int:
        """How many exchanges may be begun now; may be 0 or less."""
        ...

    @property
    def open(self) -> int:
        """Exchanges begun and not ended."""
        ...

    @property
    def draining(self) -> bool:
        """No new exchange will ever be possible; those open may still end well."""
        ...

    @property
    def finished(self) -> bool:
        """Nothing more can come of this connection."""
        ...

    @property
    def idle_s_max(self) -> float:
        """For how long it may lie idle and still be trusted with a request; infinite where it can be pinged."""
        ...

    @property
    def control_bytes(self) -> int:
        """Bytes waiting to be sent that no request of ours asked for."""
        ...

    @property
    def wants_send(self) -> bool:
        """Whether `bytes_to_send` may have something to give."""
        ...

    def greet(self) -> None: ...

    def begin(self, request: WireRequest) -> int:
        """The exchange's key. From here on `bytes_to_send` may hold bytes of it. Only while `room` > 0."""
        ...

    def receive(self, data: bytes) -> list[WireEvent]: ...

    def end(self, *, clean: bool) -> list[WireEvent]:
        """The connection ended, `clean` if by close_notify. Every open exchange ends."""
        ...

    def abandon(self, key: int) -> None:
        """Nobody waits for this exchange any more."""
        ...

    def ping(self) -> bool:
        """Ask for a sign of life; False where the protocol has no way to."""
        ...

    def say_goodbye(self) -> None: ...

    def bytes_to_send(self) -> bytes: ...
