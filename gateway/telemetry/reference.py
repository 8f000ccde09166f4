"""Writes docs/telemetry.md from telemetry.names: what operators may build dashboards and alerts on."""

from typing import Final

from gateway.telemetry import logs, names

_INTRODUCTION: Final = """\
# Telemetry

Generated from the code by `make docs`; do not edit.

These are all spans, metrics and attributes there are, and the only values that leave the house: no account numbers,
no names of people, none of the client's own words (design law 11). Names follow the OpenTelemetry semantic
conventions where there is one. Where they go: `[telemetry]` in the [configuration](configuration.md).

A trace begins with the client's `traceparent`, is stored with the payment and goes on over restarts. Of the traces
that no client decided about, `traces_sample_ratio` are recorded. A span that failed is recorded in any case; if its
trace was not sampled it carries `causeway.kept`, so that rates are not computed from it, and hangs from the payment's
or the client's span: what lay between was not recorded. Spans wait for a collector that is away, 8,192 of them at most;
then the oldest are dropped, which the log says.
"""


def reference() -> str:
    """docs/telemetry.md."""
    lines = [
        _INTRODUCTION,
        "## Metrics",
        "",
        "| metric | kind | unit | attributes | meaning |",
        "|---|---|---|---|---|",
    ]
    for metric in sorted(names.METRICS.values(), key=lambda metric: metric.name):
        keys = ", ".join(f"`{names.ATTRIBUTES[python].key}`" for python in metric.attributes)
        lines.append(f"| `{metric.name}` | {metric.kind} | `{metric.unit}` | {keys} | {metric.meaning} |")
    lines += ["", "## Spans", "", "| span | kind | meaning |", "|---|---|---|"]
    for span in sorted(names.SPANS.values(), key=lambda span: span.name):
        titled = f"; its title is the {span.titled_by}" if span.titled_by else ""
        lines.append(f"| `{span.name}` | {span.kind} | {span.meaning}{titled} |")
    lines += ["", "## Attributes", "", "| attribute | in the log | meaning |", "|---|---|---|"]
    for attribute in sorted(names.ATTRIBUTES.values(), key=lambda attribute: attribute.key):
        lines.append(f"| `{attribute.key}` | `{attribute.python}` | {attribute.meaning} |")
    fields = ", ".join(f"`{name}`" for name in sorted(logs.LOG_FIELDS))
    lines += ["", f"The log may also have: `trace_id`, `span_id`, `error`, {fields}.", ""]
    return "\n".join(lines)
