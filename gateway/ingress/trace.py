"""The caller's trace, as W3C Trace Context carries it. What is not valid is ignored: it must not cost a payment."""

import re
from collections.abc import Iterable
from contextvars import ContextVar
from typing import Final

_TRACEPARENT: Final = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_VERSION_0_CHARS: Final = 55  # a later version may add fields after these


def traceparent(metadata: Iterable[tuple[str, str | bytes]]) -> str:
    """The one valid `traceparent` of the call's metadata, cut to the fields of version 00; "" where there is none."""
    found = [value for key, value in metadata if key == "traceparent"]
    if len(found) != 1 or not isinstance(found[0], str):
        return ""
    value = found[0]
    if not _TRACEPARENT.match(value):
        return ""
    if len(value) > _VERSION_0_CHARS and (value.startswith("00") or value[_VERSION_0_CHARS] != "-"):
        return ""
    return f"00{value[2:_VERSION_0_CHARS]}"


call_span: ContextVar[str] = ContextVar("call_span", default="")
"""The traceparent of the call's own span, set while its handler runs."""


def parent_of(metadata: Iterable[tuple[str, str | bytes]]) -> str:
    """The parent for what a call causes: the call's span where there is one, else what the caller sent."""
    return call_span.get() or traceparent(metadata)
