"""Line charts as inline SVG: no script, no library, readable where nothing else is."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 640, 220
LEFT, RIGHT, TOP, BOTTOM = 64, 12, 28, 36
COLOURS = ("#2563eb", "#dc2626", "#16a34a", "#9333ea", "#ea580c", "#0891b2")
TICKS = 4

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Line:
    """One named line of a chart."""

    name: str
    points: Points


def chart(title: str, x_label: str, y_label: str, lines: Sequence[Line]) -> str:
    """An <svg> element; empty when there is nothing to draw. Axes begin at zero."""
    drawn = [line for line in lines if line.points]
    if not drawn:
        return ""
    x_max = max(x for line in drawn for x, _ in line.points) or 1.0
    y_max = _rounded(max(y for line in drawn for _, y in line.points) or 1.0)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(title)}">',
        f'<text x="{LEFT}" y="14" class="title">{escape(title)}</text>',
        *_grid(x_max, y_max, x_label, y_label),
    ]
    for place, line in enumerate(drawn):
        colour = COLOURS[place % len(COLOURS)]
        path = " ".join(f"{_x(x, x_max):.1f},{_y(y, y_max):.1f}" for x, y in line.points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        at = WIDTH - RIGHT - 110 * (len(drawn) - place)
        parts.append(f'<text x="{at}" y="14" fill="{colour}">{escape(line.name)}</text>')
    return "\n".join([*parts, "</svg>"])


def _grid(x_max: float, y_max: float, x_label: str, y_label: str) -> list[str]:
    parts = []
    for tick in range(TICKS + 1):
        x, y = x_max * tick / TICKS, y_max * tick / TICKS
        across = f'x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{_y(y, y_max):.1f}" y2="{_y(y, y_max):.1f}"'
        parts.append(f'<line {across} class="grid"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{_y(y, y_max) + 4:.1f}" class="end">{_number(y)}</text>')
        parts.append(f'<text x="{_x(x, x_max):.1f}" y="{HEIGHT - 18}" class="mid">{_number(x)}</text>')
    parts.append(f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 4}" class="end">{escape(x_label)}</text>')
    parts.append(f'<text x="4" y="{HEIGHT - 4}">{escape(y_label)}</text>')
    return parts


def _x(x: float, x_max: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * x / x_max


def _y(y: float, y_max: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * y / y_max


def _rounded(most: float) -> float:
    """The next of 1, 2, 5 times a power of ten."""
    power = 1.0
    while power * 10 <= most:
        power *= 10
    while power > most:
        power /= 10
    return next(step * power for step in (1, 2, 5, 10) if step * power >= most)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.2g}"
