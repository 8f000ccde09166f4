"""Two results side by side: what changed, and what is only noise.

Noise is what the two runs' own circumstances explain: rates and CPU are compared by their normalised values where
there are any (the probe takes the core's speed out), and a change counts only above NOISE, which is wider where other
programs used the server's core.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

Result = dict[str, Any]

NOISE = 0.05  # equal runs on a quiet machine differ by less
LATENCY_NOISE = 0.25  # percentiles of a few thousand requests differ more

More = Literal["better", "worse", "plain"]
KEYS: dict[str, More] = {
    "e2e_per_s": "better",
    "e2e_p50_ms": "worse",
    "e2e_p99_ms": "worse",
    "e2e_cpu_us": "worse",
    "bulk_per_s": "better",
    "bulk_cpu_us": "worse",
    "accept_unary_per_s": "better",
    "accept_unary_ratio": "better",
    "accept_unary_cpu_us": "worse",
    "accept_unary_cpu_ratio": "better",
    "accept_stream_per_s": "better",
    "accept_stream_ratio": "better",
    "accept_stream_cpu_us": "worse",
    "accept_stream_cpu_ratio": "better",
    "accept_unary_tls_per_s": "better",
    "accept_stream_tls_per_s": "better",
    "ack_p50_ms": "worse",
    "ack_p99_ms": "worse",
    "to_bank_p99_ms": "worse",
    "overload_2x_goodput": "better",
    "overload_5x_goodput": "better",
    "overload_5x_refusal_p99_ms": "worse",
    "growth_ratio": "better",
    "growth_resident_bytes": "worse",
    "soak_over_1s_share": "worse",
    "store_bytes_per_payment": "worse",
    "resident_bytes": "worse",
    "anonymous_bytes": "worse",
    "baseline_grpcio_unary_per_s": "plain",
    "baseline_grpc_aio_stream_per_s": "plain",
    "baseline_lmdb_per_s": "plain",
    "lost": "worse",
    "double": "worse",
}
"""What more of each figure means."""


@dataclass(frozen=True, slots=True)
class Change:
    """One figure in both results; `before` and `after` are normalised where `normalised` says so."""

    key: str
    before: float
    after: float
    noise: float
    normalised: bool

    @property
    def ratio(self) -> float:
        return self.after / self.before if self.before else (1.0 if not self.after else float("inf"))

    @property
    def verdict(self) -> str:
        """`better`, `worse`, `changed` (of a baseline), or `noise`."""
        if abs(self.ratio - 1) <= self.noise:
            return "noise" if self.before != self.after else "same"
        if KEYS[self.key] == "plain":
            return "changed"
        return "better" if (self.ratio > 1) == (KEYS[self.key] == "better") else "worse"


def changes(before: Result, after: Result) -> Iterator[Change]:
    """Every figure that both results have."""
    busy = max(before.get("others_share_max", 0.0), after.get("others_share_max", 0.0))
    for key in KEYS:
        normal = key in before["normalised"] and key in after["normalised"]
        old, new = (each["normalised"] if normal else each for each in (before, after))
        if old.get(key) is None or new.get(key) is None:
            continue
        counted = key in ("lost", "double")
        noise = 0.0 if counted else (LATENCY_NOISE if key.endswith("_ms") else NOISE) + busy * (not _steady(key))
        yield Change(key, float(old[key]), float(new[key]), noise, normal)


def _steady(key: str) -> bool:
    """Figures that other programs on the core do not touch much: CPU for each, sizes."""
    return key.endswith(("cpu_us", "cpu_ratio", "bytes", "per_payment"))


def table(before: Result, after: Result) -> list[str]:
    """One line per figure."""
    lines = [f"{'figure':<34}{'before':>14}{'after':>14}{'change':>9}  verdict"]
    for change in changes(before, after):
        star = " *" if change.normalised else ""
        verdict = f"{change.verdict} (noise up to {change.noise:.0%})" if change.verdict == "noise" else change.verdict
        lines.append(
            f"{change.key + star:<34}{change.before:>14,.2f}{change.after:>14,.2f}{change.ratio - 1:>+9.1%}  {verdict}"
        )
    return [*lines, "", "* normalised by the probe", *_circumstances(before, after)]


def _circumstances(before: Result, after: Result) -> list[str]:
    lines = []
    for name, each in (("before", before), ("after", after)):
        lines.append(
            f"{name}: {each['scenario']} on commit {each['commit']}, flush {each['flush_ms']['p50']} ms, probe "
            f"{each['probe_us']['server']:,.0f} us, others up to {each.get('others_share_max', 0.0):.0%} of the "
            f"server's core"
        )
    if before["scenario"] != after["scenario"]:
        lines.append("These are two scenarios: only what both measure is compared.")
    return lines
