"""Spans and metrics behind core.ports.Trail.

Why spans are not opened with OpenTelemetry's own Tracer: a payment passes through a handful of spans, nearly all of
them unsampled, and a failed one must be kept even then. A tracer that records every span only to throw it away costs
tens of microseconds a span; one that does not record cannot keep the failed ones. So an open span here is a small
object of ours. Only when it closes, and only if its trace is sampled or it failed, it is handed to the exporter's
thread as it is (telemetry.span_export), and becomes OTLP or a line of JSON there.

Whether a trace is sampled is decided once, where it begins, and then stands in its traceparent. A span of an unsampled
trace draws no ids and has its parent's traceparent: it is told of only if it fails.

A kept span of an unsampled trace says so (`causeway.kept`). It hangs from the nearest span above it that somebody else
may know, the payment's or the client's. That one may be missing in the backend: that is the price, and the kept span's
attributes say what is needed.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from contextvars import ContextVar
from functools import lru_cache
from random import getrandbits
from time import time_ns
from types import TracebackType
from typing import Final, NamedTuple, Protocol, Self

from gateway.core.ports import Span
from gateway.telemetry import names
from gateway.telemetry.meter import Meter, Reading

LINKS_MAX: Final = 128
"""Links of one span: a bulk message of 10,000 lines is linked to its first payments only."""

PARENTS_KEPT_MAX: Final = 4_096
"""Traceparents remembered as read, about 1 MB: a payment's is the parent of several spans."""

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_OURS: Final = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-0[01]").fullmatch
"""As we write one ourselves: nearly all there are."""
TRACE_ID: Final = slice(3, 35)
"""Where it is in a traceparent, in hexadecimal."""
SPAN_ID: Final = slice(36, 52)
_SAMPLED_FLAG: Final = 0x01
_KNOWN: Final = frozenset(names.ATTRIBUTES).issuperset


class Place(NamedTuple):
    """Where a span is: W3C Trace Context without its text."""

    trace_id: int
    span_id: int
    sampled: bool


def place_of(traceparent: str) -> Place | None:
    """Reads a traceparent; None where it is none (W3C Trace Context, section 3.2). Clients send it: never raises."""
    found = _TRACEPARENT.fullmatch(traceparent)
    if found is None:
        return None
    version, trace_id, span_id, flags, rest = found.groups()
    if version == "ff" or (version == "00" and rest is not None):
        return None
    place = Place(int(trace_id, 16), int(span_id, 16), bool(int(flags, 16) & _SAMPLED_FLAG))
    return place if place.trace_id and place.span_id else None


def as_ours(traceparent: str) -> str:
    """A traceparent as we would have written it, version 00 with no flag but the sampled one; "" of what is none."""
    if _OURS(traceparent):
        return traceparent
    place = place_of(traceparent)
    return _written(*place) if place else ""


def _written(trace_id: int, span_id: int, sampled: bool) -> str:
    return f"00-{trace_id:032x}-{span_id:016x}-{sampled:02x}"


parent_of = lru_cache(PARENTS_KEPT_MAX)(as_ours)
"""The same, remembered."""


open_span: ContextVar["OpenSpan | None"] = ContextVar("open_span", default=None)
"""The innermost open span of this task, for the log. Spans themselves take their parents explicitly."""


class SpanSink(Protocol):
    """Takes closed spans that are to be exported."""

    def take(self, span: "OpenSpan") -> None:
        """Must not block: it is called on the way of payments."""
        ...


class OpenSpan:
    """core.ports.Span while it is open, and as it was when it closed. Cheap: times and what was noted; an id only
    where somebody asks for it or the span is kept."""

    __slots__ = (
        "_before",
        "_own",
        "_trail",
        "attributes",
        "ended_at_ns",
        "failure",
        "links",
        "name",
        "parent",
        "sampled",
        "started_at_ns",
    )

    def __init__(
        self,
        trail: "OtelTrail",
        name: str,
        parent: str,
        links: Sequence[str],
        attributes: dict[str, names.Value],
    ) -> None:
        self._trail = trail
        self.name = name
        self.links = links
        self.attributes = attributes
        self.failure = ""
        self._own = ""
        self.parent = parent_of(parent) if parent else ""
        """A traceparent as we write it; "" where a trace begins."""
        if self.parent:
            self.sampled = self.parent[-1] == "1"
        else:
            trace_id = getrandbits(128) or 1
            self.sampled = trail.samples(trace_id)
            self._own = _written(trace_id, getrandbits(64) or 1, self.sampled)

    @property
    def own(self) -> str:
        """This span's own traceparent. Its id is drawn when it is first asked for."""
        if not self._own:
            self._own = f"{self.parent[:36]}{getrandbits(64) or 1:016x}{self.parent[52:]}"
        return self._own

    @property
    def traceparent(self) -> str:
        """Where the trace is not sampled, the parent's: this span will hardly ever be told of, so nobody may be told
        that it is below it. (OpenTelemetry's own spans that do not record do the same.)"""
        return self.own if self.sampled else self.parent or self._own

    def note(self, **attributes: names.Value) -> None:
        self.attributes.update(attributes)

    def failed(self, reason: str) -> None:
        self.failure = reason if reason in names.REASONS else names.OTHER

    def __enter__(self) -> Self:
        self._before = open_span.get()
        open_span.set(self)
        self.started_at_ns = time_ns()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, frames: TracebackType | None
    ) -> None:
        # set, not reset(token): a span may be closed in another context than it was opened in (async generators).
        open_span.set(self._before)
        self._before = None  # a span that waits for export must not keep those around it
        if error is not None and not self.failure and isinstance(error, Exception):
            self.failure = type(error).__name__
        if self.sampled or self.failure:
            self.ended_at_ns = time_ns()
            self._own = self.own  # drawn before another thread can ask for it
            self._trail.close(self)


class UntracedSpan:
    """core.ports.Span where nothing is traced."""

    __slots__ = ()
    traceparent = ""

    def note(self, **attributes: names.Value) -> None: ...

    def failed(self, reason: str) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None: ...


_UNTRACED: Final = UntracedSpan()


class UnknownName(Exception):
    """A name that telemetry.names does not hold. Raised in tests only; in production it is dropped and counted."""


class OtelTrail:
    """core.ports.Trail. With `strict`, unknown names raise UnknownName: for tests."""

    def __init__(self, sink: SpanSink | None, meter: Meter, *, sample_ratio: float = 1.0, strict: bool = False) -> None:
        self._sink = sink
        self._meter = meter
        self._sampled_below = round(sample_ratio * 2**64)
        self._strict = strict

    def samples(self, trace_id: int) -> bool:
        """OpenTelemetry's TraceIdRatioBased: the same trace is sampled everywhere or nowhere."""
        return trace_id & 0xFFFF_FFFF_FFFF_FFFF < self._sampled_below

    def span(
        self, name: str, *, parent: str = "", links: Sequence[str] = (), **attributes: names.Value
    ) -> AbstractContextManager[Span]:
        if self._sink is not None and name in names.SPANS:
            return OpenSpan(self, name, parent, links, attributes)
        if self._strict and name not in names.SPANS:
            self._unknown(f"span {name}")
        return _UNTRACED

    def close(self, span: OpenSpan) -> None:
        """Takes the spans that are to be exported."""
        if self._sink is None:
            return
        if not _KNOWN(span.attributes):
            for attribute in span.attributes.keys() - names.ATTRIBUTES.keys():
                self._unknown(f"attribute {attribute} of span {span.name}")
        self._sink.take(span)

    def count(self, name: str, n: int = 1, **attributes: str | int | bool) -> None:
        if not self._meter.count(name, n, attributes):
            self._unknown(f"counter {name} with {', '.join(attributes)}")

    def observe(self, name: str, value: float, **attributes: str | int | bool) -> None:
        if not self._meter.observe(name, value, attributes):
            self._unknown(f"histogram {name} with {', '.join(attributes)}")

    def gauge(self, name: str, read: Callable[[], Iterable[Reading]]) -> None:
        """`read` is called at each export, on the exporter's thread: it must be quick and must not touch trio."""
        if not self._meter.gauge(name, read):
            self._unknown(f"gauge {name}")

    def _unknown(self, what: str) -> None:
        if self._strict:
            raise UnknownName(f"telemetry.names does not know {what}")
        self._meter.count(names.WITHHOLDINGS, 1, {})


class NullTrail:
    """core.ports.Trail that leads nowhere."""

    def span(
        self, name: str, *, parent: str = "", links: Sequence[str] = (), **attributes: names.Value
    ) -> AbstractContextManager[Span]:
        return _UNTRACED

    def count(self, name: str, n: int = 1, **attributes: str | int | bool) -> None: ...

    def observe(self, name: str, value: float, **attributes: str | int | bool) -> None: ...

    def gauge(self, name: str, read: Callable[[], Iterable[tuple[float, Mapping[str, str]]]]) -> None: ...
