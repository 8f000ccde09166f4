"""The server: takes the stock generated code, accepts connections, drains them."""

import errno
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

import grpc
import trio

from gateway.net import http2

from .burden import Burden
from .call import Batch, Encoded, Method, Requests
from .callers import Callers
from .calls import Gate
from .connection import Connection
from .invoke import Intercept
from .limits import ServerLimits
from .metadata import Metadata, RequestHead
from .server_session import ServerSession

__all__ = ["Batch", "Encoded", "Listener", "Requests", "Server", "ServerLimits"]

log = logging.getLogger(__name__)

_OUT_OF_DESCRIPTORS = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))
_DEFAULTS = ServerLimits()
_ALPN = frozenset(("h2", b"h2"))


@dataclass(frozen=True, slots=True)
class Listener:
    """Where connections come from.

    `upgrade` turns an accepted socket into the stream to be served, such as a TLS stream after its handshake; it may
    expose `peer_certificate` (DER or None) and `selected_alpn`. None: plaintext.
    """

    listener: trio.SocketListener
    upgrade: Callable[[trio.SocketStream], Awaitable[trio.abc.Stream]] | None = None


@dataclass(frozen=True, slots=True)
class _CallDetails(grpc.HandlerCallDetails):
    method: str
    invocation_metadata: Metadata


class Server:
    """A gRPC server.

    Args:
        limits: what it grants its peers.
        intercept: called with the `Context` of every call to a known method; the handler runs inside the async
            context manager it returns, which may abort, and sees the handler's exception.
        gate: asked as soon as a call's headers are read; a status ends the call there, before it costs a task or its
            request is looked at.
        crowded: whether there is more to do than can be done, so that what has been begun should come before what
            arrives: then nothing is read for a moment, and connections one slice after another.
        callers: shared by servers of one process, whose callers share its core.
        caller_of: names the holder of a client certificate (DER), so that what it costs is counted over all its
            connections; None: by the certificate. Callers without one are known by their address.
    """

    def __init__(
        self,
        *,
        limits: ServerLimits = _DEFAULTS,
        intercept: Intercept | None = None,
        gate: Gate | None = None,
        crowded: Callable[[], bool] = lambda: False,
        callers: Callers | None = None,
        caller_of: Callable[[bytes], str] | None = None,
    ) -> None:
        self.limits = limits
        self.gate = gate
        self.crowded = crowded
        self.callers = callers or Callers(limits)
        self._caller_of = caller_of or _fingerprint
        self.intercept = intercept
        self.burden = Burden()
        self._goodbye = _goodbye(limits)  # made once: to be refused must cost less than to be served
        self._methods: dict[bytes, Method] = {}
        self._generic: list[grpc.GenericRpcHandler] = []
        self._connections: set[Connection] = set()
        self._accepted = 0
        self._handshakes: dict[trio.SocketStream, trio.CancelScope] = {}  # the longest first
        self._accepting: trio.CancelScope | None = None
        self._stopping = False

    # What is served

    def add_registered_method_handlers(
        self, service_name: str, method_handlers: "Mapping[str, grpc.RpcMethodHandler[Any, Any]]"
    ) -> None:
        """What generated `add_…Servicer_to_server` calls: handlers by method name."""
        for name, handler in method_handlers.items():
            path = f"/{service_name}/{name}"
            self._methods[path.encode()] = _method(path, handler)

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """Handlers that are asked, in turn, about each method that is not registered."""
        self._generic.extend(handlers)

    def handle_together(self, path: str, handler: Callable[[list[Any], list[Any]], Awaitable[list[Any]]]) -> None:
        """For a registered unary method: calls that arrive together are given to `handler` as lists of requests and of
        their `Context`s; it returns for each of them an answer, or the exception it ends with. It is not intercepted.
        Single calls go the usual way."""
        method = self._methods[path.encode()]
        assert not method.request_streaming, path
        assert not method.response_streaming, path
        self._methods[path.encode()] = replace(method, together=handler)

    def find_method(self, head: RequestHead) -> Method | None:
        """The method a request names, or None."""
        method = self._methods.get(head.path)
        if method is not None or not self._generic:
            return method
        path = head.path.decode("ascii", "replace")
        details = _CallDetails(path, head.metadata)
        for generic in self._generic:
            handler = generic.service(details)
            if handler is not None:
                return _method(path, handler)
        return None

    # Connections

    async def serve(
        self,
        listeners: Sequence[Listener],
        *,
        drain: trio.Event | None = None,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Accept and serve until `drain` is set (then gracefully, within `drain_grace_s`) or cancelled (at once).

        The listeners are closed at the end.
        """
        async with trio.open_nursery() as nursery:
            self._accepting = trio.CancelScope()
            nursery.start_soon(self._accept_all, listeners, nursery)
            task_status.started()
            if drain is not None:
                await drain.wait()
                await self.drain(self.limits.drain_grace_s)
                nursery.cancel_scope.cancel()

    async def drain(self, grace_s: float) -> None:
        """Stop accepting, send GOAWAY, give calls `grace_s` seconds, then end them as UNAVAILABLE and close."""
        self._stopping = True
        if self._accepting is not None:
            self._accepting.cancel()
        async with trio.open_nursery() as nursery:
            for connection in tuple(self._connections):
                nursery.start_soon(connection.drain, grace_s)

    async def serve_stream(self, stream: trio.abc.Stream, *, peer: str | None = None) -> None:
        """Serve one connected stream (plaintext, or TLS after its handshake) until it ends, and close it."""
        peer, certificate = peer or _peer(stream), getattr(stream, "peer_certificate", None)
        name = f"holder {self._caller_of(certificate)}" if certificate else f"address {peer.rpartition(':')[0]}"
        caller = self.callers.join(name)
        if caller is None:
            log.info("refused a connection from %s: its caller has %d", peer, self.limits.max_connections_per_caller)
            await _refuse(stream, self._goodbye, self.limits)
            return
        try:
            await self.callers.turn_at_door(caller)
            connection = Connection(self, stream, peer, certificate, caller)
            self._connections.add(connection)
            try:
                await connection.run()
            finally:
                self._connections.discard(connection)
        finally:
            self.callers.leave(caller)

    async def _accept_all(self, listeners: Sequence[Listener], connections: trio.Nursery) -> None:
        assert self._accepting is not None
        try:
            with self._accepting:
                async with trio.open_nursery() as nursery:
                    for listener in listeners:
                        nursery.start_soon(self._accept, listener, connections)
        finally:
            for listener in listeners:
                listener.listener.socket.close()

    async def _accept(self, listener: Listener, connections: trio.Nursery) -> None:
        while True:
            try:
                socket = await listener.listener.accept()
            except OSError as error:
                if error.errno not in _OUT_OF_DESCRIPTORS:
                    raise
                log.error("cannot accept: out of descriptors", exc_info=error)
                await trio.sleep(self.limits.accept_retry_s)
                continue
            if self._accepted >= self.limits.max_connections and not self._evict():
                log.warning("refused a connection: %d are open", self._accepted)
                await trio.aclose_forcefully(socket)
                continue
            if len(self._handshakes) >= self.limits.max_handshakes:
                self._evict()
            self._accepted += 1
            connections.start_soon(self._serve_accepted, listener, socket)

    def _evict(self) -> bool:
        """Gives up the longest handshake: peers that stall must not keep out those who have a certificate."""
        oldest = next(iter(self._handshakes), None)
        if oldest is None:
            return False
        self._handshakes.pop(oldest).cancel()
        return True

    async def _serve_accepted(self, listener: Listener, socket: trio.SocketStream) -> None:
        try:
            peer = _peer(socket)
            stream = await self._upgrade(listener, socket)
            if stream is not None and not self._stopping:
                await self.serve_stream(stream, peer=peer)
        except Exception:
            # One connection's accident must not reach the nursery that holds all others.
            log.exception("connection failed")
        finally:
            self._accepted -= 1
            socket.socket.close()

    async def _upgrade(self, listener: Listener, socket: trio.SocketStream) -> trio.abc.Stream | None:
        if listener.upgrade is None:
            return socket
        stream = None
        with trio.move_on_after(self.limits.handshake_timeout_s) as scope:
            self._handshakes[socket] = scope
            try:
                stream = await listener.upgrade(socket)
            except Exception as error:
                # Whatever the peer did to make a handshake fail is its own affair; the cause is for the log.
                cause = getattr(error, "cause", "") or type(error).__name__.lower()
                log.info("a client's handshake failed", extra={"host": _host(socket), "cause": cause})
            finally:
                self._handshakes.pop(socket, None)
        if stream is not None and getattr(stream, "selected_alpn", "h2") not in _ALPN:
            log.info("a client did not choose h2", extra={"host": _host(socket)})
            return None
        return stream


def _method(path: str, handler: "grpc.RpcMethodHandler[Any, Any]") -> Method:
    behaviour: Callable[..., Any] | None = (
        handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
    )
    assert behaviour is not None, path
    return Method(
        path=path,
        behaviour=behaviour,
        deserialize=handler.request_deserializer or bytes,
        serialize=handler.response_serializer or bytes,
        request_streaming=handler.request_streaming,
        response_streaming=handler.response_streaming,
    )


async def _refuse(stream: trio.abc.Stream, goodbye: bytes, limits: ServerLimits) -> None:
    """Tells the peer of a connection that may not be to calm down, within `close_timeout_s`, and closes it."""
    with trio.move_on_after(limits.close_timeout_s):
        try:
            await stream.send_all(goodbye)
            # Read what it has said already: closing a socket over unread bytes would destroy the GOAWAY.
            await stream.receive_some(limits.receive_chunk_bytes)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # it has gone already, and need not be told
    await stream.aclose()


def _goodbye(limits: ServerLimits) -> bytes:
    """SETTINGS and GOAWAY for one connection too many."""
    session = ServerSession(limits, 0.0)
    session.fail("too many connections of this caller", http2.ErrorCodes.ENHANCE_YOUR_CALM)
    said = session.take()
    session.unburden()
    return said


def _fingerprint(certificate: bytes) -> str:
    return sha256(certificate).hexdigest()


def _host(socket: trio.SocketStream) -> str:
    try:
        return str(socket.socket.getpeername()[0])
    except OSError:  # it has gone already
        return "unknown"


def _peer(stream: trio.abc.Stream) -> str:
    if not isinstance(stream, trio.SocketStream):
        return "unknown"
    try:
        address = stream.socket.getpeername()
    except OSError:  # it has gone already
        return "unknown"
    if stream.socket.family == trio.socket.AF_INET:
        return f"ipv4:{address[0]}:{address[1]}"
    if stream.socket.family == trio.socket.AF_INET6:
        return f"ipv6:[{address[0]}]:{address[1]}"
    return "unknown"
