"""Where a profiled daemon's time went, room by room: sampled stacks ("frame;frame;frame count", a line each, as py-spy
and the tools that draw flame graphs write them) as a table.

A sample counts for the innermost room on its stack: what a library does on a room's behalf is that room's. The writer's
thread is told apart from the event loop, because the two share one interpreter.
"""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Final

WRITER: Final = "_t_run"
"""What every stack of the writer's thread passes through (gateway/store/writer.py)."""
_ROOM: Final = re.compile(r"\((?:.*/)?(gateway|adapters)/(\w+)")
_ROW_SHARE_MIN: Final = 0.005


class NoStacks(Exception):
    """The file holds no sampled stacks. The text says what to do."""


def shares(lines: Iterable[str]) -> dict[tuple[str, str], float]:
    """(thread, room) → share of all samples, the largest first. Raises NoStacks."""
    counts: Counter[tuple[str, str]] = Counter()
    for line in lines:
        stack, _, count = line.rstrip().rpartition(" ")
        if not stack or not count.isdigit():
            raise NoStacks(f"not a sampled stack: {line[:60]!r}; record with `py-spy record --format raw`")
        counts[("writer" if WRITER in stack else "event loop", _room_of(stack))] += int(count)
    total = counts.total()
    if not total:
        raise NoStacks("no samples; was the daemon at work while it was recorded?")
    return {place: count / total for place, count in counts.most_common()}


def table(found: dict[tuple[str, str], float], cpu_us: float | None = None) -> list[str]:
    """As Markdown; with `cpu_us`, what one payment took of the daemon's CPU, also in microseconds."""
    lines = [f"| thread | room | share |{' us |' if cpu_us else ''}", f"|---|---|---|{'---|' if cpu_us else ''}"]
    rest = 0.0
    for (thread, room), share in found.items():
        if share < _ROW_SHARE_MIN:
            rest += share
            continue
        lines.append(_row(thread, room, share, cpu_us))
    return [*lines, _row("both", "others", rest, cpu_us)] if rest else lines


def _row(thread: str, room: str, share: float, cpu_us: float | None) -> str:
    return f"| {thread} | {room} | {share:.1%} |" + (f" {share * cpu_us:.0f} |" if cpu_us else "")


def _room_of(stack: str) -> str:
    for frame in reversed(stack.split(";")):
        if found := _ROOM.search(frame):
            first, second = found.groups()
            return first if first == "adapters" else second
    return "libraries, outside of any room"
