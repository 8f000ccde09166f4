"""HTTP/1.1 towards a bank, without I/O (RFC 9112): one exchange at a time on a connection."""

import re
from typing import Final

import h11

from gateway.connector.link import Ending
from gateway.connector.wire import Answered, Failed, WireEvent
from gateway.core.ports import WireAnswer, WireRequest
from gateway.limits import ANSWER_BYTES_MAX, ANSWER_HEADER_BYTES_MAX

# A bank that closes an idle connection just when we write to it leaves a payment in doubt, and nothing can prove
# otherwise. Servers commonly close after 5 to 75 s; half of what they announce, and never more than this, keeps away.
IDLE_S_MAX: Final = 4.0
KEEP_ALIVE: Final = re.compile(r"timeout=(\d{1,6})")


class Http1Wire:
    """Keys count the exchanges of this connection."""

    ready = True
    control_bytes = 0

    def __init__(self, authority: str) -> None:
        self._authority = authority
        self._connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=ANSWER_HEADER_BYTES_MAX)
        self._outbound = b""
        self._key = 0
        self._busy = False
        self._answer_begun = False
        self._response: h11.Response | None = None
        self._chunks: list[bytes] = []
        self._size = 0
        self.finished = False
        self.idle_s_max = IDLE_S_MAX

    @property
    def room(self) -> int:
        return int(not self._busy and not self.finished)

    @property
    def open(self) -> int:
        return int(self._busy)

    @property
    def draining(self) -> bool:
        return self.finished

    @property
    def wants_send(self) -> bool:
        return bool(self._outbound)

    def greet(self) -> None:
        """HTTP/1.1 has none."""

    def begin(self, request: WireRequest) -> int:
        headers = [("host", self._authority), *request.headers]
        if request.body or request.method in ("POST", "PUT", "PATCH"):
            headers.append(("content-length", str(len(request.body))))
        encoded = [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers]
        head = self._connection.send(h11.Request(method=request.method, target=request.path, headers=encoded))
        body = self._connection.send(h11.Data(data=request.body)) if request.body else b""
        end = self._connection.send(h11.EndOfMessage())
        self._outbound += b"".join(part or b"" for part in (head, body, end))
        self._key += 1
        self._busy, self._answer_begun, self._response = True, False, None
        self._chunks, self._size = [], 0
        return self._key

    def receive(self, data: bytes) -> list[WireEvent]:
        if not self._busy:  # nobody asked: were it kept, the next request would get it for its answer
            self.finished = True
            return []
        return self._read(data)

    def end(self, *, clean: bool) -> list[WireEvent]:
        """A body that lasts until the connection closes is whole only if TLS says so (RFC 9112 section 9.8)."""
        events = self._read(b"") if clean and self._busy and self._response is not None else []
        self.finished = True
        if self._busy:
            ending = Ending.ANSWER_CUT if self._answer_begun else Ending.CONNECTION_LOST
            events.append(self._fail(ending, "closed by the bank" if clean else "cut off"))
        return events

    def abandon(self, key: int) -> None:
        """Whoever no longer waits cannot tell the bank so, except by closing."""
        if key == self._key and self._busy:
            self._busy = False
            self.finished = True

    def ping(self) -> bool:
        return False

    def say_goodbye(self) -> None:
        self.finished = True

    def bytes_to_send(self) -> bytes:
        data, self._outbound = self._outbound, b""
        return data

    # ------------------------------------------------------------ receiving

    def _read(self, data: bytes) -> list[WireEvent]:
        if data:
            self._answer_begun = True
        try:
            self._connection.receive_data(data)
            while True:
                event = self._connection.next_event()
                if event is h11.NEED_DATA:
                    return []
                if not isinstance(event, h11.Event) or isinstance(event, h11.ConnectionClosed):
                    self.finished = True
                    return [self._fail(Ending.PROTOCOL_BROKEN, "upgraded or closed")]
                if (done := self._take(event)) is not None:
                    return [done]
        except h11.RemoteProtocolError:
            self.finished = True
            ending = Ending.PROTOCOL_BROKEN if data else Ending.ANSWER_CUT
            return [self._fail(ending)]

    def _take(self, event: h11.Event) -> WireEvent | None:
        """What ends the exchange, or None. InformationalResponse says nothing yet."""
        if isinstance(event, h11.Response):
            self._response = event
        elif isinstance(event, h11.Data):
            self._chunks.append(bytes(event.data))
            self._size += len(event.data)
            if self._size > ANSWER_BYTES_MAX:
                self.finished = True
                return self._fail(Ending.ANSWER_TOO_LARGE)
        elif isinstance(event, h11.EndOfMessage):
            return self._answered()
        return None

    def _answered(self) -> WireEvent:
        assert self._response is not None, "h11 gives EndOfMessage only after Response"
        headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in self._response.headers)
        answer = WireAnswer(self._response.status_code, headers, b"".join(self._chunks))
        self._busy = False
        self._rest(answer)
        return Answered(self._key, answer)

    def _rest(self, answer: WireAnswer) -> None:
        """Make ready for the next exchange, if both sides are willing and nothing unasked-for has come."""
        reusable = self._connection.our_state is h11.DONE and self._connection.their_state is h11.DONE
        if not reusable or self._connection.trailing_data[0]:
            self.finished = True
            return
        self._connection.start_next_cycle()
        hint = KEEP_ALIVE.search(answer.header("keep-alive"))
        self.idle_s_max = min(IDLE_S_MAX, int(hint[1]) / 2) if hint else IDLE_S_MAX

    def _fail(self, ending: Ending, detail: str = "") -> Failed:
        self._busy = False
        return Failed(self._key, ending, detail)
