"""Closed spans as an OTLP request, written by hand.

What the SDK makes of a span is a tree of protobuf objects, 15 us of work that is thrown away once it is bytes. Here a
span is two parts: its own ids and times, packed in one go, and what it says (title, kind, attributes, status), which
is the same for nearly all spans of a name and is kept as bytes. Field numbers are those of
opentelemetry/proto/trace/v1/trace.proto; tests/telemetry/test_otlp.py compares the result with what the SDK writes.
"""

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status
from opentelemetry.trace import SpanKind

from gateway.telemetry import names, outside
from gateway.telemetry.trail import SPAN_ID, TRACE_ID, OpenSpan

SAYINGS_MAX: Final = 1_024
"""What spans say, kept as bytes: 200 banks with a few ways to end each, about 300 kB; then all are made anew."""

# A protobuf key is the field's number and how it is written (2: with its length before it, 1: eight bytes, 5: four).
_TRACE_ID: Final = b"\x0a\x10"
_SPAN_ID: Final = b"\x12\x08"
_PARENT_ID: Final = b"\x22\x08"
_START: Final = b"\x39"
_END: Final = b"\x41"
_FLAGS: Final = b"\x85\x01"
_LINK: Final = b"\x6a"
_LINK_FLAGS: Final = b"\x35"
_SPAN_OF_SCOPE: Final = b"\x12"
_SCOPE_OF_RESOURCE: Final = b"\x12"
_RESOURCE_OF_REQUEST: Final = b"\x0a"

_LOCAL: Final = 0x100
"""SpanFlags: whether the parent is another process's is known, and it is not."""
_REMOTE: Final = 0x300
"""SpanFlags: it is known, and it is: a traceparent does not say who wrote it."""

_ALONE: Final = struct.Struct("<2s16s2s8scQcQ2sI").pack
_BELOW: Final = struct.Struct("<2s16s2s8s2s8scQcQ2sI").pack
_LINKED: Final = struct.Struct("<2s16s2s8scI").pack

Saying = tuple[object, ...]


class Encoder:
    """Writes requests for one resource and one scope. Not for several threads at once."""

    def __init__(self, resource: Mapping[str, str], scope: str, schema_url: str) -> None:
        about = Resource(attributes=[_pair(key, value) for key, value in resource.items()])
        self._resource = ResourceSpans(resource=about, schema_url=schema_url).SerializeToString()
        self._scope = ScopeSpans(scope=InstrumentationScope(name=scope), schema_url=schema_url).SerializeToString()
        self._sayings: dict[Saying, bytes] = {}

    @property
    def sayings(self) -> int:
        """How many are kept."""
        return len(self._sayings)

    def request(self, spans: Sequence[OpenSpan]) -> bytes:
        """An ExportTraceServiceRequest with these spans, in this order."""
        parts = [self._scope]
        for span in spans:
            told = self._told(span)
            parts += (_SPAN_OF_SCOPE, _varint(len(told)), told)
        scope = b"".join(parts)
        whole = b"".join((self._resource, _SCOPE_OF_RESOURCE, _varint(len(scope)), scope))
        return b"".join((_RESOURCE_OF_REQUEST, _varint(len(whole)), whole))

    def _told(self, span: OpenSpan) -> bytes:
        trace_id, span_id = bytes.fromhex(span.own[TRACE_ID]), bytes.fromhex(span.own[SPAN_ID])
        start, end = span.started_at_ns, span.ended_at_ns
        if not span.parent:
            head = _ALONE(_TRACE_ID, trace_id, _SPAN_ID, span_id, _START, start, _END, end, _FLAGS, _LOCAL)
        else:
            parent_id = bytes.fromhex(span.parent[SPAN_ID])
            head = _BELOW(
                *(_TRACE_ID, trace_id, _SPAN_ID, span_id, _PARENT_ID, parent_id),
                *(_START, start, _END, end, _FLAGS, _REMOTE),
            )
        links = b"".join(map(_link, outside.links_of(span))) if span.links else b""
        return head + self._saying(span) + links

    def _saying(self, span: OpenSpan) -> bytes:
        """Title, kind, attributes and status. Spans that say the same get the same bytes."""
        said = span.attributes
        # With the types: to a dictionary 1 and True are the same key, to an attribute they are not.
        key = (span.name, span.failure, span.sampled, *said.items(), *map(type, said.values()))
        saying = self._sayings.get(key)
        if saying is None:
            if len(self._sayings) >= SAYINGS_MAX:
                self._sayings.clear()
            saying = self._sayings[key] = _saying(span)
        return saying


def _saying(span: OpenSpan) -> bytes:
    attributes = outside.attributes_of(span)
    kind = SpanKind[names.SPANS[span.name].kind.upper()].value + 1  # OTLP's 0 is "unspecified"
    return Span(
        name=outside.title_of(span, attributes),
        kind=Span.SpanKind.ValueType(kind),
        attributes=_pairs(attributes),
        status=Status(code=Status.STATUS_CODE_ERROR if span.failure else Status.STATUS_CODE_UNSET),
    ).SerializeToString()


def _pairs(attributes: Mapping[str, names.Value]) -> Iterable[KeyValue]:
    return [_pair(key, value) for key, value in attributes.items()]


def _pair(key: str, value: names.Value) -> KeyValue:
    if isinstance(value, bool):
        return KeyValue(key=key, value=AnyValue(bool_value=value))
    if isinstance(value, int):
        return KeyValue(key=key, value=AnyValue(int_value=value))
    if isinstance(value, float):
        return KeyValue(key=key, value=AnyValue(double_value=value))
    return KeyValue(key=key, value=AnyValue(string_value=value))


def _link(traceparent: str) -> bytes:
    trace_id, span_id = bytes.fromhex(traceparent[TRACE_ID]), bytes.fromhex(traceparent[SPAN_ID])
    told = _LINKED(_TRACE_ID, trace_id, _SPAN_ID, span_id, _LINK_FLAGS, _REMOTE)
    return _LINK + _varint(len(told)) + told


def _varint(number: int) -> bytes:
    """A length as protobuf writes it: seven bits a byte, the low ones first."""
    if number < 0x80:
        return bytes((number,))
    if number < 0x4000:
        return bytes((number & 0x7F | 0x80, number >> 7))
    found = bytearray()
    while number >= 0x80:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)
