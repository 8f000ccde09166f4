"""Figures in docs/safety.md come from summaries of runs, and from nothing else."""

import json
from pathlib import Path

import pytest

from tests.campaign.figures import CAMPAIGNS, FIGURES, text
from tests.campaign.rotating import Tally
from tests.campaign.rotation import summary
from tests.tidy.generated_docs import render
from tests.tidy.tree import ROOT


def test_what_was_not_run_is_called_so(tmp_path: Path) -> None:
    assert text(tmp_path).count("not run yet") == len(CAMPAIGNS)


def test_a_run_is_told_with_its_command_machine_and_commit(tmp_path: Path) -> None:
    """The rotation campaign's own summary, as it writes it."""
    told = summary([Tally("nginx", rotations=1000, exchanges=20_100, answered=20_000)], [], 1000, 7)
    (tmp_path / "rotation.json").write_text(json.dumps({**told, "machine": "two cores", "commit": "0123456789ab"}))
    [line] = [line for line in text(tmp_path).splitlines() if "rotation" in line]
    assert "seed 7: 1,000 connections replaced under load (nginx), 20,100 exchanges" in line
    assert "20,000 answered, 0 provably not sent and sent again, 0 doubts, 0 processed twice" in line
    assert line.endswith("| `python -m tests.campaign.rotation --rotations 1000 --seed 7` | two cores | 0123456789ab |")


def test_a_summary_of_another_shape_is_shown_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "sim-9.json").write_text(json.dumps({"runs": 12, "deep": {"x": 1}, "commit": "abc"}))
    [line] = [line for line in text(tmp_path).splitlines() if "simulator" in line]
    assert "| runs 12 |" in line
    assert line.endswith("| abc |")


def test_a_broken_summary_is_no_figure(tmp_path: Path) -> None:
    (tmp_path / "disk.json").write_text("[]")
    with pytest.raises(ValueError, match=r"disk\.json"):
        text(tmp_path)


def test_the_document_has_its_place_for_figures() -> None:
    """Writing them changes what is between the markers and nothing else; the table there is not compared, because
    summaries of runs are no part of the tree."""
    now = (ROOT / FIGURES.path).read_text()
    before, _, rest = now.partition("<!-- figures:")
    written = render(FIGURES, now)
    assert written.startswith(before)
    assert written.endswith(rest.partition("<!-- /figures -->")[2])
