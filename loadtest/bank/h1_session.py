"""The bank's side of one HTTP/1.1 connection: one request at a time, kept alive, no pipelining ahead."""

from collections.abc import Callable

import h11
import trio

from loadtest.bank.config import BODY_BYTES_MAX
from loadtest.bank.exchange import Exchange, LastStream, Reply, Request
from loadtest.bank.wire import Ending, Gone, Wire

AHEAD_BYTES_MAX = 1 << 16  # a client that sends more than this before it has its answer is cut off


class H1Session:
    """One connection. `start(exchange)` is called for each complete request and must call its `finish()`."""

    def __init__(self, wire: Wire, start: Callable[["H1Exchange"], None]) -> None:
        self.wire = wire
        self.gone = trio.Event()
        self.h11 = h11.Connection(h11.SERVER)
        self.muted = False
        self.ending: Ending = "fin"
        self.scope = trio.CancelScope()
        self._start = start

    async def run(self) -> None:
        """Serves until either side ends the connection; returns when it is closed."""
        try:
            with self.scope:
                while request := await self._request():
                    exchange = H1Exchange(self, request)
                    self._start(exchange)
                    await self._until_answered(exchange.answered)
                    if self.h11.our_state is not h11.DONE or self.h11.their_state is not h11.DONE:
                        return
                    self.h11.start_next_cycle()
        except* (Gone, h11.RemoteProtocolError):
            pass  # the peer is away or speaks no HTTP/1.1: there is nobody to answer
        finally:
            self.gone.set()
            await self.wire.close(self.ending)

    async def _request(self) -> Request | None:
        head: h11.Request | None = None
        body = bytearray()
        while True:
            event = self.h11.next_event()
            if event is h11.NEED_DATA:
                if self.h11.they_are_waiting_for_100_continue:
                    await self.say(h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue"))
                self.h11.receive_data(await self.wire.receive_some())
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > BODY_BYTES_MAX:
                    return None
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                return _request(head, bytes(body))
            else:
                return None

    async def _until_answered(self, answered: trio.Event) -> None:
        """Waits for the answer, and notices when the peer leaves before it."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch, nursery.cancel_scope)
            await answered.wait()
            nursery.cancel_scope.cancel()

    async def _watch(self, waiting: trio.CancelScope) -> None:
        ahead = 0
        while data := await self.wire.receive_some():
            self.h11.receive_data(data)
            ahead += len(data)
            if ahead > AHEAD_BYTES_MAX:
                break
        self.gone.set()
        waiting.cancel()

    async def say(self, *events: h11.Event) -> None:
        """Raises Gone."""
        data = b"".join(self.h11.send(event) or b"" for event in events)
        await self.say_raw(data)

    async def say_raw(self, data: bytes) -> None:
        if self.gone.is_set():
            raise Gone
        if not self.muted:
            await self.wire.send_all(data)


class H1Exchange(Exchange):
    """One request of the connection. Acts on streams end the connection here."""

    def __init__(self, session: H1Session, request: Request) -> None:
        self.request = request
        self.answered = trio.Event()
        self._session = session

    async def reply(self, reply: Reply) -> None:
        await self._session.say(_head(reply), h11.Data(data=reply.body), h11.EndOfMessage())

    async def begin(self, reply: Reply, announce_length: bool = True) -> None:
        await self._session.say(_head(reply, announce_length))

    async def piece(self, data: bytes, end: bool) -> None:
        await self._session.say(h11.Data(data=data), *([h11.EndOfMessage()] if end else []))

    async def reply_twice(self, reply: Reply) -> None:
        await self.reply(reply)
        await self._session.say_raw(_plain_text(reply))

    async def half_header(self, reply: Reply) -> None:
        text = _plain_text(reply)
        await self._session.say_raw(text[: text.index(b"\r\n\r\n") // 2])
        self.mute()

    async def reset(self, error_code: int) -> None:
        await self.close("rst")

    async def goaway(self, last: LastStream, error_code: int) -> None:
        if last == "below":
            await self.close("fin")
            raise Gone

    async def garbage(self, data: bytes, below_tls: bool) -> None:
        if below_tls:
            await self._session.wire.send_below_tls(data)
        else:
            await self._session.say_raw(data)
        self.mute()

    async def close(self, how: Ending) -> None:
        self._session.ending = how
        self._session.scope.cancel()
        await self._session.gone.wait()

    def mute(self) -> None:
        self._session.muted = True

    async def hang(self) -> None:
        await self._session.gone.wait()

    async def finish(self) -> None:
        """Nothing more will be said to this request."""
        self.answered.set()
        await trio.lowlevel.checkpoint()


def _request(head: h11.Request, body: bytes) -> Request:
    traceparent = next((value.decode("latin-1") for name, value in head.headers if name == b"traceparent"), None)
    return Request(head.method.decode("ascii"), head.target.decode("latin-1"), body, traceparent)


def _head(reply: Reply, announce_length: bool = True) -> h11.Response:
    length = [("content-length", str(len(reply.body)))] if announce_length else []
    return h11.Response(status_code=reply.status, headers=[*reply.headers, *length])


def _plain_text(reply: Reply) -> bytes:
    """The answer without h11, which refuses to say it twice or in part."""
    lines = [f"HTTP/1.1 {reply.status} Answer", *(f"{name}: {value}" for name, value in reply.headers)]
    return "\r\n".join([*lines, f"content-length: {len(reply.body)}", "", ""]).encode() + reply.body
