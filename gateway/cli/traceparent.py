"""W3C Trace Context (https://www.w3.org/TR/trace-context/): the header that makes our call part of a trace."""

import os
import re
import secrets
from collections.abc import Mapping

from gateway.cli.complaint import Complaint

_FORM = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def find_traceparent(given: str | None, environment: Mapping[str, str] | None = None) -> str:
    """The one given by flag or $TRACEPARENT, else a new sampled one. Raises Complaint for a malformed one."""
    environ = os.environ if environment is None else environment
    text = given or environ.get("TRACEPARENT") or new_traceparent()
    if not _FORM.fullmatch(text):
        raise Complaint(
            f"{text!r} is no traceparent",
            advice=["it looks like 00-<32 hex digits>-<16 hex digits>-01; leave it away for a new trace"],
        )
    return text


def new_traceparent(trace_id: str = "") -> str:
    """A sampled context: of the trace `trace_id` (32 hex digits), or of a new one."""
    return f"00-{trace_id or secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


def trace_id(traceparent: str) -> str:
    return traceparent.split("-")[1]
