"""The daemon's own settings: the shape of causeway.toml."""

import ipaddress
import socket
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from gateway.config.bank import BankProfile
from gateway.config.section import (
    FOLDER,
    AnyPath,
    Host,
    ListenPort,
    ReadableFile,
    ReadableFolder,
    Section,
    Slug,
    Text,
    Texts,
)
from gateway.core.roles import Role
from gateway.limits import BANKS_MAX, DRAIN_S_MAX, INSTRUCTION_BYTES_MAX

MIB = 1024 * 1024
FILE_PREFIX = "file:"


def _loopback(host: str) -> str:
    try:
        inside = ipaddress.ip_address(host).is_loopback
    except ValueError:
        inside = host == "localhost"
    if not inside:
        raise PydanticCustomError(
            "loopback",
            "must be a loopback address (127.0.0.1, ::1 or localhost): this listener knows no certificates",
        )
    return host


LoopbackHost = Annotated[Host, AfterValidator(_loopback)]


class StoreSettings(Section):
    """The memory map of the store."""

    map_bytes_initial: int = Field(
        default=256 * MIB,
        ge=16 * MIB,
        description="Size of the map of a new store, in bytes; it grows when it fills.",
    )
    map_bytes_max: int = Field(
        default=64 * 1024 * MIB,
        ge=64 * MIB,
        description="Size the map may grow to, in bytes; leave as much disk free.",
    )

    def relations(self) -> Iterator[tuple[str, str]]:
        if self.map_bytes_max < self.map_bytes_initial:
            yield "map_bytes_max", f"must be at least map_bytes_initial ({self.map_bytes_initial})"


class TlsListen(Section):
    """The listener of the API. Clients identify themselves with a certificate; there is no other way in."""

    host: Host = Field(default="127.0.0.1", description="Address to listen on; 0.0.0.0 or :: for all.")
    port: ListenPort = Field(default=7443, description="TCP port to listen on; 0: any free one.")
    certificate_file: ReadableFile = Field(
        description="PEM chain of the server's certificate, its own first. Replaced files are used for new connections "
        "at SIGHUP or soon after; where they cannot be used, those of before stay.",
        examples=["tls/server.pem"],
    )
    key_file: ReadableFile = Field(
        description="PEM private key of the server's certificate.", examples=["tls/server.key"]
    )
    client_ca_file: ReadableFile = Field(
        description="PEM certificates of the authorities that may sign clients' certificates.",
        examples=["tls/ca.pem"],
    )
    crl_file: ReadableFile | None = Field(
        default=None,
        description="PEM revocation lists of those authorities; a revoked client is refused.",
        examples=["tls/ca.crl"],
    )


class PlaintextListener(Section):
    """A listener without TLS, for probes and load generators on this machine. Off unless this table is present."""

    host: LoopbackHost = Field(default="127.0.0.1", description="Loopback address to listen on; others are refused.")
    port: ListenPort = Field(default=7080, description="TCP port to listen on; 0: any free one.")
    principal: Slug = Field(
        description="Name of the principal that whoever connects here acts as.", examples=["local-probe"]
    )


class Listen(Section):
    """Where the daemon is reached."""

    tls: TlsListen = Field(description="The listener of the API.")
    plaintext: PlaintextListener | None = Field(default=None, description="A listener without TLS, on loopback only.")
    reflection: bool = Field(default=True, description="Whether gRPC reflection tells callers what the API is.")

    def relations(self) -> Iterator[tuple[str, str]]:
        if self.plaintext and self.plaintext.port == self.tls.port != 0:
            yield "plaintext.port", f"must not be the port of listen.tls ({self.tls.port})"


class GrpcSettings(Section):
    """Bounds of the gRPC edge."""

    message_bytes_max: int = Field(
        default=4 * MIB, ge=INSTRUCTION_BYTES_MAX, le=64 * MIB, description="Largest message taken or sent, in bytes."
    )
    connections_max: int = Field(default=1_000, ge=1, le=100_000, description="Connections open at once at most.")
    connections_per_caller_max: int = Field(
        default=500,
        ge=1,
        le=100_000,
        description="Of these, of one caller: of one principal, or of one address in plaintext.",
    )
    streams_per_connection_max: int = Field(
        default=100, ge=1, le=10_000, description="Calls open at once on one connection at most."
    )
    calls_per_caller_max: int = Field(
        default=4_000, ge=1, le=1_000_000, description="Calls of one caller open at once on all its connections."
    )
    watches_per_principal_max: int = Field(
        default=500, ge=1, le=1_000, description="Streams of facts that one principal may follow at once."
    )
    keepalive_after_s: float = Field(
        default=60.0, ge=1, le=7_200, description="Silence after which a client is probed, in seconds."
    )
    keepalive_timeout_s: float = Field(
        default=20.0,
        ge=0.1,
        le=600,
        description="Wait for the answer to a probe before the connection is closed, in seconds.",
    )
    connection_age_s_max: float = Field(
        default=3_600.0,
        ge=10,
        le=604_800,
        description="Age at which a connection takes no new calls (GOAWAY), in seconds; open calls go on.",
    )


OneRole = Annotated[Role, Field(strict=False)]


class PrincipalConfig(Section):
    """Who may call, recognised by the certificate."""

    tenant: Slug = Field(
        description="Tenant whose payments this principal submits and sees; idempotency keys are unique in it.",
        examples=["treasury"],
    )
    certificates: Texts = Field(
        default=(),
        description='Names in certificates: "uri:spiffe://…" or "dns:…" (subject alternative names) or "cn:…".',
        examples=[["uri:spiffe://example.org/erp"]],
    )
    roles: Annotated[tuple[OneRole, ...], Field(strict=False)] = Field(
        default=(),
        description="Roles beyond submitting and seeing the tenant's payments. doubts: see the evidence about payments "
        "in doubt, propose what became of them, and confirm what another principal proposed. holds: release payments "
        "of others that were held for a defect of the daemon's own. quarantine: see and end that of a restored "
        "store.",
    )

    @field_validator("certificates")
    @classmethod
    def _known_kinds(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            kind, _, rest = name.partition(":")
            if kind not in ("uri", "dns", "cn") or not rest:
                raise PydanticCustomError("certificate_name", 'must each begin with "uri:", "dns:" or "cn:"')
        return names


class TelemetrySettings(Section):
    """Where spans, metrics and logs go."""

    service_name: Text = Field(default="causeway", description="Service name in traces and metrics.")
    instance: str = Field(
        default="", max_length=200, description="Name of this instance in traces and metrics; empty: the host's name."
    )
    traces: str = Field(
        default="none",
        description='Where spans go: "none", "console" (standard output), "otlp" or "file:PATH" (JSON lines).',
    )
    traces_sample_ratio: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="Share of new traces that is recorded; failed spans and doubts always are.",
    )
    otlp_endpoint: str = Field(
        default="http://127.0.0.1:4318",
        pattern=r"^https?://[^\s/]+(/[^\s]*)?$",
        description="Base address of the OTLP/HTTP collector; /v1/traces and /v1/metrics are appended.",
    )
    metrics: Literal["none", "otlp", "console"] = Field(default="none", description="Where metrics go.")
    metrics_every_s: float = Field(
        default=15.0, ge=0.1, le=3_600, description="Pause between two exports of metrics, in seconds."
    )
    logs: Literal["json", "text"] = Field(
        default="json", description="Form of the log on standard error: a JSON object per line, or text for people."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severity that is logged."
    )
    shutdown_s_max: float = Field(
        default=2.0, ge=0, le=10, description="Time that what is not yet exported may delay the exit by, in seconds."
    )

    @field_validator("traces")
    @classmethod
    def _known_target(cls, target: str, info: ValidationInfo) -> str:
        if target.startswith(FILE_PREFIX) and len(target) > len(FILE_PREFIX):
            path = Path((info.context or {}).get(FOLDER, ""), target.removeprefix(FILE_PREFIX))
            return f"{FILE_PREFIX}{path}"
        if target not in ("none", "console", "otlp"):
            raise PydanticCustomError("traces", 'must be "none", "console", "otlp" or "file:PATH"')
        return target

    @property
    def traces_file(self) -> Path | None:
        """The file that spans are written to; None if they go elsewhere."""
        return Path(self.traces.removeprefix(FILE_PREFIX)) if self.traces.startswith(FILE_PREFIX) else None

    @property
    def instance_name(self) -> str:
        return self.instance or socket.gethostname()


class Settings(Section):
    """What stands in causeway.toml."""

    data_dir: AnyPath = Field(
        default=Path("/var/lib/causeway"),
        description="Folder of the store; made if absent, used by one daemon at a time.",
    )
    banks_dir: ReadableFolder = Field(
        description="Folder of the bank profiles, one NAME.toml each.", examples=["banks"]
    )
    drain_s: float = Field(
        default=10.0,
        ge=0,
        le=DRAIN_S_MAX,
        description="Time that open calls get to end when the daemon stops, in seconds.",
    )
    store: StoreSettings = Field(default=StoreSettings(), description="The store.")
    listen: Listen = Field(description="Where the daemon is reached.")
    grpc: GrpcSettings = Field(default=GrpcSettings(), description="Bounds of the gRPC edge.")
    principals: dict[Slug, PrincipalConfig] = Field(
        min_length=1, description="Who may call: one table per principal.", examples=["erp"]
    )
    telemetry: TelemetrySettings = Field(default=TelemetrySettings(), description="Spans, metrics and logs.")

    def relations(self) -> Iterator[tuple[str, str]]:
        plaintext = self.listen.plaintext
        if plaintext and plaintext.principal not in self.principals:
            yield "listen.plaintext.principal", f"must be one of the principals: {', '.join(sorted(self.principals))}"
        elif plaintext and self.principals[plaintext.principal].roles:
            yield (
                "listen.plaintext.principal",
                "must be a principal without roles: whoever is on this machine acts as it",
            )
        owner: dict[str, str] = {}
        for name, principal in self.principals.items():
            for certificate in principal.certificates:
                if owner.setdefault(certificate, name) != name:
                    key = f"principals.{name}.certificates"
                    yield key, f'must not name "{certificate}", which principal {owner[certificate]} already has'


class Config(Settings):
    """Everything the daemon is told: causeway.toml and the bank profiles."""

    banks: dict[str, BankProfile] = Field(default={}, max_length=BANKS_MAX, description="Bank profiles by name.")

    def relations(self) -> Iterator[tuple[str, str]]:
        yield from super().relations()
        holder: dict[str, str] = {}
        for name, bank in self.banks.items():
            for at, account in enumerate(bank.accounts):
                if holder.setdefault(account, name) != name:
                    # Only the position is told: account numbers stay out of errors.
                    yield f"banks.{name}.accounts[{at}]", f"must not be an account that bank {holder[account]} has"

    def bank_of(self, account: str) -> BankProfile | None:
        """The bank that holds a debtor account (an IBAN without spaces); None if none does."""
        return self._holders.get(account)

    @cached_property
    def _holders(self) -> dict[str, BankProfile]:
        return {account: bank for bank in self.banks.values() for account in bank.accounts}
