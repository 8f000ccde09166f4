"""A result as `make load` writes it, small enough to be changed by a test."""

from typing import Any

Result = dict[str, Any]

LATENCY = {"p50": 2.0, "p90": 3.0, "p99": 9.0, "p99.9": 12.0, "max": 20.0, "count": 100, "curve": [[50.0, 2.0]]}
SECOND = {
    "at_s": 1.0,
    "acknowledged": 100,
    "refused": 0,
    "failed": 0,
    "backlog": 0,
    "open_calls": 1,
    "p50_ms": 2.0,
    "p99_ms": 9.0,
}


def phase(name: str, per_s: float, cpu_us: float = 400.0, *, e2e: bool = False, probe_us: float = 1_000.0) -> Result:
    """One phase; `e2e` gives it the part about the bank."""
    sample = {
        "resident_bytes": 50_000_000,
        "anonymous_bytes": 40_000_000,
        "queued": 3,
        "sending": 2,
        "in_doubt": 0,
        "accepted": 9,
    }
    made: Result = {
        "name": name,
        "load": "unary, closed",
        "per_s": per_s,
        "acks": {"latency_ms": LATENCY, "refusal_ms": LATENCY, "seconds": [SECOND], "acknowledged": 100},
        "samples": [
            {"at_s": at_s, "cpu_s": {"gateway": at_s, "bank": 0.1, "generator": 0.1}, **sample} for at_s in (1.0, 2.0)
        ],
        "cpu_us": {"gateway": cpu_us, "bank": 100.0, "generator": 10.0},
        "probe_us": {"server": probe_us, "load": probe_us},
        "core_shares": {"server": 0.9, "load": 0.5, "gateway": 0.88, "others": 0.02},
        "resident_bytes": 60_000_000,
        "anonymous_bytes": 40_000_000,
    }
    if e2e:
        made["e2e"] = {"latency_ms": LATENCY, "to_bank_ms": LATENCY, "per_second": [50, 50], "over_1s_share": 0.0}
    return made


def result(*, speed: float = 1.0, probe_us: float = 1_000.0, lost: int = 0, double: int = 0) -> Result:
    """A canonical result, before `add_figures`. `speed` multiplies the rates and divides the CPU."""
    base = {"from_s": 0.0, "to_s": 1.0, "p99_ms": 9.0, "generator_cpu_us": 10.0, "probe_us": probe_us}
    echo = {"per_s": 4_000.0 * speed, "cpu_us": 250.0 / speed, **base}

    def rated(name: str, per_s: float, cpu_us: float, *, e2e: bool = False) -> Result:
        return phase(name, per_s * speed, cpu_us / speed, e2e=e2e, probe_us=probe_us)

    accept = [rated("accept_unary", 2_000, 500), rated("accept_stream", 8_000, 120), rated("half_load", 1_000, 500)]
    end_to_end = [rated("e2e", 500, 900, e2e=True), rated("e2e_steady", 350, 900, e2e=True)]
    settings = {"bank_fault_rate": 0.0}
    verdict = {"acknowledged": 100, "booked": 100, "lost": lost, "double": double, "unsettled": 0}
    return {
        "scenario": "canonical",
        "summary": "A <small> result.",
        "machine": {"system": "Linux x86_64", "cores": 2, "python": "3.11"},
        "commit": "abc",
        "flush_ms": {"p50": 1.0, "p99": 4.0},
        "probe_us": {"server": probe_us, "load": probe_us},
        "took_s": 120.0,
        "baselines": {"grpcio_unary": echo, "grpc_aio_stream": echo},
        "houses": [
            {"name": "accept", "settings": settings, "phases": accept},
            {
                "name": "end-to-end",
                "settings": settings,
                "phases": end_to_end,
                "verdict": verdict,
                "store_bytes_per_payment": 1_500.0,
            },
        ],
    }
