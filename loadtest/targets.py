"""The targets, and what a result says about each: what `make load` prints."""

from dataclasses import dataclass
from typing import Any

Result = dict[str, Any]

OTHERS_SHARE_MAX = 0.05  # the probe, the kernel and the odd daemon stay below


@dataclass(frozen=True, slots=True)
class Target:
    """`key` of the result; `least`: at least `value`, otherwise at most. `scenario` measures it."""

    what: str
    key: str
    value: float
    unit: str
    least: bool
    scenario: str

    def reached(self, result: Result) -> bool | None:
        """None where this result does not say."""
        found = result.get(self.key)
        if found is None:
            return None
        return bool(found >= self.value if self.least else found <= self.value)


TARGETS = (
    Target("durable unary accept / bare grpcio echo", "accept_unary_ratio", 1.0, "x", True, "accept"),
    Target("durable streaming accept / bare grpc.aio echo stream", "accept_stream_ratio", 3.0, "x", True, "accept"),
    Target("end to end, one request per payment", "e2e_per_s", 2_000, "/s", True, "end-to-end"),
    Target("  gateway CPU per payment", "e2e_cpu_us", 350, "us", False, "end-to-end"),
    Target("end to end, bulk of 1,000", "bulk_per_s", 10_000, "/s", True, "bulk"),
    Target("  gateway CPU per payment", "bulk_cpu_us", 80, "us", False, "bulk"),
    Target("durable ack at half load, p50", "ack_p50_ms", 3, "ms", False, "accept"),
    Target("durable ack at half load, p99", "ack_p99_ms", 15, "ms", False, "accept"),
    Target("received to request at an idle bank, p99", "to_bank_p99_ms", 10, "ms", False, "end-to-end"),
    Target("goodput at 2x / peak", "overload_2x_goodput", 0.9, "x", True, "overload"),
    Target("goodput at 5x / peak", "overload_5x_goodput", 0.9, "x", True, "overload"),
    Target("refusals at 5x, p99", "overload_5x_refusal_p99_ms", 10, "ms", False, "overload"),
    Target("stored and open payments: rate / empty store", "growth_ratio", 0.8, "x", True, "growth"),
    Target("  memory of the process, 1,000,000 open", "growth_anonymous_bytes", 300_000_000, "B", False, "growth"),
    Target("soak: over 1 s end to end", "soak_over_1s_share", 0.01, "", False, "soak"),
    Target("disk per payment, all records and indexes", "store_bytes_per_payment", 1_200, "B", False, "end-to-end"),
    Target("lost", "lost", 0, "", False, "end-to-end"),
    Target("double", "double", 0, "", False, "end-to-end"),
)


def headline(result: Result) -> list[str]:
    """Two numbers first."""
    if result.get("e2e_per_s") is None:
        return []
    return [f"{result['e2e_per_s']:,.0f} payments/s end to end", f"{result['e2e_p99_ms']:,.1f} ms p99"]


def table(result: Result) -> list[str]:
    """The targets with what was reached, then the baselines, then what the figures depend on."""
    lines = [f"{'target':<54}{'at':>4} {'target':>14} {'reached':>12}"]
    for target in TARGETS:
        found, reached = result.get(target.key), target.reached(result)
        shown = "not in run" if found is None else f"{number(float(found))} {target.unit}"
        mark = {True: "yes", False: "no", None: f"({target.scenario})"}[reached]
        sign = ">=" if target.least else "<="
        lines.append(f"{target.what:<54}{sign:>4} {number(target.value):>11} {target.unit:<2} {shown:>12}  {mark}")
    return [*lines, "", *_measured(result), "", *circumstances(result)]


MEASURED = {
    "accept_unary": "accept, unary, plaintext",
    "accept_unary_tls": "accept, unary, mutual TLS",
    "accept_stream": "accept, streaming, plaintext",
    "accept_stream_tls": "accept, streaming, mutual TLS",
    "e2e": "end to end",
    "bulk": "end to end, bulk",
    "baseline_grpcio_unary": "baseline: bare grpcio echo, unary, 64 in flight",
    "baseline_grpc_aio_stream": "baseline: bare grpc.aio echo, stream",
    "baseline_lmdb": "baseline: raw LMDB, commits of 100 instructions",
    "baseline_generator_ceiling_unary": "the generator's own ceiling, unary",
    "baseline_generator_ceiling_stream": "the generator's own ceiling, streaming",
}


def _measured(result: Result) -> list[str]:
    """Rates and server CPU as measured, and the rates as the probe normalises them."""
    normalised = result["normalised"]
    lines = [f"{'measured in this run':<54}{'per second':>12} {'normalised':>12} {'CPU us each':>12}"]
    for name, what in MEASURED.items():
        if (per_s := result.get(f"{name}_per_s")) is None:
            continue
        nominal = f"{normalised[f'{name}_per_s']:,.0f}" if f"{name}_per_s" in normalised else ""
        spent_us = result.get(f"{name}_cpu_us")
        spent = "" if spent_us is None else f"{spent_us:,.0f}"
        lines.append(f"{what:<54}{per_s:>12,.0f} {nominal:>12} {spent:>12}")
    for name, what in (("accept_unary", "grpcio echo"), ("accept_stream", "grpc.aio echo stream")):
        if (ratio := result.get(f"{name}_cpu_ratio")) is not None:
            lines.append(f"{f'{what} / {name}, by CPU for each':<54}{ratio:>12.2f}")
    return lines if len(lines) > 1 else []


def circumstances(result: Result) -> list[str]:
    """What the figures depend on; the commit and the machine first."""
    about, probe_us, flush_ms = result["machine"], result["probe_us"], result["flush_ms"]
    return [
        f"commit {result['commit']} · {about['system']}, {about['cores']} cores, Python {about['python']}",
        f"flush of the disk {flush_ms['p50']} ms p50, {flush_ms['p99']} ms p99 · probe {probe_us['server']:,.0f} us on "
        f"the server's core, {probe_us['load']:,.0f} us on the load's (1,000 us is what figures are normalised to)",
        *_warning(result),
        f"took {result['took_s']:.0f} s",
    ]


def _warning(result: Result) -> list[str]:
    busy = result.get("others_share_max", 0.0)
    if busy < OTHERS_SHARE_MAX:
        return []
    return [
        f"OTHER PROGRAMS used up to {busy:.0%} of the server's core: rates and latencies are this machine's at that "
        "time; CPU for each payment is the figure to trust"
    ]


def number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.2f}"
