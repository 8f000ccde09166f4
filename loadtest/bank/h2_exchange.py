"""One HTTP/2 stream as an Exchange."""

from loadtest.bank.exchange import Exchange, LastStream, Reply, Request
from loadtest.bank.frame_gate import STREAM_MAX, headers_frame, last_data_frame
from loadtest.bank.h2_session import H2Session
from loadtest.bank.wire import Ending


class H2Exchange(Exchange):
    """The acts of one stream; connection-wide acts strike every other stream of the connection too."""

    def __init__(self, session: H2Session, stream_id: int, request: Request) -> None:
        self.request = request
        self._session = session
        self._stream_id = stream_id

    def take_on(self) -> bool:
        return self._session.take_on(self._stream_id)

    async def reply(self, reply: Reply) -> None:
        self._session.send_head(self._stream_id, _headers(reply), end=not reply.body)
        if reply.body:
            await self._session.send_body(self._stream_id, reply.body, end=True)

    async def begin(self, reply: Reply, announce_length: bool = True) -> None:
        self._session.send_head(self._stream_id, _headers(reply, announce_length), end=False)

    async def piece(self, data: bytes, end: bool) -> None:
        await self._session.send_body(self._stream_id, data, end)
        await self._session.flushed()

    async def reply_twice(self, reply: Reply) -> None:
        await self.reply(reply)
        block = self._session.h2.encoder.encode(_headers(reply))
        again = headers_frame(self._stream_id, block, end_headers=True)
        self._session.queue_raw(again + last_data_frame(self._stream_id, reply.body))

    async def half_header(self, reply: Reply) -> None:
        block = self._session.h2.encoder.encode(_headers(reply))
        self._session.queue_raw(headers_frame(self._stream_id, block[: len(block) // 2], end_headers=False))
        self.mute()

    async def reset(self, error_code: int) -> None:
        await self._session.flushed()
        self._session.reset(self._stream_id, error_code)
        await self._session.flushed()

    async def goaway(self, last: LastStream, error_code: int) -> None:
        stream = {"below": max(self._stream_id - 2, 0), "at": self._stream_id, "max": STREAM_MAX}[last]
        others = self._session.taken_beside(self._stream_id)
        self._session.send_goaway(max(stream, *others, 0), error_code)

    async def garbage(self, data: bytes, below_tls: bool) -> None:
        await self._session.flushed()
        if below_tls:
            self.mute()
            await self._session.wire.send_below_tls(data)
        else:
            self._session.queue_raw(data)
            self.mute()

    async def close(self, how: Ending) -> None:
        await self._session.close(how)

    def mute(self) -> None:
        self._session.mute()

    async def hang(self) -> None:
        await self._session.gone.wait()

    async def finish(self) -> None:
        """Nothing more will be said on this stream."""
        await self._session.answered(self._stream_id)


def _headers(reply: Reply, announce_length: bool = True) -> list[tuple[str, str]]:
    headers = [(":status", str(reply.status)), *reply.headers]
    if announce_length:
        headers.append(("content-length", str(len(reply.body))))
    return headers
