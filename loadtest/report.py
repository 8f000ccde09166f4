"""A result as one HTML page that needs nothing else: targets, and for each phase its plots."""

from html import escape
from itertools import pairwise
from math import log10
from typing import Any

from loadtest.svg import Line, Points, chart
from loadtest.targets import headline, table

Result = dict[str, Any]

MEMORY = ("resident", "anonymous")  # with and without the mapped pages of the store's file

_STYLE = """
body { font: 14px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 1340px; padding: 0 1em; color: #111 }
pre { background: #f5f5f4; padding: 1em; overflow-x: auto } h2 { margin-top: 2em }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(420px, 1fr)); gap: 12px }
svg { border: 1px solid #e5e5e5; width: 100%; height: auto } svg text { font: 11px system-ui, sans-serif; fill: #444 }
svg text.title { font-weight: 600; fill: #111 } svg text.end { text-anchor: end } svg text.mid { text-anchor: middle }
svg line.grid { stroke: #eee }
"""


def page(result: Result) -> str:
    """The whole document."""
    title = f"Causeway load: {result['scenario']}"
    words = "\n".join([*headline(result), "", *table(result)])
    phases = "\n".join(_phase(house, phase) for house in result["houses"] for phase in house["phases"])
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body>\n<h1>{escape(title)}</h1>\n<p>{escape(result['summary'])}</p>\n"
        f"<pre>{escape(words)}</pre>\n{phases}\n</body></html>\n"
    )


def _phase(house: Result, phase: Result) -> str:
    seconds, samples = phase["acks"]["seconds"], phase["samples"]
    latency = phase["e2e"]["latency_ms"] if "e2e" in phase else phase["acks"]["latency_ms"]
    plots = [
        chart("throughput", "s", "per second", _throughput(phase, seconds)),
        chart(
            "acknowledgement by second", "s", "ms", [_line(seconds, "p50", "p50_ms"), _line(seconds, "p99", "p99_ms")]
        ),
        chart("latency by percentile", "nines", "ms", [Line("latency", _curve(latency["curve"]))]),
        chart("queues", "s", "payments", [*(_line(samples, n, n) for n in ("queued", "sending", "in_doubt"))]),
        chart("CPU by process", "s", "% of a core", [_cpu(samples, name) for name in ("gateway", "bank", "generator")]),
        chart("memory of the gateway", "s", "MB", [Line(n, _memory(samples, n)) for n in MEMORY]),
    ]
    about = (
        f"{phase['load']}: {phase['per_s']:,.0f}/s, p50 {latency['p50']:.1f} ms, p99 {latency['p99']:.1f} ms, "
        f"gateway {phase['cpu_us']['gateway']:.0f} us CPU each; probe {phase['probe_us']['server']:.0f} us; other "
        f"programs had {phase['core_shares']['others']:.0%} of the server's core"
    )
    drawn = "\n".join(plot for plot in plots if plot)
    heading = f"<h2>{escape(house['name'])} · {escape(phase['name'])}</h2>"
    return f'{heading}\n<p>{escape(about)}</p>\n<div class="plots">{drawn}</div>'


def _throughput(phase: Result, seconds: list[Result]) -> list[Line]:
    lines = [_line(seconds, "acknowledged", "acknowledged"), _line(seconds, "refused", "refused")]
    if "e2e" in phase:
        taken = [(float(at + 1), float(count)) for at, count in enumerate(phase["e2e"]["per_second"])]
        lines.append(Line("accepted", taken))
    return [line for line in lines if any(y for _, y in line.points)]


def _line(rows: list[Result], name: str, key: str) -> Line:
    return Line(name, [(float(row["at_s"]), float(row[key])) for row in rows if key in row])


def _curve(curve: list[list[float]]) -> Points:
    """Percentiles by their nines: 90 % is 1, 99 % is 2."""
    below = [(percentile, ms) for percentile, ms in curve if percentile < 100]
    return [(_nines(percentile), ms) for percentile, ms in below]


def _nines(percentile: float) -> float:
    return -log10(1 - percentile / 100)


def _cpu(samples: list[Result], name: str) -> Line:
    """Per cent of a core between two samples."""
    points = []
    for before, after in pairwise(samples):
        passed_s = after["at_s"] - before["at_s"]
        if passed_s > 0:
            points.append((after["at_s"], (after["cpu_s"][name] - before["cpu_s"][name]) / passed_s * 100))
    return Line(name, points)


def _memory(samples: list[Result], name: str) -> Points:
    return [(row["at_s"], row[f"{name}_bytes"] / 1e6) for row in samples]
