"""From phases to figures, from figures to what people read."""

import argparse
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from loadtest import compare, report, svg
from loadtest.command import add_arguments, run
from loadtest.figures import add_figures
from loadtest.targets import TARGETS, headline, table
from tests.loadtest.results import Result, result

KEYS = (
    "accept_unary_per_s",
    "accept_unary_ratio",
    "accept_stream_per_s",
    "accept_stream_ratio",
    "e2e_per_s",
    "e2e_p99_ms",
    "e2e_cpu_us",
    "bulk_per_s",
    "bulk_cpu_us",
    "lost",
    "double",
    "baseline_grpcio_unary_per_s",
    "baseline_grpc_aio_stream_per_s",
)


def figured(**about: float | int) -> Result:
    made = result(**about)  # type: ignore[arg-type]
    add_figures(made)
    return made


def test_a_result_has_the_agreed_keys() -> None:
    """Others read result.json by these names; a scenario without such a phase says null, not nothing."""
    made = figured()
    assert not [key for key in KEYS if key not in made]
    assert made["bulk_per_s"] is None
    assert made["accept_unary_ratio"] == 0.5
    assert made["accept_unary_cpu_ratio"] == 0.5
    assert made["e2e_p99_ms"] == 9.0


def test_normalised_figures_take_the_cores_speed_out() -> None:
    """The same work on a core 1.7 times as slow has other rates and the same normalised ones."""
    fast, slow = figured(), figured(speed=1 / 1.7, probe_us=1_700.0)
    assert fast["e2e_per_s"] == pytest.approx(slow["e2e_per_s"] * 1.7)
    for key, value in fast["normalised"].items():
        assert slow["normalised"][key] == pytest.approx(value)


def test_two_numbers_come_first_and_every_target_has_a_line() -> None:
    """Payments per second, then p99; what a run did not measure is said with the scenario that does."""
    made = figured()
    assert headline(made) == ["500 payments/s end to end", "9.0 ms p99"]
    lines = table(made)
    for target in TARGETS:
        assert any(line.startswith(target.what) for line in lines)
    assert any("not in run" in line and "(overload)" in line for line in lines)


@pytest.mark.parametrize(("key", "value", "reached"), [("e2e_per_s", 2_000, True), ("e2e_cpu_us", 351, False)])
def test_a_target_is_met_from_its_value_on(key: str, value: float, reached: bool) -> None:
    """At least for rates, at most for costs; the value itself counts as met."""
    target = next(target for target in TARGETS if target.key == key)
    assert target.reached({key: value}) is reached
    assert target.reached({key: None}) is None


def test_compare_calls_noise_what_the_machine_explains() -> None:
    """A core that ran slower is no change of the code; a real change is one, in the right direction."""
    same = {
        change.key: change.verdict for change in compare.changes(figured(), figured(speed=0.6, probe_us=1_000 / 0.6))
    }
    assert same["e2e_per_s"] in ("same", "noise")
    changed = {change.key: change.verdict for change in compare.changes(figured(), figured(speed=1.5))}
    assert changed["e2e_per_s"] == "better"
    assert changed["e2e_cpu_us"] == "better"
    assert changed["baseline_grpcio_unary_per_s"] == "changed"
    worse = {change.key: change.verdict for change in compare.changes(figured(speed=1.5), figured())}
    assert worse["e2e_cpu_us"] == "worse"


def test_money_lost_is_never_noise() -> None:
    """One payment lost or paid twice, where there was none."""
    found = {change.key: change.verdict for change in compare.changes(figured(), figured(lost=1, double=2))}
    assert found["lost"] == found["double"] == "worse"


def test_the_report_is_one_page_that_needs_nothing_else() -> None:
    """No script, no link to elsewhere; the plots are well-formed SVG; what comes from a file is escaped."""
    page = report.page(figured())
    assert "<script" not in page
    assert "href=" not in page
    assert "A &lt;small&gt; result." in page
    drawings = page.split("<svg")[1:]
    assert len(drawings) >= 4
    for drawing in drawings:
        ElementTree.fromstring("<svg" + drawing.split("</svg>")[0] + "</svg>")


def test_a_chart_of_nothing_is_nothing() -> None:
    """And one value is still a chart: axes begin at zero."""
    assert svg.chart("empty", "s", "n", [svg.Line("a", [])]) == ""
    assert "<polyline" in svg.chart("zero", "s", "n", [svg.Line("a", [(0.0, 0.0)])])


def test_compare_and_report_read_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`causeway load compare A.json B.json`; what is no result is refused with exit code 2 and a sentence."""
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    good, bad = tmp_path / "a.json", tmp_path / "b.json"
    good.write_text(json.dumps(figured()))
    bad.write_text("[]")
    assert run(parser.parse_args(["compare", str(good), str(good)])) == 0
    assert "e2e_per_s" in capsys.readouterr().out
    assert run(parser.parse_args(["compare", str(good), str(bad)])) == 2
    assert "no result of a load run" in capsys.readouterr().err
    assert run(parser.parse_args(["report", str(good)])) == 0
    assert capsys.readouterr().out.startswith("<!doctype html>")
    assert run(parser.parse_args(["run", "nothing-of-the-kind"])) == 2
    assert "canonical" in capsys.readouterr().err
