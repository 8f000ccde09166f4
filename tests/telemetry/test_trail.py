"""Spans lead from the client to the settlement, and failed ones are never lost to sampling."""

import logging
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.sdk.trace.sampling import Decision, TraceIdRatioBased
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from gateway.core.ports import Trail
from gateway.telemetry import names
from gateway.telemetry.meter import Meter
from gateway.telemetry.trail import LINKS_MAX, NullTrail, OtelTrail, UnknownName, place_of
from tests.fills import fills
from tests.telemetry.conftest import Listen

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
QUIET_PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"


def test_trails_are_trails(listen: Listen) -> None:
    """What the rooms are given has the shape that core asks for."""
    trails: list[Trail] = [listen().trail, NullTrail()]
    assert len(trails) == 2


def test_span_goes_on_where_the_client_was(listen: Listen) -> None:
    """A payment's span has the client's span as its parent and stays in its trace."""
    heard = listen()
    with heard.trail.span(names.ADMIT, parent=PARENT, batch=3) as span:
        assert span.traceparent.startswith("00-0af7651916cd43dd8448eb211c80319c-")
        assert span.traceparent.endswith("-01")
    (said,) = heard.spans()
    assert said["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert said["parent_id"] == "b7ad6b7169203331"
    assert said["span_id"] == span.traceparent.split("-")[2]
    assert (said["name"], said["attributes"]) == ("causeway.admit", {"causeway.batch.size": 3})


def test_child_knows_its_parent_by_traceparent_alone(listen: Listen) -> None:
    """A trace goes on from the stored text, as after a restart."""
    heard = listen()
    with heard.trail.span(names.ADMIT) as admit:
        stored = admit.traceparent
    with heard.trail.span(names.SEND, parent=stored, bank="northbank", attempt=1):
        pass
    parent, child = heard.spans()
    assert (child["trace_id"], child["parent_id"]) == (parent["trace_id"], parent["span_id"])


def test_batches_are_linked_not_parented(listen: Listen) -> None:
    """A message with several payments is a trace of its own that names each of theirs."""
    heard = listen()
    with heard.trail.span(names.SEND, links=[PARENT, "", "rubbish"], bank="northbank", batch=2):
        pass
    (said,) = heard.spans()
    assert said["parent_id"] == ""
    assert said["links"] == ["0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331"]


@fills("trail.LINKS_MAX")
def test_links_are_bounded(listen: Listen) -> None:
    """A message of thousands of payments does not make a span of thousands of links."""
    heard = listen()
    with heard.trail.span(names.SEND, links=[PARENT] * (LINKS_MAX + 1)):
        pass
    assert len(heard.spans()[0]["links"]) == LINKS_MAX


def test_unsampled_span_is_not_exported(listen: Listen) -> None:
    """At ratio 0 a span that went well leaves no trace, but its place can still be stored."""
    heard = listen(traces_sample_ratio=0.0)
    with heard.trail.span(names.ADMIT) as span:
        assert span.traceparent.endswith("-00")
    assert heard.spans() == []


def test_clients_decision_counts(listen: Listen) -> None:
    """A client that samples is followed at ratio 0; one that does not is not followed at ratio 1."""
    heard = listen(traces_sample_ratio=0.0)
    with heard.trail.span(names.ADMIT, parent=PARENT):
        pass
    assert len(heard.spans()) == 1
    other = listen()
    with other.trail.span(names.ADMIT, parent=QUIET_PARENT):
        pass
    assert other.spans() == []


def test_failed_span_is_kept_though_unsampled(listen: Listen) -> None:
    """A doubt is recorded at ratio 0, in the payment's own trace, and says that it was kept."""
    heard = listen(traces_sample_ratio=0.0)
    with heard.trail.span(names.SEND, parent=QUIET_PARENT, bank="northbank", attempt=1) as span:
        span.failed("REPLY_LOST")
    (said,) = heard.spans()
    assert said["error"] is True
    assert said["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert said["attributes"] == {
        "causeway.bank": "northbank",
        "causeway.attempt": 1,
        "error.type": "REPLY_LOST",
        "causeway.kept": True,
    }


def test_unsampled_spans_hang_from_what_somebody_may_know(listen: Listen) -> None:
    """Nobody is told to be below a span that is hardly ever told of: a send and its exchange that fail in an unsampled
    trace both hang from the payment's span, with ids of their own, which the log has too."""
    heard = listen(traces_sample_ratio=0.0)
    with heard.trail.span(names.SEND, parent=QUIET_PARENT) as send:
        assert send.traceparent == QUIET_PARENT
        with heard.trail.span(names.EXCHANGE, parent=send.traceparent) as exchange:
            logging.getLogger("gateway.test").info("within")
            exchange.failed("REPLY_LOST")
        send.failed("REPLY_LOST")
    told = heard.spans()
    assert [span["parent_id"] for span in told] == ["b7ad6b7169203331"] * 2
    assert len({span["span_id"] for span in told} | {"b7ad6b7169203331"}) == 3
    assert heard.logged()[0]["span_id"] == told[0]["span_id"]


@pytest.mark.parametrize(
    "text", [QUIET_PARENT[:-1] + "2", "01" + QUIET_PARENT[2:-2] + "00-more", "01" + PARENT[2:], PARENT[:-1] + "3"]
)
def test_other_versions_are_gone_on_from_in_ours(listen: Listen, text: str) -> None:
    """A later version's traceparent, or one with flags we do not know, leads on as version 00 with the sampled flag."""
    place = place_of(text)
    assert place is not None
    with listen().trail.span(names.ADMIT, parent=text) as span:
        assert re.fullmatch(f"00-{place.trace_id:032x}-[0-9a-f]{{16}}-0{place.sampled:x}", span.traceparent)


def test_escaping_exception_fails_the_span(listen: Listen) -> None:
    """An error that nobody named is named by its class, and goes on unchanged."""
    heard = listen(traces_sample_ratio=0.0)
    with pytest.raises(KeyError), heard.trail.span(names.SEND):
        raise KeyError("what it says stays here")
    (said,) = heard.spans()
    assert said["attributes"]["error.type"] == "KeyError"


def test_free_text_is_no_reason(listen: Listen) -> None:
    """A reason outside the closed list is told as _OTHER."""
    heard = listen()
    with heard.trail.span(names.SEND) as span:
        span.failed("Maria Vogelsang has no account here")
    assert heard.spans()[0]["attributes"]["error.type"] == "_OTHER"


def test_call_is_titled_by_its_method(listen: Listen) -> None:
    """gRPC spans are called after the method, as the conventions ask; a method we do not serve is not."""
    heard = listen()
    for method in ("causeway.v1.PaymentService/SubmitPayment", "maria/Vogelsang"):
        with heard.trail.span(names.CALL, method=method):
            pass
    good, bad = heard.spans()
    assert (good["name"], good["kind"]) == ("causeway.v1.PaymentService/SubmitPayment", "server")
    assert (bad["name"], bad["attributes"]["rpc.method"]) == ("causeway.call", names.WITHHELD)


def test_unknown_names_are_dropped_and_counted(listen: Listen) -> None:
    """In production a slip loses an attribute, not a payment."""
    heard = listen(metrics="console", metrics_every_s=3600.0)
    with heard.trail.span("causeway.nonsense") as span:
        assert span.traceparent == ""
    with heard.trail.span(names.SEND, creditor="x") as span:
        span.note(iban="y")
    heard.trail.count("causeway.nonsense")
    heard.trail.count(names.PAYMENTS, creditor="x")
    (said,) = heard.spans()
    assert said["attributes"] == {}
    assert '"name": "causeway.telemetry.withheld"' in heard.out.getvalue()


def test_unknown_names_raise_in_tests() -> None:
    """The tests' trail finds the slip that production forgives."""
    trail = OtelTrail(None, Meter(read=False), strict=True)
    with pytest.raises(UnknownName, match=r"span causeway\.nonsense"):
        trail.span("causeway.nonsense")
    with pytest.raises(UnknownName, match=r"counter causeway\.payments with creditor"):
        trail.count(names.PAYMENTS, creditor="x")
    with pytest.raises(UnknownName, match=r"histogram causeway\.payments"):
        trail.observe(names.PAYMENTS, 1.0)


def test_nothing_traced_is_told_as_empty(listen: Listen) -> None:
    """With traces off there is no traceparent to store."""
    with listen(traces="none").trail.span(names.ADMIT, parent=PARENT) as span:
        assert span.traceparent == ""
    with NullTrail().span(names.ADMIT) as span:
        assert span.traceparent == ""


def test_sampling_is_opentelemetrys() -> None:
    """The same trace id is sampled here and by any other service at the same ratio."""
    trail, theirs = OtelTrail(None, Meter(read=False), sample_ratio=0.25), TraceIdRatioBased(0.25)
    for number in range(0, 2**64, 2**58 - 1):
        sampled = theirs.should_sample(None, number, "x").decision is Decision.RECORD_AND_SAMPLE
        assert trail.samples(number) is sampled


HEX = st.text("0123456789abcdef", min_size=1, max_size=34)


@given(
    st.one_of(
        st.text(max_size=60),
        st.tuples(st.sampled_from(["00", "01", "ff", "0"]), HEX, HEX, HEX).map("-".join),
        st.sampled_from([PARENT, QUIET_PARENT, PARENT + "-", PARENT + "-x", "01" + PARENT[2:] + "-x", PARENT.upper()]),
        st.sampled_from([f"00-{'0' * 32}-b7ad6b7169203331-01", f"00-{'a' * 32}-{'0' * 16}-01"]),
    )
)
def test_traceparent_is_read_as_the_w3c_propagator_reads_it(text: str) -> None:
    """What clients send is understood as OpenTelemetry understands it, and never raises. (Blanks around it: HTTP
    takes them off before, and the propagator forgives some of them.)"""
    assume(text == text.strip())
    context = TraceContextTextMapPropagator().extract({"traceparent": text})
    theirs = trace.get_current_span(context).get_span_context()
    ours = place_of(text)
    assert (ours is not None) == theirs.is_valid
    if ours:
        assert ours == (theirs.trace_id, theirs.span_id, bool(theirs.trace_flags.sampled))
