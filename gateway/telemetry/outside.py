"""What of a closed span leaves the house (law 11): its title, its attributes, and the two as a line of JSON."""

import json
from datetime import UTC, datetime
from typing import Any

from gateway.telemetry import names
from gateway.telemetry.trail import LINKS_MAX, SPAN_ID, TRACE_ID, OpenSpan, as_ours


def attributes_of(span: OpenSpan) -> dict[str, names.Value]:
    """By the names they have outside; each value let through, or withheld."""
    attributes: dict[str, names.Value] = {}
    for python, value in span.attributes.items():
        attribute = names.ATTRIBUTES.get(python)
        if attribute is not None:
            attributes[attribute.key] = names.let_through(attribute, value)
    if span.failure:
        attributes[names.ATTRIBUTES["error"].key] = span.failure  # a listed reason or the name of a class
    if not span.sampled:
        attributes[names.KEPT] = True
    return attributes


def title_of(span: OpenSpan, attributes: dict[str, names.Value]) -> str:
    """The span's name, or the attribute that titles it, where that was let through."""
    about = names.SPANS[span.name]
    title = attributes.get(names.ATTRIBUTES[about.titled_by].key) if about.titled_by else None
    return str(title) if title and title != names.WITHHELD else span.name


def links_of(span: OpenSpan) -> list[str]:
    """The first LINKS_MAX of them as we write traceparents, without those that are none."""
    return [link for link in map(as_ours, span.links[:LINKS_MAX]) if link]


def line(span: OpenSpan) -> str:
    """A span as one line of JSON: trace_id, span_id, parent_id, name, kind, start (UTC), duration_ms, error,
    attributes, links (trace ids with span ids)."""
    attributes = attributes_of(span)
    about: dict[str, Any] = {
        "trace_id": span.own[TRACE_ID],
        "span_id": span.own[SPAN_ID],
        "parent_id": span.parent[SPAN_ID],
        "name": title_of(span, attributes),
        "kind": names.SPANS[span.name].kind,
        "start": datetime.fromtimestamp(span.started_at_ns / 1e9, UTC).isoformat(timespec="microseconds"),
        "duration_ms": round((span.ended_at_ns - span.started_at_ns) / 1e6, 3),
        "error": bool(span.failure),
        "attributes": attributes,
        "links": [f"{link[TRACE_ID]}-{link[SPAN_ID]}" for link in links_of(span)],
    }
    return json.dumps(about, ensure_ascii=False, separators=(",", ":")) + "\n"
