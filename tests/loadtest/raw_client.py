"""A client that sees frames, not answers: what the bank puts on the wire, and how it ends the connection."""

import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio
from hpack import Decoder, Encoder
from hyperframe.frame import (
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from tests.loadtest.certificates import Papers

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
WAIT_S = 10.0  # nothing on loopback takes so long


@dataclass
class Stream:
    """What came on one stream, in order: ("headers", dict) / ("data", bytes) / ("end",) / ("reset", code)."""

    log: list[tuple[object, ...]] = field(default_factory=list)

    @property
    def headers(self) -> list[dict[str, str]]:
        return [entry[1] for entry in self.log if entry[0] == "headers"]  # type: ignore[misc]

    @property
    def status(self) -> int | None:
        return int(self.headers[0][":status"]) if self.headers else None

    @property
    def body(self) -> bytes:
        return b"".join(entry[1] for entry in self.log if entry[0] == "data")  # type: ignore[misc]

    @property
    def ended(self) -> bool:
        return ("end",) in self.log

    @property
    def reset(self) -> int | None:
        return next((entry[1] for entry in self.log if entry[0] == "reset"), None)  # type: ignore[return-value]

    @property
    def over(self) -> bool:
        return self.ended or self.reset is not None


class RawClient:
    """One HTTP/2 connection. `ending` is "fin", "cut" or "rst" once the bank has ended it."""

    def __init__(self, tls: trio.SSLStream[trio.SocketStream]) -> None:
        self.tls = tls
        self.streams: dict[int, Stream] = {}
        self.goaways: list[tuple[int, int]] = []
        self.pongs = 0
        self.reads_on = True  # opens the flow control windows again after what it has read
        self.ending: str | None = None
        self.buffer = bytearray()
        self._encoder, self._decoder = Encoder(), Decoder()
        self._next = 1

    async def start(self) -> None:
        window = WindowUpdateFrame(0, window_increment=1 << 24)
        await self.tls.send_all(PREFACE + SettingsFrame(0).serialize() + window.serialize())

    async def send(self, method: str, path: str, body: bytes = b"", **headers: str) -> int:
        """Sends a request and returns its stream id."""
        stream_id, self._next = self._next, self._next + 2
        self.streams[stream_id] = Stream()
        pseudo = {":method": method, ":scheme": "https", ":authority": "localhost", ":path": path}
        fields = [*pseudo.items(), *headers.items()]
        head = HeadersFrame(stream_id, data=self._encoder.encode(fields), flags=["END_HEADERS"])
        if not body:
            head.flags.add("END_STREAM")
        out = head.serialize()
        for at in range(0, len(body), 1 << 14):
            piece = DataFrame(stream_id, data=body[at : at + (1 << 14)])
            if at + (1 << 14) >= len(body):
                piece.flags.add("END_STREAM")
            out += piece.serialize()
        await self.tls.send_all(out)
        return stream_id

    async def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Stream:
        """Sends a request and reads until its stream or the connection is over."""
        stream_id = await self.send(method, path, body, **headers)
        return await self.answer(stream_id)

    async def pay(self, body: bytes, **headers: str) -> Stream:
        return await self.ask("POST", "/v1/payments", body, **headers)

    async def answer(self, stream_id: int) -> Stream:
        stream = self.streams[stream_id]
        with trio.fail_after(WAIT_S):
            while not stream.over and self.ending is None:
                await self.read()
        return stream

    async def read_to_end(self) -> None:
        """Reads until the bank ends the connection."""
        with trio.fail_after(WAIT_S):
            while self.ending is None:
                await self.read()

    async def ping(self) -> None:
        await self.tls.send_all(PingFrame(0, opaque_data=b"12345678").serialize())

    async def widen(self, stream_id: int, size: int) -> None:
        await self.tls.send_all(WindowUpdateFrame(stream_id, window_increment=size).serialize())

    async def say_goodbye(self) -> None:
        await self.tls.send_all(GoAwayFrame(0, last_stream_id=0).serialize())

    async def read(self) -> None:
        """Reads once and takes in whole frames; bytes that are none stay in `buffer`."""
        try:
            data = await self.tls.receive_some(1 << 16)
        except trio.BrokenResourceError as broken:
            self.ending = "rst" if isinstance(_root(broken), ConnectionResetError) else "cut"
            return
        if not data:
            self.ending = "fin"
        self.buffer += data
        while (size := self._frame_size()) is not None:
            raw, self.buffer = bytes(self.buffer[:size]), self.buffer[size:]
            frame, _ = Frame.parse_frame_header(memoryview(raw[:9]))
            frame.parse_body(memoryview(raw[9:]))
            await self._take(frame)

    def _frame_size(self) -> int | None:
        size = 9 + int.from_bytes(self.buffer[:3], "big")
        return size if len(self.buffer) >= max(size, 9) else None

    async def _take(self, frame: Frame) -> None:
        if isinstance(frame, SettingsFrame) and "ACK" not in frame.flags:
            await self.tls.send_all(SettingsFrame(0, flags=["ACK"]).serialize())
        elif isinstance(frame, GoAwayFrame):
            self.goaways.append((frame.last_stream_id, frame.error_code))
        elif isinstance(frame, PingFrame):
            self.pongs += 1
        elif isinstance(frame, RstStreamFrame):
            self.streams[frame.stream_id].log.append(("reset", frame.error_code))
        elif isinstance(frame, HeadersFrame) and "END_HEADERS" not in frame.flags:
            self.streams[frame.stream_id].log.append(("half header", bytes(frame.data)))
        elif isinstance(frame, HeadersFrame | DataFrame):
            self._take_answer(frame, self.streams[frame.stream_id].log)
            if isinstance(frame, DataFrame) and frame.data and self.reads_on:
                await self._open_windows(frame)

    async def _open_windows(self, frame: DataFrame) -> None:
        read = len(frame.data)
        windows = [WindowUpdateFrame(stream, window_increment=read) for stream in (0, frame.stream_id)]
        try:
            await self.tls.send_all(b"".join(window.serialize() for window in windows))
        except trio.BrokenResourceError:
            pass  # the bank has closed already; reading on finds out how

    def _take_answer(self, frame: HeadersFrame | DataFrame, log: list[tuple[object, ...]]) -> None:
        if isinstance(frame, HeadersFrame):
            log.append(("headers", dict(self._decoder.decode(frame.data))))
        else:
            log.append(("data", frame.data))
        if "END_STREAM" in frame.flags:
            log.append(("end",))


def client_context(papers: Papers, alpn: str, certificate: str = "client") -> ssl.SSLContext:
    """A client's TLS; `certificate` is client, stranger or none."""
    context = ssl.create_default_context(cafile=str(papers.authority))
    context.set_alpn_protocols([alpn])
    if certificate == "client":
        context.load_cert_chain(papers.client_certificate, papers.client_key)
    elif certificate == "stranger":
        context.load_cert_chain(papers.stranger_certificate, papers.stranger_key)
    return context


@asynccontextmanager
async def tls_to(port: int, context: ssl.SSLContext) -> AsyncIterator[trio.SSLStream[trio.SocketStream]]:
    transport = await trio.open_tcp_stream("127.0.0.1", port)
    transport.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
    tls = trio.SSLStream(transport, context, server_hostname="localhost")
    try:
        with trio.fail_after(WAIT_S):
            await tls.do_handshake()
        yield tls
    finally:
        await trio.aclose_forcefully(tls)


@asynccontextmanager
async def connect(port: int, papers: Papers, certificate: str = "client") -> AsyncIterator[RawClient]:
    """An HTTP/2 connection to the bank."""
    async with tls_to(port, client_context(papers, "h2", certificate)) as tls:
        client = RawClient(tls)
        await client.start()
        yield client


def _root(error: BaseException) -> BaseException:
    while error.__cause__ is not None:
        error = error.__cause__
    return error
