"""References and traceparents as bytes: half their length, where they are spelled as we, or the W3C, spell them.

Every function here is exact: what `packed_…` makes, `…_of` turns back into the very text; of any other spelling it
makes nothing, and the text is stored as it is.
"""

from functools import lru_cache
from typing import Final

from gateway import limits
from gateway.core.payment import REFERENCE_CHARS

REMEMBERED_MAX: Final = limits.RECENT_PAYMENTS_MAX
"""Of each kind, as packed: a payment's are written in its record, its facts and an index within moments."""

_PREFIXES: Final = {"CW": b"W", "CB": b"B"}
_PREFIX_OF: Final = {b"W": "CW", b"B": "CB"}
PACKED_REFERENCE_BYTES: Final = 1 + (REFERENCE_CHARS - 2) // 2

_TRACEPARENT_CHARS: Final = 55
_TRACE_ID_BYTES: Final = 16
_SPAN_ID_BYTES: Final = 8
PACKED_TRACEPARENT_BYTES: Final = _TRACE_ID_BYTES + _SPAN_ID_BYTES + 1


@lru_cache(REMEMBERED_MAX)
def packed_reference(text: str) -> bytes:
    """A wire or message reference of ours (two letters and upper-case hexadecimal); b"" of any other text."""
    prefix = _PREFIXES.get(text[:2])
    if prefix is None or len(text) != REFERENCE_CHARS:
        return b""
    try:
        packed = prefix + bytes.fromhex(text[2:])
    except ValueError:
        return b""
    return packed if reference_of(packed) == text else b""


def reference_of(packed: bytes) -> str:
    """Raises KeyError where nothing of ours was packed."""
    return _PREFIX_OF[packed[:1]] + packed[1:].hex().upper()


@lru_cache(REMEMBERED_MAX)
def packed_traceparent(text: str) -> bytes:
    """W3C Trace Context, version 00; b"" of any other text."""
    if len(text) != _TRACEPARENT_CHARS or not text.startswith("00-"):
        return b""
    try:
        packed = bytes.fromhex(text[3:].replace("-", ""))
    except ValueError:
        return b""
    return packed if traceparent_of(packed) == text else b""


def traceparent_of(packed: bytes) -> str:
    """Of PACKED_TRACEPARENT_BYTES."""
    digits = packed.hex()
    return f"00-{digits[:32]}-{digits[32:48]}-{digits[48:]}"
