"""Claims about figures in documents: each stands beside its commit, and nothing is invented."""

import argparse
import json
from pathlib import Path

import pytest

from loadtest.command import add_arguments, run
from loadtest.document import BEGIN, END, block
from loadtest.figures import add_figures
from tests.loadtest.results import Result, result

PAGE = f"# Performance\n\nbefore\n\n{BEGIN}\nold\n{END}\n\nafter\n"


def figured(commit: str, speed: float = 1.0) -> Result:
    made = result(speed=speed) | {"commit": commit, "scenario": "canonical"}
    add_figures(made)
    return made


def command(*words: str) -> int:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return run(parser.parse_args(words))


def test_each_figure_names_its_commit_and_its_target() -> None:
    """What was reached, and what was not, both say so; what no result measured says that."""
    lines = block([figured("abc123")])
    [unary] = [line for line in lines if line.startswith("| durable unary accept")]
    assert "≥ 1 x" in unary
    assert "not reached" in unary
    assert "abc123" in unary
    assert any(line.startswith("| soak") and "not measured" in line for line in lines)


def test_of_two_results_the_last_one_counts() -> None:
    """A scenario that was run again replaces what it said before."""
    lines = block([figured("old111"), figured("new222", speed=2.0)])
    targets = [line for line in lines if line.startswith("| durable unary")]
    assert len(targets) == 1
    assert "new222" in targets[0]


def test_only_the_block_is_written(tmp_path: Path) -> None:
    """What people wrote around it stays, also when it is written again."""
    page, file = tmp_path / "performance.md", tmp_path / "result.json"
    page.write_text(PAGE)
    file.write_text(json.dumps(figured("abc123")))
    for _ in range(2):
        assert command("document", str(file), "--into", str(page)) == 0
    text = page.read_text()
    assert text.startswith("# Performance\n\nbefore\n")
    assert text.endswith("\n\nafter\n")
    assert "old" not in text
    assert text.count("durable unary accept") == 1


def test_a_page_without_a_block_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The message says what is missing."""
    page, file = tmp_path / "performance.md", tmp_path / "result.json"
    page.write_text("# Performance\n")
    file.write_text(json.dumps(figured("abc123")))
    assert command("document", str(file), "--into", str(page)) == 2
    assert page.read_text() == "# Performance\n"
    assert BEGIN in capsys.readouterr().err
