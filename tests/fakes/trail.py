"""A Trail that remembers, for claims about what is traced and counted."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

Value = str | int | float | bool


@dataclass(slots=True)
class SeenSpan:
    name: str
    parent: str
    links: tuple[str, ...]
    attributes: dict[str, Value]
    traceparent: str
    failure: str = ""

    def note(self, **attributes: Value) -> None:
        self.attributes.update(attributes)

    def failed(self, reason: str) -> None:
        self.failure = reason


@dataclass(slots=True)
class SeenTrail:
    """Every span in the order of opening, and the counts by (name, attributes)."""

    spans: list[SeenSpan] = field(default_factory=list)
    counts: Counter[tuple[str, tuple[tuple[str, Value], ...]]] = field(default_factory=Counter)
    observed: list[tuple[str, float]] = field(default_factory=list)

    @contextmanager
    def span(
        self, name: str, *, parent: str = "", links: Sequence[str] = (), **attributes: Value
    ) -> Iterator[SeenSpan]:
        number = len(self.spans) + 1
        trace_id = parent.split("-")[1] if parent else f"{number:032x}"
        span = SeenSpan(name, parent, tuple(links), dict(attributes), f"00-{trace_id}-{number:016x}-01")
        self.spans.append(span)
        yield span

    def count(self, name: str, n: int = 1, **attributes: Value) -> None:
        self.counts[name, tuple(sorted(attributes.items()))] += n

    def observe(self, name: str, value: float, **attributes: Value) -> None:
        self.observed.append((name, value))

    def named(self, name: str) -> list[SeenSpan]:
        return [span for span in self.spans if span.name == name]
