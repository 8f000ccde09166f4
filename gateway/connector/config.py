"""What a pool has to know about one bank's wire."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import trio

from gateway.net.tls import TlsContext


@dataclass(frozen=True, slots=True)
class LinkConfig:
    """One bank's wire. Times are in seconds; the defaults are what design.md section 8 asks for."""

    host: str
    port: int
    tls_context: Callable[[], TlsContext]
    """Makes a client context from the files as they are now: a new one for every connection, so that replaced files
    are used without a restart. May raise tls.TlsFileBad."""
    connect_host: str = ""
    """Connect here instead of `host` (a tunnel, a test); names and headers stay the same."""
    server_name: str = ""
    """The name the bank's certificate must carry, and SNI; `host` if empty."""
    authority: str = ""
    """What requests say they are for; `host`, with the port unless it is 443, if empty."""
    sessions_max: int = 2
    streams_per_session_max: int = 100
    exchanges_per_session_max: int = 1_000_000
    """Then a session is replaced; stream ids end at 2**30 requests."""
    waiting_max: int = 1_000
    """Requests that may wait for a free stream."""
    connect_timeout_s: float = 10.0
    handshake_timeout_s: float = 10.0
    """TLS, and for HTTP/2 also the bank's SETTINGS."""
    ping_after_s: float = 20.0
    """Silence after which we ask for a sign of life; a session waits between this and 1.5 times this."""
    ping_timeout_s: float = 10.0
    session_age_s_max: float = 3_600.0
    """A session takes new requests for at most this and at least 0.8 times this, so that not all end at once."""
    dial: Callable[[], Awaitable[trio.abc.Stream]] | None = None
    """Opens the transport under TLS; None: TCP."""

    def __post_init__(self) -> None:
        for name in ("sessions_max", "streams_per_session_max", "exchanges_per_session_max", "waiting_max"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1")
        for name in (
            "connect_timeout_s",
            "handshake_timeout_s",
            "ping_after_s",
            "ping_timeout_s",
            "session_age_s_max",
        ):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0")

    @property
    def peer_name(self) -> str:
        return self.server_name or self.host

    @property
    def request_authority(self) -> str:
        return self.authority or (self.host if self.port == 443 else f"{self.host}:{self.port}")
