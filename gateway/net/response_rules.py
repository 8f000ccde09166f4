"""What RFC 9113 section 8 forbids in the fields of an answer, checked in one pass.

As strict as h2's own checks of responses, informational responses and trailers (tests/net/test_response_rules.py
compares them), which are seven generators one behind the other and look at single bytes.
"""

import re
from collections.abc import Iterable
from typing import Final

NAME: Final = re.compile(rb"[!-9;-@\[-~]+")  # section 8.2.1: no space, no capital, no colon, nothing above ASCII
BAD_VALUE: Final = re.compile(rb"[\0\r\n]|\A[ \t]|[ \t]\Z")  # section 8.2.1
CONNECTION_FIELDS: Final = frozenset(  # section 8.2.2
    (b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade")
)


def flaw_of_fields(fields: Iterable[tuple[bytes, bytes]], *, trailers: bool) -> str:
    """Why these fields cannot be an answer's, or the trailers of one; empty if they can. Quotes nothing received."""
    status_seen = regular_seen = False
    for name, value in fields:
        if BAD_VALUE.search(value) is not None:
            return "a field value"
        if NAME.fullmatch(name) is not None:
            regular_seen = True
            if name in CONNECTION_FIELDS or (name == b"te" and value.lower() != b"trailers"):
                return "a field of the connection"
        elif name != b":status":
            return "a field name"
        elif status_seen or regular_seen or trailers:
            return "the place of :status"
        else:
            status_seen = True
    return "" if status_seen or trailers else "no :status"
