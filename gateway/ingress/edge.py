"""The gRPC edge put together: listeners, services, health and reflection.

Two listeners are two servers with the same house behind them: who connects without TLS (loopback only, off by
default) acts as the one principal its configuration names, and can never be taken for a caller with a certificate.
"""

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import Final

import trio

from causeway.v1 import (
    bank_service_pb2_grpc,
    doubt_service_pb2_grpc,
    payment_service_pb2_grpc,
    quarantine_service_pb2_grpc,
)
from gateway.config import Config, TlsListen
from gateway.house import House
from gateway.ingress.banks import BankService, BreakerOf
from gateway.ingress.doubts import DoubtService
from gateway.ingress.payments import PaymentService, Watch
from gateway.ingress.principals import Principals
from gateway.ingress.quarantine import QuarantineService
from gateway.ingress.shedding import ADMITTING, Shedding, Submissions
from gateway.ingress.together import SubmittedTogether
from gateway.ingress.traced import TracedCall
from gateway.net.tls import TlsContext, TlsFileBad, TlsServerFiles, server_context
from gateway.net.tls_renewal import Renewal, refuse_expired
from gateway.net.tls_stream import TlsStream
from gateway.rpc import reflection
from gateway.rpc.callers import Callers
from gateway.rpc.health import Health
from gateway.rpc.limits import ServerLimits
from gateway.rpc.server import Listener, Server
from gateway.telemetry import names

logger = logging.getLogger(__name__)

SERVICES = (
    "causeway.v1.PaymentService",
    "causeway.v1.BankService",
    "causeway.v1.DoubtService",
    "causeway.v1.QuarantineService",
    "grpc.health.v1.Health",
)
Upgrade = Callable[[trio.SocketStream], Awaitable[trio.abc.Stream]]
_DEFAULTS = ServerLimits()
HEALTH_EVERY_S = 1.0
"""How often the banks' breakers are looked at for health."""
CERTIFICATE_LOOK_S: Final = 10.0
"""How often the listener's files are looked at; they must stand still for one look before they are tried."""


class Edge:
    """Made, opened, served, drained: in this order, each once."""

    def __init__(self, config: Config, house: House, watch: Watch, breaker_of: BreakerOf) -> None:
        self._config = config
        self._house = house
        self._watch = watch
        self._breaker_of = breaker_of
        self._health = Health()
        self._callers = Callers(limits_of(config))  # of both listeners: they share the core
        self._submissions = Submissions()  # of both listeners too
        self._draining = False
        self._servers: list[tuple[Server, Listener]] = []
        self._certificates: Renewal | None = None
        self.addresses: dict[str, str] = {}
        """Listener → "host:port", as bound."""

    async def open(self) -> None:
        """Binds the listeners. Raises OSError when an address is taken, TlsFileBad for an unusable file."""
        tls = self._config.listen.tls
        files = server_files(tls)
        watched = [file for file in (files.certificate, files.key, files.client_authority, files.revocations) if file]
        certificates = Renewal(watched, partial(self._context, files), self._kept, self._renewed)
        self._certificates = certificates

        async def upgrade(socket: trio.SocketStream) -> trio.abc.Stream:
            stream = TlsStream(socket, certificates.context, server_side=True)
            await stream.do_handshake()
            return stream

        principals = Principals(self._config.principals)
        await self._add("tls", tls.host, tls.port, principals, upgrade)
        plaintext = self._config.listen.plaintext
        if plaintext is not None:
            acting = Principals(self._config.principals, without_certificate=plaintext.principal)
            await self._add("plaintext", plaintext.host, plaintext.port, acting, None)

    @property
    def wanted(self) -> dict[str, str]:
        """Listener → "host:port", as configured."""
        listen = self._config.listen
        both = {"tls": listen.tls, "plaintext": listen.plaintext}
        return {name: f"{one.host}:{one.port}" for name, one in both.items() if one is not None}

    def certificate_expires_at(self) -> datetime | None:
        """Not-after (UTC) of the certificate that new connections are shown; None before `open`."""
        return self._certificates.expires_at() if self._certificates else None

    def renew_certificates(self) -> bool:
        """Reads the listener's files anew, for connections made from now on. False: they cannot be used, and those of
        before stay."""
        return self._certificates is not None and self._certificates.renew()

    async def serve(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serves until cancelled."""
        self._mark()
        async with trio.open_nursery() as nursery:
            for server, listener in self._servers:
                await nursery.start(server.serve, [listener])
            nursery.start_soon(self._watch_banks)
            nursery.start_soon(self._leave_quarantine)
            nursery.start_soon(self._watch_certificates)
            task_status.started()

    async def drain(self, grace_s: float) -> None:
        """No new calls; open ones get `grace_s` seconds."""
        self._draining = True
        self._mark()
        async with trio.open_nursery() as nursery:
            for server, _ in self._servers:
                nursery.start_soon(server.drain, grace_s)

    async def _add(self, name: str, host: str, port: int, principals: Principals, upgrade: Upgrade | None) -> None:
        server = Server(
            limits=limits_of(self._config),
            intercept=partial(TracedCall, self._house.trail),
            gate=Shedding(self._house, self._submissions),
            crowded=self._submissions.crowded,
            callers=self._callers,
            caller_of=principals.name_of,
        )
        watches_max = self._config.grpc.watches_per_principal_max
        payments = PaymentService(self._house, principals, self._watch, watches_max, self._submissions)
        payment_service_pb2_grpc.add_PaymentServiceServicer_to_server(payments, server)
        server.handle_together(ADMITTING, SubmittedTogether(self._house, principals, self._submissions))
        banks = BankService(self._house, principals, self._breaker_of)
        bank_service_pb2_grpc.add_BankServiceServicer_to_server(banks, server)
        doubt_service_pb2_grpc.add_DoubtServiceServicer_to_server(DoubtService(self._house, principals), server)
        quarantine = QuarantineService(self._house, principals)
        quarantine_service_pb2_grpc.add_QuarantineServiceServicer_to_server(quarantine, server)
        self._health.add_to(server)
        if self._config.listen.reflection:
            reflection.add(server, SERVICES)
        (listener,) = await trio.open_tcp_listeners(port, host=host)
        self._servers.append((server, Listener(listener, upgrade)))
        bound = listener.socket.getsockname()
        self.addresses[name] = f"{bound[0]}:{bound[1]}"

    def _mark(self) -> None:
        """`live` stays true while the process can answer at all; `ready` and "" say whether payments are taken; a
        service's name says whether its calls are."""
        self._health.set("live", True)
        for name in SERVICES:
            self._health.set(name, not self._draining)
        for name in ("", "ready"):
            self._health.set(name, not self._draining and not self._house.quarantine.active)

    async def _leave_quarantine(self) -> None:
        await self._house.quarantine.over.wait()
        self._mark()

    async def _watch_certificates(self) -> None:
        assert self._certificates is not None, "serve comes after open"
        while True:
            await trio.sleep(CERTIFICATE_LOOK_S)
            self._certificates.look()

    def _context(self, files: TlsServerFiles) -> TlsContext:
        context = server_context(files)
        if self._certificates is not None:  # a start with an expired certificate is an operator's choice
            refuse_expired(context, files.certificate, self._house.clock.now_ns())
        return context

    def _kept(self, error: TlsFileBad) -> None:
        self._house.trail.count(names.RENEWALS, whose="listener", result="refused")
        logger.error(
            "the listener's new TLS files cannot be used, those of before stay in use: see `causeway check-config`",
            extra={"cause": key_of(error, self._config.listen.tls)},
        )

    def _renewed(self) -> None:
        self._house.trail.count(names.RENEWALS, whose="listener", result="taken")
        until, now_s = self.certificate_expires_at(), self._house.clock.now_ns() / 1e9
        left_s = int(until.timestamp() - now_s) if until else 0
        logger.info("new connections get the listener's new certificate", extra={"duration_s": left_s})

    async def _watch_banks(self) -> None:
        """A bank is serving while its lane's breaker is closed."""
        while True:
            for name in self._house.banks:
                self._health.set(name, self._breaker_of(name) == "CLOSED")
            await trio.sleep(HEALTH_EVERY_S)


def server_files(tls: TlsListen) -> TlsServerFiles:
    return TlsServerFiles(tls.certificate_file, tls.key_file, tls.client_ca_file, tls.crl_file)


def key_of(error: TlsFileBad, section: object) -> str:
    """The configuration key of the file that cannot be used."""
    keys = ("certificate_file", "key_file", "client_ca_file", "ca_file", "crl_file")
    return next((key for key in keys if getattr(section, key, None) == error.path), "unknown")


def limits_of(config: Config) -> ServerLimits:
    """The rpc room's bounds from the configuration."""
    grpc = config.grpc
    buffer_bytes = max(_DEFAULTS.connection_buffer_bytes, 2 * grpc.message_bytes_max)
    return ServerLimits(
        max_connections=grpc.connections_max,
        max_connections_per_caller=grpc.connections_per_caller_max,
        max_concurrent_streams=grpc.streams_per_connection_max,
        max_calls_per_caller=grpc.calls_per_caller_max,
        max_receive_message_bytes=grpc.message_bytes_max,
        max_send_message_bytes=grpc.message_bytes_max,
        connection_buffer_bytes=buffer_bytes,
        server_buffer_bytes=max(_DEFAULTS.server_buffer_bytes, 2 * buffer_bytes),
        keepalive_time_s=grpc.keepalive_after_s,
        keepalive_timeout_s=grpc.keepalive_timeout_s,
        connection_age_s=grpc.connection_age_s_max,
    )
