"""What we write by hand is what the SDK would have written."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from gateway.telemetry import names, outside
from gateway.telemetry.meter import Meter
from gateway.telemetry.otlp import SAYINGS_MAX, Encoder
from gateway.telemetry.trail import OpenSpan, OtelTrail, Place, place_of
from tests.fills import fills

ABOUT = {"service.name": "causeway", "service.instance.id": "test"}
SCHEMA = "https://opentelemetry.io/schemas/1.41.0"
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

VALUES = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.sampled_from(["northbank", "POST", "2", "new", "ACCEPTED", "OK", "grpc.health.v1.Health/Check", "x" * 300]),
)
PARENTS = st.sampled_from(["", PARENT, PARENT[:-1] + "0", PARENT[:-1] + "3", "cc" + PARENT[2:] + "-more", "rubbish"])
SPANS = st.tuples(
    st.sampled_from(sorted(names.SPANS)),
    PARENTS,
    st.lists(PARENTS, max_size=3),
    st.dictionaries(st.sampled_from(sorted(names.ATTRIBUTES)), VALUES, max_size=6),
    st.sampled_from(["", "REPLY_LOST", "no reason of ours"]),
)


class Kept:
    """A sink that keeps what it takes."""

    def __init__(self) -> None:
        self.spans: list[OpenSpan] = []

    def take(self, span: OpenSpan) -> None:
        self.spans.append(span)


def made(*about: tuple[str, str, list[str], dict[str, names.Value], str]) -> list[OpenSpan]:
    """Closed spans: of sampled traces, or failed."""
    kept = Kept()
    trail = OtelTrail(kept, Meter(read=False))
    for name, parent, links, attributes, failure in about:
        with trail.span(name, parent=parent, links=links) as span:
            span.note(**attributes)
            if failure:
                span.failed(failure)
    return kept.spans


def as_the_sdk_has_it(span: OpenSpan) -> ReadableSpan:
    """The span as one of the SDK's own that has ended."""
    own, above = place_of(span.own), place_of(span.parent)
    assert own is not None
    attributes = outside.attributes_of(span)
    return ReadableSpan(
        name=outside.title_of(span, attributes),
        context=context(own, remote=False),
        parent=context(above) if above else None,
        resource=Resource(ABOUT, SCHEMA),
        attributes=attributes,
        links=[Link(context(place)) for place in map(place_of, span.links) if place],
        kind=SpanKind[names.SPANS[span.name].kind.upper()],
        status=Status(StatusCode.ERROR if span.failure else StatusCode.UNSET),
        start_time=span.started_at_ns,
        end_time=span.ended_at_ns,
        instrumentation_scope=InstrumentationScope("causeway", schema_url=SCHEMA),
    )


def context(place: Place, *, remote: bool = True) -> SpanContext:
    return SpanContext(place.trace_id, place.span_id, remote, TraceFlags(TraceFlags.SAMPLED))


def read(encoder: Encoder, spans: Sequence[OpenSpan]) -> ExportTraceServiceRequest:
    return ExportTraceServiceRequest.FromString(encoder.request(spans))


@given(st.lists(SPANS, min_size=1, max_size=12))
def test_a_request_says_what_the_sdks_encoder_says(
    about: list[tuple[str, str, list[str], dict[str, names.Value], str]],
) -> None:
    """Spans of every name, with any values, parents, links and failures are read back from our bytes as from those of
    the SDK, to the last field; a second time too, when what they say is remembered."""
    spans = made(*about)
    encoder = Encoder(ABOUT, "causeway", SCHEMA)
    if spans:
        theirs = encode_spans([as_the_sdk_has_it(span) for span in spans])
        assert read(encoder, spans) == theirs
        assert read(encoder, spans) == theirs


def test_what_looks_equal_is_not_confused() -> None:
    """An attempt that is 1 and one that is True are one key to a dictionary; the second is withheld."""
    right, wrong = made(
        (names.SEND, PARENT, [], {"attempt": 1}, ""),
        (names.SEND, PARENT, [], {"attempt": True}, ""),
    )
    spans = read(Encoder(ABOUT, "causeway", SCHEMA), [right, wrong, right]).resource_spans[0].scope_spans[0].spans
    assert [span.attributes[0].value.int_value for span in spans] == [1, 0, 1]
    assert spans[1].attributes[0].value.string_value == names.WITHHELD


@fills("SAYINGS_MAX")
def test_sayings_kept_are_bounded() -> None:
    """Spans that never say the same twice fill SAYINGS_MAX places and no more, and are told none the worse."""
    spans = made(*((names.SEND, PARENT, [], {"attempt": n}, "") for n in range(SAYINGS_MAX + 2)))
    encoder = Encoder(ABOUT, "causeway", SCHEMA)
    told = read(encoder, spans).resource_spans[0].scope_spans[0].spans
    assert [span.attributes[0].value.int_value for span in told] == list(range(SAYINGS_MAX + 2))
    assert encoder.sayings == 2
