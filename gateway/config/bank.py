"""One bank as data: where it is, how it is spoken to, how fast, and when it is asked what became of a payment."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError
from stdnum import iban

from gateway.config.section import Host, Port, ReadableFile, Section, Slug, Text
from gateway.core.payment import Rail
from gateway.limits import BULK_LINES_MAX


def _known_iban(number: str) -> str:
    # The message names no value: an account number belongs in no log, and start-up errors end up in logs.
    if not iban.is_valid(number, check_country=False):  # not by lists of banks: they age
        raise PydanticCustomError("iban", "must be an IBAN with a valid country, length and check digits")
    return str(iban.compact(number))


Iban = Annotated[str, AfterValidator(_known_iban)]
Pin = Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]{43}=$")]
OneRail = Annotated[Rail, Field(strict=False)]


class Connection(Section):
    """The wire: address, identity, and how long to wait for each step of it."""

    host: Host = Field(description="Host name or address that is connected to.", examples=["127.0.0.1"])
    port: Port = Field(description="TCP port that is connected to.", examples=[8443])
    server_name: Host = Field(
        description="Name that the bank's certificate must carry; also sent as SNI unless it is an address.",
        examples=["localhost"],
    )
    certificate_file: ReadableFile = Field(
        description="PEM chain with which we identify ourselves to the bank, our certificate first.",
        examples=["../tls/northbank-client.pem"],
    )
    key_file: ReadableFile = Field(
        description="PEM private key of our certificate.", examples=["../tls/northbank-client.key"]
    )
    ca_file: ReadableFile = Field(
        description="PEM certificates of the authorities that may sign the bank's certificate; no other is trusted.",
        examples=["../tls/ca.pem"],
    )
    crl_file: ReadableFile | None = Field(
        default=None,
        description="PEM revocation lists of those authorities; a revoked bank certificate is refused.",
        examples=["../tls/ca.crl"],
    )
    spki_sha256_pins: Annotated[tuple[Pin, ...], Field(strict=False)] = Field(
        default=(),
        description="Base64 SHA-256 digests of public keys, one of which the bank's chain must contain; empty: any.",
        examples=[["47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="]],
    )
    sessions_max: int = Field(default=2, ge=1, le=64, description="Connections to this bank at most.")
    streams_per_session_max: int = Field(
        default=100, ge=1, le=1_000, description="Requests in flight on one HTTP/2 connection at most."
    )
    connect_timeout_s: float = Field(default=5.0, gt=0, le=60, description="Wait for the TCP connection, in seconds.")
    handshake_timeout_s: float = Field(default=10.0, gt=0, le=60, description="Wait for the TLS handshake, in seconds.")
    ping_after_s: float = Field(
        default=25.0, ge=1, le=600, description="Silence after which a connection is probed, in seconds."
    )
    ping_timeout_s: float = Field(
        default=10.0,
        ge=0.1,
        le=60,
        description="Wait for the answer to a probe before the connection is dropped, in seconds.",
    )
    session_age_s_max: float = Field(
        default=3_600.0,
        ge=10,
        le=86_400,
        description="Age at which a connection takes no more requests and is replaced, in seconds, before jitter.",
    )


class LanePolicy(Section):
    """The bank's queue: how much at once, and what happens when the bank does not take it."""

    in_flight_max: int = Field(default=32, ge=1, le=10_000, description="Requests awaiting the bank's answer at most.")
    request_timeout_s: float = Field(
        default=30.0,
        ge=0.1,
        le=600,
        description="Wait for a whole answer, in seconds; after it the payment is in doubt, never sent again.",
    )
    retry_first_s: float = Field(
        default=1.0,
        ge=0.01,
        le=600,
        description="Wait before a payment proved not sent is tried again, in seconds; doubles.",
    )
    retry_max_s: float = Field(default=300.0, ge=0.01, le=86_400, description="Longest such wait, in seconds.")
    breaker_failures: int = Field(
        default=5, ge=1, le=1_000, description="Failures in a row after which the lane pauses (its breaker opens)."
    )
    breaker_open_s: float = Field(
        default=30.0, ge=0.1, le=3_600, description="Pause before one payment is let through as a trial, in seconds."
    )
    bulk_lines_max: int = Field(
        default=1,
        ge=1,
        le=BULK_LINES_MAX,
        description="Payments that one message may carry at most; 1: single messages.",
    )
    bulk_wait_s: float = Field(
        default=0.0,
        ge=0,
        le=3_600,
        description="How long a payment may wait for others to share its message, in seconds; instant ones never do.",
    )
    bulk_bytes_max: int = Field(
        default=4 * 1024 * 1024,
        ge=4_096,
        le=64 * 1024 * 1024,
        description="Length of one message at most, in bytes; a longer one leaves in parts.",
    )

    def relations(self) -> Iterator[tuple[str, str]]:
        if self.retry_max_s < self.retry_first_s:
            yield "retry_max_s", f"must be at least retry_first_s ({self.retry_first_s:g})"


class InquiryPolicy(Section):
    """When the bank is asked what became of a payment. Budgeted, so that an outage never becomes a storm (law 5)."""

    first_after_s: float = Field(
        default=90.0,
        gt=0,
        le=86_400,
        description="First inquiry about a payment in doubt, in seconds after the doubt arose.",
    )
    again_after_s: float = Field(
        default=1_200.0, gt=0, le=86_400, description="Next inquiry after one that taught nothing, in seconds."
    )
    per_payment_max: int = Field(
        default=3,
        ge=1,
        le=100,
        description="Inquiries about one payment in doubt at most; then statements and people decide.",
    )
    window_s: float = Field(
        default=7_200.0, gt=0, le=604_800, description="Time within which those inquiries are made, in seconds."
    )
    per_second_max: float = Field(default=5.0, gt=0, le=1_000, description="Inquiries to this bank per second at most.")
    follow_after_s: float = Field(
        default=3_600.0,
        gt=0,
        le=604_800,
        description="First inquiry about an accepted payment without a final word, in seconds after acceptance.",
    )
    follow_again_s: float = Field(
        default=14_400.0, gt=0, le=604_800, description="Next such inquiry, in seconds after the one before."
    )
    follow_max: int = Field(default=6, ge=1, le=1_000, description="Such inquiries about one payment at most.")

    def relations(self) -> Iterator[tuple[str, str]]:
        needed_s = self.first_after_s + (self.per_payment_max - 1) * self.again_after_s
        if self.window_s < needed_s:
            yield (
                "window_s",
                (
                    f"must be at least {needed_s:g}: first_after_s + (per_payment_max - 1) * again_after_s, "
                    "or the last inquiries would never be made"
                ),
            )


class CollectPolicy(Section):
    """Fetching reports from the bank's mailbox, where the bank answers later rather than at once."""

    enabled: bool = Field(default=True, description="Whether reports are fetched at all.")
    every_s: float = Field(
        default=30.0, ge=0.1, le=86_400, description="Pause between two visits to the mailbox, in seconds."
    )
    page_max: int = Field(default=500, ge=1, le=10_000, description="Reports of one answer at most.")


class BankProfile(Section):
    """A bank. Its name is the name of its file without the ending."""

    name: Slug = Field(description="Name of the bank in the API, logs and metrics; always the file's name.")
    display_name: Text = Field(description="The bank's name for people.", examples=["Northbank AG"])
    protocol: Literal["iso20022"] = Field(default="iso20022", description="The adapter that speaks this bank's words.")
    enabled: bool = Field(
        default=True, description="Whether payments are sent; a bank that is not enabled is still inquired and shown."
    )
    accounts: Annotated[tuple[Iban, ...], Field(strict=False, min_length=1)] = Field(
        description="IBANs of the debtor accounts we hold at this bank.", examples=[["DE89370400440532013000"]]
    )
    rails: Annotated[tuple[OneRail, ...], Field(strict=False, min_length=1)] = Field(
        default=(Rail.NORMAL,), description="Rails that this bank offers us."
    )
    propagate_trace: bool = Field(
        default=False, description="Whether the bank is sent our `traceparent` header; only where it asked for it."
    )
    connection: Connection = Field(description="The wire to the bank.")
    lane: LanePolicy = Field(default=LanePolicy(), description="The bank's queue.")
    inquiry: InquiryPolicy = Field(default=InquiryPolicy(), description="Status inquiries.")
    collect: CollectPolicy = Field(default=CollectPolicy(), description="The bank's mailbox.")
    protocol_settings: dict[str, Any] = Field(
        default={}, description="Settings of the adapter, checked by the adapter; its README lists them."
    )

    def relations(self) -> Iterator[tuple[str, str]]:
        for key in ("accounts", "rails"):
            values = getattr(self, key)
            if len(set(values)) != len(values):
                yield key, "must not name one twice"
        if self.lane.in_flight_max > self.connection.sessions_max * self.connection.streams_per_session_max:
            yield (
                "lane.in_flight_max",
                (
                    "must be at most connection.sessions_max * connection.streams_per_session_max "
                    f"({self.connection.sessions_max * self.connection.streams_per_session_max})"
                ),
            )
