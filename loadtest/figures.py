"""The figures of a result by their keys: what issue trackers, `compare` and documents quote."""

from typing import Any

from loadtest.probe import REFERENCE_US

Result = dict[str, Any]


def add_figures(result: Result) -> None:
    """Puts the keys into the result: rates per second, CPU in microseconds, None where the scenario has no such
    phase. `normalised` holds the same rates and CPU as a core would give that does the probe in REFERENCE_US."""
    phases = {phase["name"]: phase for house in result["houses"] for phase in house["phases"]}
    base = result["baselines"]
    result |= _accept(phases, base)
    result |= _end_to_end(phases)
    verdicts = [house["verdict"] for house in result["houses"] if "verdict" in house]
    result["lost"] = sum(verdict["lost"] for verdict in verdicts)
    result["double"] = sum(verdict["double"] for verdict in verdicts)
    result["unsettled"] = sum(verdict["unsettled"] for verdict in verdicts)
    for name, measured in base.items():
        result[f"baseline_{name}_per_s"] = measured["per_s"]
    stores = {house["name"]: house.get("store_bytes_per_payment") for house in result["houses"]}
    result["store_bytes_per_payment"] = stores.get("end-to-end")
    result["resident_bytes"] = max((phase["resident_bytes"] for phase in phases.values()), default=0)
    result["fault_rate"] = max((house["settings"]["bank_fault_rate"] for house in result["houses"]), default=0.0)
    result["normalised"] = _normalised(result, phases)


def _accept(phases: Result, base: Result) -> Result:
    found: Result = {}
    for key, baseline in (("accept_unary", "grpcio_unary"), ("accept_stream", "grpc_aio_stream")):
        for tls in ("", "_tls"):
            per_s = phases[key + tls]["per_s"] if key + tls in phases else None
            found[f"{key}{tls}_per_s"] = per_s
            found[f"{key}{tls}_ratio"] = per_s / base[baseline]["per_s"] if per_s and baseline in base else None
            found[f"{key}{tls}_cpu_us"] = phases[key + tls]["cpu_us"]["gateway"] if per_s else None
    latency = phases["half_load"]["acks"]["latency_ms"] if "half_load" in phases else {}
    found["ack_p50_ms"], found["ack_p99_ms"] = latency.get("p50"), latency.get("p99")
    return found


def _end_to_end(phases: Result) -> Result:
    found: Result = {}
    for key in ("e2e", "bulk"):
        phase = phases.get(key)
        found[f"{key}_per_s"] = phase["per_s"] if phase else None
        found[f"{key}_cpu_us"] = phase["cpu_us"]["gateway"] if phase else None
    steady, idle = phases.get("e2e_steady"), phases.get("e2e_idle")
    found["e2e_p50_ms"] = steady["e2e"]["latency_ms"]["p50"] if steady else None
    found["e2e_p99_ms"] = steady["e2e"]["latency_ms"]["p99"] if steady else None
    found["to_bank_p99_ms"] = idle["e2e"]["to_bank_ms"]["p99"] if idle else None
    return found


def _normalised(result: Result, phases: Result) -> Result:
    """A rate grows with the core's speed, CPU per payment shrinks with it."""
    found: Result = {}
    for name in ("accept_unary", "accept_stream", "accept_unary_tls", "accept_stream_tls", "e2e", "bulk"):
        if name in phases and phases[name]["probe_us"]["server"]:
            slowness = phases[name]["probe_us"]["server"] / REFERENCE_US
            found[f"{name}_per_s"] = phases[name]["per_s"] * slowness
            found[f"{name}_cpu_us"] = phases[name]["cpu_us"]["gateway"] / slowness
    for name, measured in result["baselines"].items():
        found[f"baseline_{name}_per_s"] = measured["per_s"] * measured["probe_us"] / REFERENCE_US
    return found
