"""One trace as a tree: our own spans and the daemon's, joined by trace id and parent."""

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.text import Text
from rich.tree import Tree

WAIT_S_MAX = 5.0  # the daemon exports spans once a second
WAIT_STEP_S = 0.25
SPANS_MAX = 500  # of one trace: a payment's life is below 100

SHOWN = {
    "causeway.bank": "bank",
    "causeway.attempt": "attempt",
    "causeway.result": "result",
    "error.type": "error",
    "causeway.reason": "reason",
    "causeway.payment.state": "state",
    "http.response.status_code": "http",
    "causeway.replay": "replay",
}
"""Attributes worth a place on the line, in this order, and what they are called there."""


@dataclass(frozen=True, slots=True)
class Span:
    """A line of a span file. Times are Unix seconds; `duration_ms` is 0 where it is not known."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    start_s: float
    duration_ms: float
    error: bool
    attributes: dict[str, Any]
    service: str


def write_span(file: Path, traceparent: str, name: str, start_s: float, end_s: float) -> None:
    """Our own side of a call: the span that `traceparent` names, in the form of the daemon's file."""
    _, trace_id, span_id, _ = traceparent.split("-")
    about = {
        "trace_id": trace_id,
        "span_id": span_id,
        "parent_id": "",
        "name": name,
        "kind": "client",
        "start": datetime.fromtimestamp(start_s, UTC).isoformat(timespec="microseconds"),
        "duration_ms": round((end_s - start_s) * 1e3, 3),
        "error": False,
        "attributes": {},
        "links": [],
    }
    with file.open("a") as out:
        out.write(json.dumps(about) + "\n")


def read_trace(files: dict[str, Path], trace_id: str) -> list[Span]:
    """The spans of one trace, oldest first. `files` are by the service that wrote them; a missing file is empty."""
    found: list[Span] = []
    for service, file in files.items():
        for line in file.read_text().splitlines() if file.exists() else ():
            if trace_id in line and (span := _span(line, service)) and span.trace_id == trace_id:
                found.append(span)
    return sorted(found, key=lambda span: span.start_s)[:SPANS_MAX]


def await_trace(
    read: Callable[[], list[Span]], whole: Callable[[list[Span]], bool], pause: Callable[[float], None] = time.sleep
) -> list[Span]:
    """Reads until the trace is whole, for WAIT_S_MAX at most: spans reach the file some time after what they tell."""
    for _ in range(int(WAIT_S_MAX / WAIT_STEP_S)):
        spans = read()
        if whole(spans):
            return spans
        pause(WAIT_STEP_S)
    return read()


def tree(spans: Iterable[Span], title: str) -> Tree:
    """The spans as a tree by parent; those whose parent is not among them hang from the root."""
    spans = list(spans)
    known = {span.span_id for span in spans}
    below: dict[str, list[Span]] = defaultdict(list)
    for span in spans:
        below[span.parent_id if span.parent_id in known else ""].append(span)
    root = Tree(title, guide_style="dim")
    first_s = spans[0].start_s if spans else 0.0

    def hang(branch: Tree, parent: str) -> None:
        for span in below.pop(parent, []):
            hang(branch.add(_line(span, first_s)), span.span_id)

    hang(root, "")
    return root


def _line(span: Span, first_s: float) -> Text:
    said = "  ".join(f"{word}={span.attributes[name]}" for name, word in SHOWN.items() if name in span.attributes)
    return Text.assemble(
        (f"+{span.start_s - first_s:6.3f} s ", "dim"),
        (span.name, "bold red" if span.error else "bold"),
        f"  {span.duration_ms:.1f} ms  ",
        (f"[{span.service}] ", "dim"),
        said,
    )


def _span(line: str, service: str) -> Span | None:
    """None for a line that is being written just now."""
    try:
        about = json.loads(line)
    except json.JSONDecodeError:
        return None
    return Span(
        about["trace_id"],
        about["span_id"],
        about["parent_id"],
        about["name"],
        datetime.fromisoformat(about["start"]).timestamp(),
        float(about["duration_ms"]),
        bool(about["error"]),
        about["attributes"],
        service,
    )
