"""Every span, attribute and metric of the house: its name, unit, kind and meaning. This is the allow-list (law 11).

An attribute lets through only values of its kind: a closed list, or a shape that neither an account number nor a
person's name has. What does not fit leaves as WITHHELD. So a slip elsewhere in the house can spoil an attribute, but
cannot make it tell who pays whom. EndToEndIds, remittance texts and labels are the client's own words: they have no
attribute at all.

Names are those of the OpenTelemetry semantic conventions 1.41 where there is one, `causeway.…` otherwise.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gateway.core.payment import Rail
from gateway.core.reasons import Reason
from gateway.core.states import State

Value = str | int | float | bool

WITHHELD: Final = "(withheld)"
"""Stands for a value that an attribute does not let through."""

OTHER: Final = "_OTHER"
"""Semantic conventions' error.type for an error without a name of low cardinality."""

# ---------------------------------------------------------------- which values pass

IBAN_LIKE: Final = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}[0-9]{2}(?:[ -]?[A-Za-z0-9]{1,4}){3,8}(?![A-Za-z0-9])")
"""Anything that may be an IBAN, with or without blanks. Wide on purpose: withholding too much is a nuisance, too
little a breach."""

_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_HOST = re.compile(r"[a-z0-9.:-]{1,253}")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_METHOD = re.compile(r"(?:causeway|grpc)\.[a-z0-9.]{1,60}\.[A-Za-z]{1,60}/[A-Za-z]{1,60}")

Rule = Callable[[Value], bool]


def _whole(value: Value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _flag(value: Value) -> bool:
    return isinstance(value, bool)


def is_slug(value: object) -> bool:
    return isinstance(value, str) and bool(_SLUG.fullmatch(value)) and not IBAN_LIKE.search(value)


def is_host(value: object) -> bool:
    """A host name or an address."""
    return isinstance(value, str) and bool(_HOST.fullmatch(value)) and not IBAN_LIKE.search(value)


def _shape(pattern: re.Pattern[str]) -> Rule:
    return lambda value: isinstance(value, str) and bool(pattern.fullmatch(value))


def _one_of(*values: str) -> Rule:
    return frozenset(values).__contains__


STATUSES: Final = (
    *("OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS"),
    *("PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED"),
    *("INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"),
)
"""gRPC's status codes by name."""

REASONS: Final = frozenset((*Reason, *State, *STATUSES, "UNREADABLE", "STORE_FAILED", "OVERLOADED"))
"""What Span.failed may say."""

RESULTS: Final = (
    # admissions
    *("new", "replay", "key_reused", "refused"),
    # exchanges
    *("answered", "not_sent", "maybe_sent"),
    # reports
    *("taken", "foreign", "unreadable", "nothing_new"),
)
QUEUES: Final = ("writer", "lane", "watchers", "calls", "connections", "telemetry")

# ---------------------------------------------------------------- attributes


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute: how the house calls it, how it leaves the house, and which values it lets through."""

    python: str
    key: str
    passes: Rule
    meaning: str


ATTRIBUTES: Final = {
    attribute.python: attribute
    for attribute in (
        Attribute("attempt", "causeway.attempt", _whole, "number of the attempt at the bank, from 1"),
        Attribute("bank", "causeway.bank", is_slug, "name of the bank profile"),
        Attribute("batch", "causeway.batch.size", _whole, "instructions or payments handled together"),
        Attribute("error", "error.type", REASONS.__contains__, "why it failed: a reason, a state or a gRPC status"),
        Attribute(
            "http_method", "http.request.method", _one_of("GET", "POST", "PUT"), "method of the request to a bank"
        ),
        Attribute("http_status", "http.response.status_code", _whole, "HTTP status of the bank's answer"),
        Attribute("http_version", "network.protocol.version", _one_of("1.1", "2"), "HTTP version towards the bank"),
        Attribute("method", "rpc.method", _shape(_METHOD), "full name of the called gRPC method"),
        Attribute("payment", "causeway.payment.id", _shape(_UUID), "id of the payment, a UUID"),
        Attribute("principal", "causeway.principal", is_slug, "name of the calling principal"),
        Attribute("queue", "causeway.queue", _one_of(*QUEUES), "the queue that is meant"),
        Attribute("rail", "causeway.rail", _one_of(*Rail), "the rail asked for"),
        Attribute("reason", "causeway.reason", REASONS.__contains__, "why something happened"),
        Attribute("replay", "causeway.replay", _flag, "whether the instruction had been admitted before"),
        Attribute("result", "causeway.result", _one_of(*RESULTS), "how it ended"),
        Attribute("sequence", "causeway.fact.sequence", _whole, "position in the log of facts"),
        Attribute("state", "causeway.payment.state", _one_of(*State), "state of the payment after it"),
        Attribute("status", "rpc.response.status_code", _one_of(*STATUSES), "gRPC status of the answer"),
        Attribute("tenant", "causeway.tenant", is_slug, "tenant of the caller"),
        Attribute("whose", "causeway.certificate.of", _one_of("listener", "bank"), "whose certificate is meant"),
    )
}
"""Python name → attribute."""

KEPT: Final = "causeway.kept"
"""Set on spans that were recorded only because they failed, so that rates are not counted from them."""

# ---------------------------------------------------------------- spans

ADMIT: Final = "causeway.admit"
CALL: Final = "causeway.call"
COLLECT: Final = "causeway.collect"
COMMIT: Final = "causeway.commit"
DECIDE: Final = "causeway.decide"
EXCHANGE: Final = "causeway.exchange"
INQUIRE: Final = "causeway.inquire"
RECOVER: Final = "causeway.recover"
REPORT: Final = "causeway.report"
SEND: Final = "causeway.send"
WATCH: Final = "causeway.watch"


@dataclass(frozen=True, slots=True)
class SpanName:
    """A span. `kind` is OpenTelemetry's: internal, server, client, producer or consumer."""

    name: str
    kind: str
    meaning: str
    titled_by: str = ""
    """An attribute whose value, where it passes, is the span's title outside (rpc: `package.Service/Method`)."""


SPANS: Final = {
    span.name: span
    for span in (
        SpanName(CALL, "server", "one gRPC call, until its last byte", titled_by="method"),
        SpanName(ADMIT, "internal", "instructions checked, committed and acknowledged"),
        SpanName(COMMIT, "internal", "the wait for the commit that makes instructions durable"),
        SpanName(SEND, "internal", "one message to a bank, from the mark to the stored outcome"),
        SpanName(EXCHANGE, "client", "one HTTP exchange with a bank"),
        SpanName(INQUIRE, "internal", "a bank asked what became of a payment"),
        SpanName(COLLECT, "internal", "a visit to a bank's mailbox"),
        SpanName(DECIDE, "internal", "a person's act about a payment: proposed, confirmed, released"),
        SpanName(REPORT, "internal", "a bank's later word taken: settlement, rejection, return"),
        SpanName(WATCH, "producer", "facts handed to a watcher; linked to the payments' traces"),
        SpanName(RECOVER, "internal", "what the start found unfinished"),
    )
}
"""Name → span."""

# ---------------------------------------------------------------- metrics

ADMISSIONS: Final = "causeway.admissions"
CALL_S: Final = "rpc.server.call.duration"
CERTIFICATE_S: Final = "causeway.certificate.remaining"
COMMIT_S: Final = "causeway.store.commit.duration"
COMMIT_WRITES: Final = "causeway.store.commit.writes"
EXCHANGE_S: Final = "causeway.exchange.duration"
IN_DOUBT_S: Final = "causeway.in_doubt.age"
INQUIRIES: Final = "causeway.inquiries"
MAP_USED: Final = "causeway.store.map.used"
PAYMENTS: Final = "causeway.payments"
QUARANTINE: Final = "causeway.quarantine.active"
QUEUE_DEPTH: Final = "causeway.queue.depth"
RENEWALS: Final = "causeway.certificate.renewals"
REPORTS: Final = "causeway.reports"
SESSIONS: Final = "causeway.sessions"
SHED: Final = "causeway.shed"
UNANSWERED: Final = "causeway.inquiries.unanswered"
UNKNOWN_REFERENCES: Final = "causeway.quarantine.unknown"
WITHHOLDINGS: Final = "causeway.telemetry.withheld"
WAITING: Final = "causeway.payments.waiting"

SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
SIZES: Final = (1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1_000.0)


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric. `kind`: counter (Trail.count), histogram (Trail.observe) or gauge (OtelTrail.gauge)."""

    name: str
    kind: str
    unit: str
    meaning: str
    attributes: tuple[str, ...] = ()
    """Python names of the only attributes it may have."""
    bounds: tuple[float, ...] = ()
    """Upper bounds of a histogram's buckets, in its unit."""


METRICS: Final = {
    metric.name: metric
    for metric in (
        Metric(ADMISSIONS, "counter", "{instruction}", "instructions by what became of them", ("result",)),
        Metric(PAYMENTS, "counter", "{payment}", "payments that came into a state", ("bank", "state")),
        Metric(INQUIRIES, "counter", "{inquiry}", "status inquiries by the state after them", ("bank", "state")),
        Metric(
            UNANSWERED,
            "counter",
            "{inquiry}",
            "status inquiries that ended without a usable answer; those not sent spend no budget",
            ("bank", "result", "reason"),
        ),
        Metric(
            RENEWALS,
            "counter",
            "{renewal}",
            "replaced TLS files, taken or refused (the old stay)",
            ("whose", "result", "bank"),
        ),
        Metric(REPORTS, "counter", "{report}", "words from banks' mailboxes", ("bank", "result")),
        Metric(SHED, "counter", "{request}", "requests turned away because a queue was full", ("queue",)),
        Metric(WITHHOLDINGS, "counter", "{item}", "attributes and names that were withheld", ()),
        Metric(CALL_S, "histogram", "s", "gRPC calls", ("method", "status"), SECONDS),
        Metric(EXCHANGE_S, "histogram", "s", "exchanges with a bank", ("bank", "result", "reason"), SECONDS),
        Metric(COMMIT_S, "histogram", "s", "group commits, both flushes included", (), SECONDS),
        Metric(COMMIT_WRITES, "histogram", "{write}", "writes per group commit", (), SIZES),
        Metric(QUEUE_DEPTH, "gauge", "{item}", "what waits in a queue", ("queue", "bank")),
        Metric(WAITING, "gauge", "{payment}", "payments in a state that is not an end", ("bank", "state")),
        Metric(IN_DOUBT_S, "gauge", "s", "age of the oldest payment in doubt", ("bank",)),
        Metric(QUARANTINE, "gauge", "1", "1 while a restored store is in quarantine, 0 otherwise", ()),
        Metric(
            UNKNOWN_REFERENCES,
            "gauge",
            "{payment}",
            "payments that a bank speaks of in quarantine and the restored store does not know",
            (),
        ),
        Metric(SESSIONS, "gauge", "{connection}", "open connections to a bank", ("bank",)),
        Metric(CERTIFICATE_S, "gauge", "s", "time until the earliest certificate expires", ("whose", "bank")),
        Metric(MAP_USED, "gauge", "1", "used share of the store's map", ()),
    )
}
"""Name → metric."""


def let_through(attribute: Attribute, value: Value) -> Value:
    """The value if the attribute lets it through, WITHHELD otherwise."""
    return value if attribute.passes(value) else WITHHELD
