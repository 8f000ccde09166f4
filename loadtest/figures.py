"""The figures of a result by their keys: what issue trackers, `compare` and documents quote."""

from typing import Any

from loadtest.probe import REFERENCE_US

Result = dict[str, Any]

RATED = ("accept_unary", "accept_stream", "accept_unary_tls", "accept_stream_tls", "e2e", "bulk")
BASELINES = {"accept_unary": "grpcio_unary", "accept_stream": "grpc_aio_stream"}


def add_figures(result: Result) -> None:
    """Puts the keys into the result: rates per second, CPU in microseconds, None where the scenario has no such
    phase. `normalised` holds the same rates and CPU as a core would give that does the probe in REFERENCE_US."""
    phases = {phase["name"]: phase for house in result["houses"] for phase in house["phases"]}
    base = result["baselines"]
    for part in (_rates, _latencies, _overload, _long, _tracing):
        result |= part(phases)
    result |= _ratios(phases, base)
    verdicts = [house["verdict"] for house in result["houses"] if "verdict" in house]
    for key in ("lost", "double", "unsettled"):
        result[key] = sum(verdict[key] for verdict in verdicts) if verdicts else None
    for name, measured in base.items():
        result[f"baseline_{name}_per_s"] = measured["per_s"]
        result[f"baseline_{name}_cpu_us"] = measured.get("cpu_us")
    stores = {house["name"]: house.get("store_bytes_per_payment") for house in result["houses"]}
    result["store_bytes_per_payment"] = stores.get("end-to-end")
    result["resident_bytes"] = max((phase["resident_bytes"] for phase in phases.values()), default=0)
    result["anonymous_bytes"] = max((phase["anonymous_bytes"] for phase in phases.values()), default=0)
    result["fault_rate"] = max((house["settings"]["bank_fault_rate"] for house in result["houses"]), default=0.0)
    result["others_share_max"] = max((phase["core_shares"]["others"] for phase in phases.values()), default=0.0)
    result["normalised"] = _normalised(result, phases)


def _rates(phases: Result) -> Result:
    found: Result = {}
    for name in RATED:
        found[f"{name}_per_s"] = phases[name]["per_s"] if name in phases else None
        found[f"{name}_cpu_us"] = phases[name]["cpu_us"]["gateway"] if name in phases else None
    return found


def _ratios(phases: Result, base: Result) -> Result:
    """`_ratio` by payments per second; `_cpu_ratio` by CPU for each, which other programs on the core do not change."""
    found: Result = {}
    for name, baseline in BASELINES.items():
        for key in (name, f"{name}_tls"):
            both = key in phases and baseline in base
            found[f"{key}_ratio"] = phases[key]["per_s"] / base[baseline]["per_s"] if both else None
            spent_us = phases[key]["cpu_us"]["gateway"] if both else 0.0
            found[f"{key}_cpu_ratio"] = base[baseline]["cpu_us"] / spent_us if spent_us else None
    return found


def _latencies(phases: Result) -> Result:
    half, steady, idle = phases.get("half_load"), phases.get("e2e_steady"), phases.get("e2e_idle")
    return {
        "ack_p50_ms": half["acks"]["latency_ms"]["p50"] if half else None,
        "ack_p99_ms": half["acks"]["latency_ms"]["p99"] if half else None,
        "e2e_p50_ms": steady["e2e"]["latency_ms"]["p50"] if steady else None,
        "e2e_p99_ms": steady["e2e"]["latency_ms"]["p99"] if steady else None,
        "to_bank_p99_ms": idle["e2e"]["to_bank_ms"]["p99"] if idle else None,
    }


def _overload(phases: Result) -> Result:
    peak, found = phases.get("overload_peak"), Result()
    for times in ("2x", "5x"):
        phase = phases.get(f"overload_{times}")
        found[f"overload_{times}_goodput"] = phase["per_s"] / peak["per_s"] if phase and peak else None
        refused = phase is not None and phase["acks"]["refusal_ms"]["count"]
        found[f"overload_{times}_refusal_p99_ms"] = phase["acks"]["refusal_ms"]["p99"] if phase and refused else None
        growth = phase["anonymous_bytes"] - peak["anonymous_bytes"] if phase and peak else None
        found[f"overload_{times}_growth_bytes"] = growth
    return found


def _long(phases: Result) -> Result:
    """Of growth and soak."""
    empty, full, soak = phases.get("growth_empty"), phases.get("growth_full"), phases.get("soak")
    return {
        "growth_ratio": full["per_s"] / empty["per_s"] if full and empty else None,
        "growth_resident_bytes": full["resident_bytes"] if full else None,
        "growth_anonymous_bytes": full["anonymous_bytes"] if full else None,
        "soak_per_s": soak["per_s"] if soak else None,
        "soak_over_1s_share": soak["e2e"]["over_1s_share"] if soak else None,
    }


def _tracing(phases: Result) -> Result:
    """CPU for each payment over that of the untraced houses before and after, at the speed of the core at each time."""

    def cpu(name: str) -> float:
        phase = phases[name]
        return float(phase["cpu_us"]["gateway"] / (phase["probe_us"]["server"] or REFERENCE_US))

    plain = [cpu(name) for name in ("traced_none", "traced_none_again") if name in phases]
    untraced = sum(plain) / len(plain) if plain else 0.0
    found: Result = {}
    for kind in ("1", "100", "dead"):
        measured = bool(untraced) and f"traced_{kind}" in phases
        found[f"tracing_{kind}_cpu_ratio"] = cpu(f"traced_{kind}") / untraced if measured else None
    return found


def _normalised(result: Result, phases: Result) -> Result:
    """A rate grows with the core's speed, CPU per payment shrinks with it."""
    found: Result = {}
    for name in RATED:
        if name in phases and phases[name]["probe_us"]["server"]:
            slowness = phases[name]["probe_us"]["server"] / REFERENCE_US
            found[f"{name}_per_s"] = phases[name]["per_s"] * slowness
            found[f"{name}_cpu_us"] = phases[name]["cpu_us"]["gateway"] / slowness
    for name, measured in result["baselines"].items():
        found[f"baseline_{name}_per_s"] = measured["per_s"] * measured["probe_us"] / REFERENCE_US
    return found
