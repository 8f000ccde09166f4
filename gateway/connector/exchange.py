"""One request on its way to a bank, and the checks it passes before it may set out."""

import re
from collections.abc import Callable
from typing import Final

import trio

from gateway.connector.link import Ending, verdict
from gateway.core.errors import MaybeSent, NotSent
from gateway.core.ports import WireAnswer, WireRequest, always

# RFC 9110 section 5.6.2 in lower case, as HTTP/2 demands; RFC 9113 section 8.2.1 for values.
NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9a-z]+")
VALUE: Final = re.compile(r"[\x21-\x7e\x80-\xff]([\x20-\x7e\x80-\xff\t]*[\x21-\x7e\x80-\xff])?|")
PATH: Final = re.compile(r"/[\x21-\x7e]*")
METHOD: Final = re.compile(r"[A-Z]+")
# What the session itself decides (RFC 9113 section 8.2.2; RFC 9112 section 6 and 7.2).
SESSION_HEADERS: Final = {
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
}


class Exchange:
    """`outcome` is set once. `written` tells whether a byte of it may have left: it only ever goes from False to
    True, and it does so *before* the transport is given the bytes."""

    def __init__(self, request: WireRequest, wanted: Callable[[], bool] = always) -> None:
        self.request = request
        self.wanted = wanted
        self.written = False
        self.outcome: WireAnswer | NotSent | MaybeSent | None = None
        self._done = trio.Event()

    @property
    def done(self) -> bool:
        return self._done.is_set()

    async def wait(self) -> None:
        await self._done.wait()

    def finish(self, outcome: WireAnswer | NotSent | MaybeSent) -> None:
        """The first word counts; what comes later (an answer after the deadline, say) is dropped."""
        if self.outcome is None:
            self.outcome = outcome
            self._done.set()

    def fail(self, *, unwritten: Ending, written: Ending, detail: str = "") -> None:
        self.finish(verdict(written if self.written else unwritten, detail))


def flaw_of(request: WireRequest) -> str:
    """Why this request cannot be written as HTTP; empty if it can. Names only what is ours, never a value."""
    if not METHOD.fullmatch(request.method):
        return "the method"
    if not PATH.fullmatch(request.path):
        return "the path"
    for name, value in request.headers:
        if not NAME.fullmatch(name) or not VALUE.fullmatch(value):
            return "a header"
        if name in SESSION_HEADERS:
            return f"the header {name}, which belongs to the session"
    return ""
