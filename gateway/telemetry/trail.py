"""Spans and metrics behind core.ports.Trail.

Why spans are not opened with OpenTelemetry's own Tracer: a payment passes through a handful of spans, nearly all of
them unsampled, and a failed one must be kept even then. A tracer that records every span only to throw it away costs
tens of microseconds a span; one that does not record cannot keep the failed ones. So an open span here is a small
object of ours. Only when it closes, and only if its trace is sampled or it failed, it becomes one of the SDK's, made
at once as it looks when it has ended, and takes the SDK's way out from there. (Opening and ending one by the SDK's
tracer costs twice as much and says the same.)

A kept span of an unsampled trace says so (`causeway.kept`). Its parents may be missing in the backend: that is the
price, and its attributes say what is needed.
"""

import random
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from contextvars import ContextVar
from functools import lru_cache
from types import TracebackType
from typing import Final, NamedTuple, Self

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from gateway.core.ports import Span
from gateway.telemetry import names
from gateway.telemetry.meter import Meter, Reading

LINKS_MAX: Final = 128
"""Links of one span: a bulk message of 10,000 lines is linked to its first payments only."""

PLACES_KEPT_MAX: Final = 4_096
"""Traceparents remembered as read, about 1 MB: a payment's is the parent of several spans."""

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)
_WELL: Final = Status(StatusCode.UNSET)
_FAILED: Final = Status(StatusCode.ERROR)
_KINDS: Final = {kind.name.lower(): kind for kind in SpanKind}


class Place(NamedTuple):
    """Where a span is: W3C Trace Context without its text."""

    trace_id: int
    span_id: int
    sampled: bool


@lru_cache(maxsize=PLACES_KEPT_MAX)
def place_of(traceparent: str) -> Place | None:
    """Reads a traceparent; None where it is none (W3C Trace Context, section 3.2). Clients send it: never raises."""
    found = _TRACEPARENT.fullmatch(traceparent)
    if found is None:
        return None
    version, trace_id, span_id, flags, rest = found.groups()
    if version == "ff" or (version == "00" and rest is not None):
        return None
    place = Place(int(trace_id, 16), int(span_id, 16), bool(int(flags, 16) & TraceFlags.SAMPLED))
    return place if place.trace_id and place.span_id else None


open_place: ContextVar[Place | None] = ContextVar("open_place", default=None)
"""The innermost open span of this task, for the log. Spans themselves take their parents explicitly."""


class SpanSink:
    """The way of a closed span into the SDK: to a span processor, as the SDK's own spans go when they end."""

    def __init__(self, processor: SpanProcessor, resource: Resource, scope: InstrumentationScope) -> None:
        self._processor = processor
        self._resource = resource
        self._scope = scope

    def take(self, span: "OpenSpan", ended_at_ns: int) -> None:
        """Hands over a span that is to be exported. Does not block: the queue behind it is bounded and drops."""
        about = names.SPANS[span.name]
        attributes: dict[str, names.Value] = {}
        for python, value in span.attributes.items():
            attribute = names.ATTRIBUTES.get(python)
            if attribute is not None:
                attributes[attribute.key] = names.let_through(attribute, value)
        if span.failure:
            attributes[names.ATTRIBUTES["error"].key] = span.failure  # a listed reason or the name of a class
        if not span.place.sampled:
            attributes[names.KEPT] = True
        title = attributes.get(names.ATTRIBUTES[about.titled_by].key) if about.titled_by else None
        self._processor.on_end(
            ReadableSpan(
                name=str(title) if title and title != names.WITHHELD else span.name,
                context=_span_context(span.place, remote=False),
                parent=_span_context(span.parent) if span.parent else None,
                resource=self._resource,
                attributes=attributes,
                links=[Link(_span_context(place)) for place in map(place_of, span.links[:LINKS_MAX]) if place],
                kind=_KINDS[about.kind],
                status=_FAILED if span.failure else _WELL,
                start_time=span.started_at_ns,
                end_time=ended_at_ns,
                instrumentation_scope=self._scope,
            )
        )


def _span_context(place: Place, *, remote: bool = True) -> SpanContext:
    return SpanContext(place.trace_id, place.span_id, remote, _SAMPLED)


class OpenSpan:
    """core.ports.Span while it is open. Cheap: ids, times and what was noted."""

    __slots__ = (
        "_before",
        "_text",
        "_trail",
        "attributes",
        "failure",
        "links",
        "name",
        "parent",
        "place",
        "started_at_ns",
    )

    def __init__(
        self,
        trail: "OtelTrail",
        name: str,
        parent: Place | None,
        links: Sequence[str],
        attributes: dict[str, names.Value],
    ) -> None:
        self._trail = trail
        self._before: Place | None = None
        self._text = ""
        self.name = name
        self.parent = parent
        self.links = links
        self.attributes = attributes
        self.failure = ""
        span_id = random.getrandbits(64) or 1
        if parent is None:
            trace_id = random.getrandbits(128) or 1
            self.place = Place(trace_id, span_id, trail.samples(trace_id))
        else:
            self.place = Place(parent.trace_id, span_id, parent.sampled)
        self.started_at_ns = 0

    @property
    def traceparent(self) -> str:
        if not self._text:
            trace_id, span_id, sampled = self.place
            self._text = f"00-{trace_id:032x}-{span_id:016x}-{sampled:02x}"
        return self._text

    def note(self, **attributes: names.Value) -> None:
        self.attributes.update(attributes)

    def failed(self, reason: str) -> None:
        self.failure = reason if reason in names.REASONS else names.OTHER

    def __enter__(self) -> Self:
        self._before = open_place.get()
        open_place.set(self.place)
        self.started_at_ns = time.time_ns()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, frames: TracebackType | None
    ) -> None:
        # set, not reset(token): a span may be closed in another context than it was opened in (async generators).
        open_place.set(self._before)
        if isinstance(error, Exception) and not self.failure:
            self.failure = type(error).__name__
        if self.place.sampled or self.failure:
            self._trail.close(self, time.time_ns())


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
        if self._strict:
            self._know(name in names.SPANS, f"span {name}")
        if self._sink is None or name not in names.SPANS:
            return _UNTRACED
        return OpenSpan(self, name, place_of(parent) if parent else None, links, attributes)

    def close(self, span: OpenSpan, ended_at_ns: int) -> None:
        """Takes the spans that are to be exported."""
        if self._sink is None:
            return
        for attribute in span.attributes:
            self._know(attribute in names.ATTRIBUTES, f"attribute {attribute} of span {span.name}")
        self._sink.take(span, ended_at_ns)

    def count(self, name: str, n: int = 1, **attributes: str | int | bool) -> None:
        self._know(self._meter.count(name, n, attributes), f"counter {name} with {', '.join(attributes)}")

    def observe(self, name: str, value: float, **attributes: str | int | bool) -> None:
        self._know(self._meter.observe(name, value, attributes), f"histogram {name} with {', '.join(attributes)}")

    def gauge(self, name: str, read: Callable[[], Iterable[Reading]]) -> None:
        """`read` is called at each export, on the exporter's thread: it must be quick and must not touch trio."""
        self._know(self._meter.gauge(name, read), f"gauge {name}")

    def _know(self, known: bool, what: str) -> None:
        if known:
            return
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
