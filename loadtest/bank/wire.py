"""Bytes to and from one peer, with every way a connection can end under our control.

A bank that misbehaves must be able to end a connection in each of three ways, because a client may trust
only one of them: `fin` (TLS close_notify, then FIN: a complete answer is complete), `cut` (FIN without
close_notify: what was read may be a part) and `rst` (TCP reset: what was sent may never arrive). The kernel
turns a close into a reset when unread bytes are waiting, so `fin` and `cut` shut down the sending half first
and read on for a moment. trio.SSLStream hides these steps, and it drops the alert of a failed handshake
(the alert is what tells a client that its certificate was refused), so TLS runs here on the standard
library's memory BIOs.
"""

import socket
import ssl
import struct
from typing import Literal

import trio

from loadtest.bank.config import CLOSE_S_MAX, HANDSHAKE_S_MAX, BankConfig

Ending = Literal["fin", "cut", "rst"]
ENDINGS = ("fin", "cut", "rst")

READ_BYTES = 1 << 16


class Gone(Exception):
    """The connection is no more; whatever the bank still wanted to say on it is lost."""


def server_context(config: BankConfig) -> ssl.SSLContext:
    """TLS 1.2 or newer, client certificates demanded, ALPN h2 or http/1.1. Raises OSError, SSLError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(config.certificate, config.key)
    context.load_verify_locations(config.client_ca)
    context.verify_mode = ssl.CERT_REQUIRED
    context.set_alpn_protocols(["h2", "http/1.1"])
    context.num_tickets = 0  # no resumption: every connection proves its certificate anew
    return context


class Wire:
    """A plaintext connection. One task may receive and any number may send."""

    def __init__(self, transport: trio.SocketStream) -> None:
        self._transport = transport
        self._sending = trio.StrictFIFOLock()
        self._closed = False

    async def receive_some(self) -> bytes:
        """Up to 64 KiB; empty when the peer has ended or the connection broke."""
        try:
            return bytes(await self._transport.receive_some(READ_BYTES))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return b""

    async def send_all(self, data: bytes) -> None:
        """Raises Gone when the peer is away."""
        await self._send_raw(data)

    async def send_below_tls(self, data: bytes) -> None:
        """Bytes straight onto the TCP connection, which no TLS record covers."""
        await self._send_raw(data)

    async def close(self, how: Ending) -> None:
        """Ends the connection; takes at most CLOSE_S_MAX seconds. A second call does nothing."""
        if self._closed:
            return
        self._closed = True
        with trio.move_on_after(CLOSE_S_MAX, shield=True):
            if how == "rst":
                self._reset_on_close()
            else:
                await self._end_sending(how)
        with trio.move_on_after(CLOSE_S_MAX, shield=True):
            await self._transport.aclose()

    def _reset_on_close(self) -> None:
        self._transport.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    async def _end_sending(self, how: Ending) -> None:
        try:
            if how == "fin":
                await self._say_goodbye()
            await self._transport.send_eof()
            while await self._transport.receive_some(READ_BYTES):
                pass
        except (trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError, Gone):
            pass  # the peer ended first: there is nobody left to part from

    async def _say_goodbye(self) -> None:
        """Plain TCP has no farewell of its own."""

    async def _send_raw(self, data: bytes) -> None:
        try:
            async with self._sending:
                await self._transport.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as broken:
            raise Gone from broken


class TlsWire(Wire):
    """A TLS connection, server side."""

    def __init__(self, transport: trio.SocketStream, context: ssl.SSLContext) -> None:
        super().__init__(transport)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._ended = False

    async def handshake(self) -> str:
        """The ALPN protocol, "http/1.1" when the peer offered none. Raises Gone after sending the alert."""
        with trio.move_on_after(HANDSHAKE_S_MAX):
            while not self._step():
                await self._flush()
                await self._feed()
            await self._flush()
            return self._tls.selected_alpn_protocol() or "http/1.1"
        raise Gone

    def _step(self) -> bool:
        if self._ended:
            raise Gone
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError:
            self._ended = True  # the alert waits in the outgoing BIO; the next turn sends it and raises Gone
            return False
        return True

    async def _feed(self) -> None:
        if self._ended:
            return
        data = await super().receive_some()
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()
            self._ended = True

    async def _flush(self) -> None:
        try:
            async with self._sending:
                if data := self._outgoing.read():
                    await self._transport.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as broken:
            raise Gone from broken

    async def receive_some(self) -> bytes:
        while True:
            if data := self._decrypt():
                return data
            if self._ended:
                return b""
            await self._feed()

    def _decrypt(self) -> bytes:
        parts: list[bytes] = []
        size = 0
        try:
            while size < READ_BYTES:
                part = self._tls.read(READ_BYTES)
                if not part:
                    self._ended = True
                    break
                parts.append(part)
                size += len(part)
        except ssl.SSLWantReadError:
            pass  # all that has arrived is read
        except ssl.SSLError:
            self._ended = True  # close_notify, a cut connection or a broken record: nothing more will come
        return b"".join(parts)

    async def send_all(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._tls.write(rest) :]
        except ssl.SSLError as broken:
            raise Gone from broken
        await self._flush()

    async def _say_goodbye(self) -> None:
        try:
            self._tls.unwrap()
        except ssl.SSLError:
            pass  # close_notify is written at the first call; the error only says the peer's has not come yet
        await self._flush()
