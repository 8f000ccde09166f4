"""Every way an exchange can end, and what that proves: law 4 as a table.

"Not sent" must be provable: either no byte of the request's header was handed to the transport, or the bank's own
protocol says that it processed nothing. Everything else is doubt. There is no third column, no default and no way
to raise NotSent or MaybeSent in this room but through `verdict`.
"""

from collections.abc import Mapping
from enum import Enum, auto
from types import MappingProxyType
from typing import Final

from gateway.core.errors import MaybeSent, NotSent
from gateway.core.reasons import Reason, may_retry


class Ending(Enum):
    """What was seen. In the order of an exchange's life."""

    # ---- no byte of the request was handed to the transport
    REQUEST_NOT_HTTP = auto()
    """The request cannot be written as HTTP (a header with a line break, say)."""
    CONNECT_FAILED = auto()
    """No address, refused, unreachable."""
    CONNECT_TIMED_OUT = auto()
    TLS_FILES_BAD = auto()
    """Our own certificate, key or authority file cannot be used."""
    HANDSHAKE_FAILED = auto()
    """The bank's certificate was not accepted, or no common version or cipher, or no TLS at all."""
    HANDSHAKE_TIMED_OUT = auto()
    PEER_NOT_TRUSTED = auto()
    """A good certificate, but another's: wrong name, or no pinned key."""
    CERTIFICATE_REFUSED_EARLY = auto()
    """An alert against our certificate during the handshake, or before the bank's SETTINGS."""
    ALPN_UNKNOWN = auto()
    """Neither h2 nor http/1.1 was agreed on."""
    GREETING_MISSING = auto()
    """HTTP/2 was agreed on, but the bank's SETTINGS never came."""
    NO_ROOM_IN_TIME = auto()
    """The deadline passed while the request waited for a session with a free stream."""
    QUEUE_FULL = auto()
    NOT_WANTED = auto()
    """The payment moved on while the request waited for a session."""
    SESSION_LOST_BEFORE_WRITING = auto()
    """The session ended between taking the request and writing it."""
    POOL_CLOSED_BEFORE_WRITING = auto()

    # ---- written, and the bank's protocol says that it processed nothing
    CERTIFICATE_REFUSED_LATE = auto()
    """TLS 1.3: an alert against our certificate before any byte of an answer on this connection."""
    STREAM_REFUSED = auto()
    """RST_STREAM with REFUSED_STREAM before any byte of an answer (RFC 9113 section 8.7)."""
    ABOVE_GOAWAY = auto()
    """A stream above GOAWAY's last id, before any byte of an answer (RFC 9113 section 6.8)."""

    # ---- written, and nobody can know
    CONNECTION_LOST = auto()
    """The connection ended, cleanly or not, before the answer's first byte."""
    WRITE_FAILED = auto()
    PING_UNANSWERED = auto()
    POOL_CLOSED = auto()
    SESSION_BROKE = auto()
    """A fault of ours ended the session."""
    DEADLINE = auto()
    """Before or inside the answer."""
    ANSWER_CUT = auto()
    """The connection ended inside the answer."""
    STREAM_RESET = auto()
    """RST_STREAM with any other code, or after part of an answer."""
    PROTOCOL_BROKEN = auto()
    """What came is not HTTP."""
    ANSWER_TOO_LARGE = auto()


REASONS: Final[Mapping[Ending, Reason]] = MappingProxyType(
    {
        Ending.REQUEST_NOT_HTTP: Reason.NEVER_WRITTEN,
        Ending.CONNECT_FAILED: Reason.CONNECT_FAILED,
        Ending.CONNECT_TIMED_OUT: Reason.CONNECT_FAILED,
        Ending.TLS_FILES_BAD: Reason.TLS_FAILED,
        Ending.HANDSHAKE_FAILED: Reason.TLS_FAILED,
        Ending.HANDSHAKE_TIMED_OUT: Reason.TLS_FAILED,
        Ending.PEER_NOT_TRUSTED: Reason.TLS_FAILED,
        Ending.CERTIFICATE_REFUSED_EARLY: Reason.CERTIFICATE_REFUSED,
        Ending.ALPN_UNKNOWN: Reason.PROTOCOL_NOT_OFFERED,
        Ending.GREETING_MISSING: Reason.CONNECT_FAILED,
        Ending.NO_ROOM_IN_TIME: Reason.NEVER_WRITTEN,
        Ending.QUEUE_FULL: Reason.NEVER_WRITTEN,
        Ending.NOT_WANTED: Reason.NEVER_WRITTEN,
        Ending.SESSION_LOST_BEFORE_WRITING: Reason.NEVER_WRITTEN,
        Ending.POOL_CLOSED_BEFORE_WRITING: Reason.NEVER_WRITTEN,
        Ending.CERTIFICATE_REFUSED_LATE: Reason.CERTIFICATE_REFUSED,
        Ending.STREAM_REFUSED: Reason.STREAM_REFUSED,
        Ending.ABOVE_GOAWAY: Reason.GOAWAY_ABOVE_LAST,
        Ending.CONNECTION_LOST: Reason.REPLY_LOST,
        Ending.WRITE_FAILED: Reason.REPLY_LOST,
        Ending.PING_UNANSWERED: Reason.REPLY_LOST,
        Ending.POOL_CLOSED: Reason.REPLY_LOST,
        Ending.SESSION_BROKE: Reason.REPLY_LOST,
        Ending.DEADLINE: Reason.REPLY_TIMEOUT,
        Ending.ANSWER_CUT: Reason.REPLY_TRUNCATED,
        Ending.STREAM_RESET: Reason.STREAM_RESET,
        Ending.PROTOCOL_BROKEN: Reason.REPLY_UNREADABLE,
        Ending.ANSWER_TOO_LARGE: Reason.REPLY_UNREADABLE,
    }
)


def verdict(ending: Ending, detail: str = "") -> NotSent | MaybeSent:
    """The exception to raise for this ending. `detail` is for operators and holds nothing of the payment."""
    reason = REASONS[ending]
    words = f"{ending.name.lower().replace('_', ' ')}{f': {detail}' if detail else ''}"
    return NotSent(reason, words) if may_retry(reason) else MaybeSent(reason, words)
