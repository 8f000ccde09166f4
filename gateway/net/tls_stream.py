"""TLS over memory BIOs: an OpenSSL connection as a `trio.abc.Stream`, for both roles."""

# General theory of operation:
#
# OpenSSL is given no socket but two byte queues ("memory BIOs"). We put what the transport received into one, call
# a function (SSL_do_handshake, SSL_read, SSL_write, SSL_shutdown), and carry what the function left in the other
# queue to the transport. Every function may do any of these, whatever its name says:
#
# - leave bytes to be sent, *also when it fails*: an alert that tells the peer why is such bytes;
# - say "want read": it cannot go on before the transport has brought more;
# - finish.
#
# So there is one way to call OpenSSL, `_drive`: call, carry out whatever is in the outgoing queue, fetch if it
# wants to read, call again. These are the traps it has to get right:
#
# 1. SSL_write takes at most one record (16 KiB) and says how much it took. `send_all` goes on until all is taken.
#
# 2. One task may send while another receives, but each may need the other direction of the *transport* (a handshake,
#    a TLS 1.3 KeyUpdate answered while reading). A transport allows one sender and one receiver. The send lock covers
#    "take everything out of the queue and send it" as one act, so bytes leave in the order OpenSSL made them,
#    whoever carries them. The receive lock covers "fetch once"; whoever waited for it while somebody else fetched
#    does not fetch again, or it would wait for bytes that have already come. Between calling OpenSSL and acting on
#    what it said there is no checkpoint: what it said would be stale.
#
# 3. End of file. TLS says goodbye with a close_notify alert. A transport that ends without one was cut off, by
#    accident or by somebody in the middle, and whoever takes the bytes so far for a whole message has been lied to.
#    So only close_notify makes `receive_some` return b""; a bare end raises TlsTruncated. OpenSSL learns of the end
#    by bio_shutdown(); without it, it would ask for more for ever.
#
# 4. TLS 1.3 finishes the client's handshake before the server has looked at the client's certificate. A refusal
#    arrives later as an alert, after sends that "succeeded", at the next read. The server cannot read application
#    data before it has verified the client's Finished, so such an alert, *before any application byte came from the
#    server*, proves that it processed nothing: `client_certificate_refused`. In TLS 1.2 the alert belongs to the
#    handshake, and renegotiation, which would blur that, is switched off in every context that tls.py makes.
#
# 5. After a failed or cancelled send nobody knows how much left, so nothing more may be sent: half a record would
#    corrupt all that follows. Receiving goes on all the same: the alert that explains the failure is often still
#    there to be read.
#
# 6. Cancelling `receive_some` loses nothing: plain text is taken from OpenSSL only at the moment of returning it.
#
# 7. A TLS 1.3 server ends its handshake by producing session tickets. A client that only writes never reads them, and
#    two such ends would wait for each other over a small transport buffer. They are held until there is something
#    else to send (trio's SSLStream does the same, see python-trio/trio#819).

import contextlib
import operator
import struct
from collections.abc import Callable
from types import TracebackType
from typing import Final, Literal, TypeVar

import trio
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL

from gateway.net.tls_errors import CERTIFICATE_ALERTS, Notes, TlsError, TlsTruncated, explain

__all__ = ["TlsError", "TlsStream", "TlsTruncated"]

T = TypeVar("T")

CHUNK_BYTES: Final = 64 * 1024  # read from the transport or from a BIO at once
UNSENT_BYTES_MAX: Final = 256 * 1024  # encrypted bytes made before they are carried to the transport
CLOSE_S_MAX: Final = 1.0  # a peer that does not read must not hold up a close


class TlsStream(trio.abc.Stream):
    """TLS on top of `transport`, by a context from gateway.net.tls.

    One task may send while another receives; two senders or two receivers raise trio.BusyResourceError. The handshake
    is made by the first of do_handshake, send_all and receive_some. A client still has to call tls.verify_peer.
    """

    def __init__(
        self,
        transport: trio.abc.Stream,
        context: SSL.Context,
        *,
        server_side: bool,
        server_hostname: str | None = None,
    ) -> None:
        """`server_hostname` is sent as SNI; None for servers and for addresses (RFC 6066 section 3)."""
        self.transport = transport
        self.context = context
        self.server_side = server_side
        self._notes = Notes()
        self._connection = SSL.Connection(context, None)
        self._connection.set_app_data(self._notes)
        self._connection.set_info_callback(self._notes.info)
        if server_side:
            self._connection.set_accept_state()
        else:
            self._connection.set_connect_state()
            if server_hostname is not None:
                self._connection.set_tlsext_host_name(server_hostname.encode("idna"))
        self._send_lock = trio.StrictFIFOLock()
        self._receive_lock = trio.StrictFIFOLock()
        self._handshake_lock = trio.StrictFIFOLock()
        self._fetches = 0
        self._sending = _OneAtATime("sending on")
        self._receiving = _OneAtATime("receiving from")
        self._unsent: list[bytes] = []
        self._tickets = b""
        self._handshaken = False
        self._closed = False
        self._send_broken = False
        self._ended: TlsError | None = None
        self._close_notify_seen = False
        self._application_bytes_received = 0

    # ------------------------------------------------------------ what is known of the peer

    @property
    def selected_alpn(self) -> str:
        """The protocol both agreed on; empty before the handshake or where nothing was agreed."""
        return self._connection.get_alpn_proto_negotiated().decode("ascii") if self._handshaken else ""

    @property
    def peer_certificate(self) -> bytes | None:
        """The peer's certificate (DER); None before the handshake or where it presented none."""
        certificate = self._connection.get_peer_certificate(as_cryptography=True)
        return None if certificate is None else certificate.public_bytes(Encoding.DER)

    @property
    def own_certificate(self) -> bytes | None:
        """The certificate this side presents (DER)."""
        certificate = self._connection.get_certificate(as_cryptography=True)
        return None if certificate is None else certificate.public_bytes(Encoding.DER)

    def verified_chain(self) -> list[x509.Certificate]:
        """The peer's chain as OpenSSL verified it, leaf first; empty where nothing was verified."""
        return self._connection.get_verified_chain(as_cryptography=True) or []

    @property
    def version(self) -> str:
        """TLSv1.2 or TLSv1.3."""
        return self._connection.get_protocol_version_name()

    @property
    def close_notify_seen(self) -> bool:
        """Whether the peer said that it has sent all it had."""
        return self._close_notify_seen

    @property
    def alert_received(self) -> int | None:
        """The number of the last alert received (RFC 8446 section 6), close_notify (0) included."""
        return self._notes.alert

    @property
    def application_bytes_received(self) -> int:
        return self._application_bytes_received

    @property
    def client_certificate_refused(self) -> bool:
        """Proof that the server processed nothing: it refused our certificate before it sent a single byte."""
        return (
            not self.server_side
            and self._notes.alert in CERTIFICATE_ALERTS
            and self._application_bytes_received == 0
            and (not self._handshaken or self.version == "TLSv1.3")
        )

    # ------------------------------------------------------------ the stream

    async def do_handshake(self) -> None:
        """Raises TlsError when either side refuses, trio.BrokenResourceError when the transport breaks."""
        async with self._handshake_lock:
            self._check_open()
            if self._ended is not None:
                raise self._ended
            if self._handshaken:
                return
            await self._drive(self._shake)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """After any exception, cancellation included, nobody knows how much was sent, and nothing more can be."""
        with self._sending, memoryview(data) as view:
            await self._ready()
            if self._send_broken:
                raise trio.BrokenResourceError("an earlier send on this stream failed")
            sent = 0
            while sent < len(view):
                sent += await self._drive(lambda start=sent: self._encrypt(view, start))  # type: ignore[misc]

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """b"" only after the peer's close_notify; TlsTruncated where the transport ended without it."""
        limit = CHUNK_BYTES if max_bytes is None else operator.index(max_bytes)
        if limit < 1:
            raise ValueError("max_bytes must be >= 1")
        with self._receiving:
            await self._ready()
            if self._ended is not None:
                raise self._ended
            if self._close_notify_seen:
                return b""
            try:
                received = await self._drive(lambda: self._decrypt(limit), reading=True)
            except SSL.ZeroReturnError:
                self._close_notify_seen = True
                return b""
            self._application_bytes_received += len(received)
            return received

    async def wait_send_all_might_not_block(self) -> None:
        with self._sending:
            self._check_open()
            async with self._send_lock:
                await self.transport.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        """Says close_notify where that is possible without waiting for anybody, and closes the transport."""
        if self._closed:
            await trio.lowlevel.checkpoint()
            return
        self._closed = True
        try:
            if self._handshaken and not self._send_broken and not self._send_lock.locked():
                with trio.move_on_after(CLOSE_S_MAX):
                    await self._say_goodbye()
        finally:
            await self.transport.aclose()

    def abort(self) -> None:
        """Ends the connection now, and takes back what the kernel has not delivered: a close would go on sending it for
        minutes, and a peer that comes back could act on what nobody waits for any more. `aclose` is still due."""
        self._send_broken = True  # no goodbye
        if isinstance(self.transport, trio.SocketStream):
            linger_s0 = struct.pack("ii", 1, 0)
            with contextlib.suppress(OSError):  # it has gone already
                self.transport.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, linger_s0)

    # ------------------------------------------------------------ one way to call OpenSSL

    async def _drive(self, call: Callable[[], T], *, reading: bool = False) -> T:
        """Call until it finishes, carrying bytes both ways. Raises TlsError, or ZeroReturnError for close_notify."""
        while True:
            fetches = self._fetches
            try:
                result = call()
            except SSL.WantReadError:
                if not await self._flush(tolerate=reading):
                    await self._fetch(fetches)
                continue
            except SSL.ZeroReturnError:
                await self._flush(tolerate=True)
                raise
            except Exception as error:  # SSL.Error, or what a callback of the context raised
                self._ended = explain(error, self._notes)
                with trio.move_on_after(CLOSE_S_MAX):
                    await self._flush(tolerate=True)  # the alert that tells the peer why
                self._send_broken = True
                raise self._ended from error
            await self._flush(tolerate=reading)
            return result

    async def _flush(self, *, tolerate: bool) -> bool:
        """Carry what OpenSSL made to the transport; whether there was anything. `tolerate`: a transport that no
        longer takes bytes is noted but not raised, because what it still delivers matters more."""
        made = self._take()
        if not made:
            return False
        self._unsent.append(made)
        try:
            async with self._send_lock:
                data, self._unsent = b"".join(self._unsent), []
                if data and not self._send_broken:
                    data, self._tickets = self._tickets + data, b""
                    await self.transport.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._send_broken = True
            if not tolerate:
                raise
        except BaseException:
            self._send_broken = True
            raise
        return True

    async def _fetch(self, fetches: int) -> None:
        """One receive from the transport, unless somebody else has made one since `fetches` was read."""
        async with self._receive_lock:
            if fetches != self._fetches:
                return
            data = await self.transport.receive_some(CHUNK_BYTES)
            self._fetches += 1
            if data:
                self._connection.bio_write(data)
            else:
                self._connection.bio_shutdown()

    def _take(self) -> bytes:
        """Everything in OpenSSL's outgoing queue."""
        chunks = []
        while True:
            try:
                chunk = self._connection.bio_read(CHUNK_BYTES)
            except SSL.WantReadError:
                break
            chunks.append(chunk)
            if len(chunk) < CHUNK_BYTES:
                break
        return b"".join(chunks)

    def _shake(self) -> None:
        self._connection.do_handshake()
        self._handshaken = True
        if self.server_side and self.version == "TLSv1.3":
            self._tickets = self._take()  # held back: trap 7

    def _encrypt(self, view: memoryview, start: int) -> int:
        """Bytes taken from `view[start:]`: several records, so that they leave in one send."""
        taken = 0
        limit = min(len(view) - start, UNSENT_BYTES_MAX)
        while taken < limit:
            try:
                taken += self._connection.send(view[start + taken : start + limit])
            except SSL.WantReadError:
                if not taken:
                    raise
                break
        return taken

    def _decrypt(self, limit: int) -> bytes:
        """All plain text at hand, up to `limit`. What ends the stream is met again by the next call."""
        chunks: list[bytes] = []
        while limit:
            try:
                chunk = self._connection.recv(limit)
            except SSL.ZeroReturnError:
                self._close_notify_seen = True
                if not chunks:
                    raise
                break
            except SSL.WantReadError:
                if not chunks:
                    raise
                break
            except SSL.Error as error:
                if not chunks:
                    raise
                self._ended = explain(error, self._notes)
                break
            chunks.append(chunk)
            limit -= len(chunk)
        return b"".join(chunks)

    async def _say_goodbye(self) -> None:
        try:
            self._connection.shutdown()
        except SSL.Error:
            return  # the connection is past saying anything, and closing it says enough
        await self._flush(tolerate=True)

    async def _ready(self) -> None:
        self._check_open()
        if not self._handshaken:
            await self.do_handshake()
        await trio.lowlevel.checkpoint()

    def _check_open(self) -> None:
        if self._closed:
            raise trio.ClosedResourceError("this TLS stream is closed")


class _OneAtATime:
    """A guard that refuses a second task instead of making it wait."""

    def __init__(self, verb: str) -> None:
        self._verb = verb
        self._taken = False

    def __enter__(self) -> None:
        if self._taken:
            raise trio.BusyResourceError(f"another task is {self._verb} this TLS stream")
        self._taken = True

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> Literal[False]:
        self._taken = False
        return False
