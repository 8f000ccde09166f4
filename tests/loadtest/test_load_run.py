"""A whole run, small: real daemon, real bank, real generator, the ledger at the end."""

import argparse
import json
from pathlib import Path

from loadtest.command import add_arguments, run
from loadtest.figures import Result

TINY = """\
summary = "Two hundred payments."

[[house]]
name = "end-to-end"
bank_p50_ms = 5.0
bank_p99_ms = 20.0
bank_fault_rate = 0.03

[[house.phase]]
name = "e2e"
call = "stream"
in_flight = 50
count = 150
connections = 2
seconds = 20.0
warmup_s = 0.0
watchers = 1
lists_per_s = 5.0
to = "accepted"

[[house.phase]]
name = "e2e_steady"
listener = "tls"
rate = 50
seconds = 1.0
warmup_s = 0.0
to = "accepted"
"""


def measured(folder: Path) -> tuple[int, Result]:
    """Exit code and result of the scenario above."""
    file = folder / "tiny.toml"
    file.write_text(TINY)
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    code = run(parser.parse_args(["run", str(file), "--out", str(folder / "out")]))
    return code, json.loads((folder / "out" / "tiny.json").read_text())


def test_a_run_counts_every_payment_and_loses_none(tmp_path: Path) -> None:
    """Over a bank that refuses and breaks off one request in thirty: each acknowledged payment is booked once, and
    those in doubt are waited for."""
    code, result = measured(tmp_path)
    assert code == 0
    assert (result["lost"], result["double"], result["unsettled"]) == (0, 0, 0)
    verdict = result["houses"][0]["verdict"]
    assert verdict["acknowledged"] == verdict["booked"] > 150
    burst, steady = result["houses"][0]["phases"]
    assert burst["e2e"]["whole_count"] == 150
    assert burst["cpu_us"]["gateway"] > 0
    assert burst["onlookers"]["facts"] > 150
    assert steady["e2e"]["latency_ms"]["p50"] >= steady["acks"]["latency_ms"]["p50"]
    assert result["machine"]["versions"]["trio"]
    assert (tmp_path / "out" / "tiny.html").read_text().startswith("<!doctype html>")
