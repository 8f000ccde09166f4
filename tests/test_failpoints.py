"""Fail points: off unless two doors are open, in every place that has a name, and nowhere else."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway import failpoints
from gateway.config import ConfigError, read_failpoints
from gateway.config.failpoints import AGREED, VARIABLE
from gateway.failpoints import Act, FailPoint, FailPointReached, Point
from tests.tidy.tree import python_files

START_S_MAX = 20


@pytest.fixture(autouse=True)
def off_again() -> Iterator[None]:
    yield
    failpoints.disarm()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "failpoints.toml"
    file.write_text(
        '[[failpoints]]\nat = "send.marked"\nhit = 2\n\n[[failpoints]]\nat = "commit.filled"\nact = "raise"\n'
    )
    return file


def test_the_switch_and_the_environment_together_arm(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With both, the file's points are read; one act each, at the hit that it names."""
    monkeypatch.setenv(VARIABLE, AGREED)
    assert read_failpoints(file) == (
        FailPoint(Point.SEND_MARKED, 2, Act.KILL),
        FailPoint(Point.COMMIT_FILLED, 1, Act.RAISE),
    )


@pytest.mark.parametrize("said", ["", "1", "true", AGREED.upper()])
def test_the_switch_alone_arms_nothing(file: Path, monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    """An environment that says anything else is no agreement: the start is refused and says what it would take."""
    monkeypatch.setenv(VARIABLE, said)
    with pytest.raises(ConfigError, match="fail points are for tests"):
        read_failpoints(file)


def test_a_daemon_with_the_switch_alone_does_not_start(file: Path) -> None:
    """`serve --failpoints` in a house that did not agree: exit code 2, before the store is touched."""
    conf = Path(__file__).parents[1] / "conf" / "causeway.toml"
    command = [sys.executable, "-m", "gateway", "serve", "--config", str(conf), "--failpoints", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=START_S_MAX)
    assert done.returncode == 2
    assert "fail points are for tests" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_environment_alone_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """No module looks at the environment but the one that reads the file: points stay off."""
    monkeypatch.setenv(VARIABLE, AGREED)
    assert not failpoints.armed
    failpoints.reached(Point.SEND_MARKED)  # returns


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('[[failpoints]]\nat = "lunch"\n', "failpoints[0].at"),
        ('[[failpoints]]\nat = "send.marked"\nhit = 0\n', "failpoints[0].hit"),
        ('[[failpoints]]\nat = "send.marked"\nact = "sleep"\n', "failpoints[0].act"),
        ("failpoints = []\n", "failpoints"),
    ],
)
def test_a_wrong_file_names_what_is_wrong(file: Path, monkeypatch: pytest.MonkeyPatch, text: str, named: str) -> None:
    """File and key, as everywhere in the configuration."""
    monkeypatch.setenv(VARIABLE, AGREED)
    file.write_text(text)
    with pytest.raises(ConfigError, match=re.escape(f"{file}: {named}: ")):
        read_failpoints(file)


def test_it_acts_once_at_its_hit() -> None:
    """The hits before and after pass; other points pass."""
    failpoints.arm([FailPoint(Point.SEND_MARKED, 2, Act.RAISE)])
    failpoints.reached(Point.SEND_MARKED)
    failpoints.reached(Point.SEND_RECORDED)
    with pytest.raises(FailPointReached, match=r"send\.marked, hit 2"):
        failpoints.reached(Point.SEND_MARKED)
    failpoints.reached(Point.SEND_MARKED)


def test_killing_is_kill_9(tmp_path: Path) -> None:
    """The process ends by SIGKILL: no handler, no `finally`. Its log's last line says where."""
    program = (
        "from gateway import failpoints as f\n"
        "f.arm([f.FailPoint(f.Point.COMMIT_DURABLE)])\n"
        "try:\n    f.reached(f.Point.COMMIT_DURABLE)\nfinally:\n    print('still here')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=START_S_MAX)
    assert done.returncode == -9
    assert done.stdout == ""
    assert done.stderr == "fail point commit.durable, hit 1: kill -9 of this process\n"


def _guarded(file: Path) -> Iterator[tuple[str, bool]]:
    """(point, whether it stands under `if failpoints.armed`) of each call of `failpoints.reached` in a file."""
    tree = ast.parse(file.read_text())
    guarded = {
        id(call)
        for test in ast.walk(tree)
        if isinstance(test, ast.If) and "failpoints.armed" in ast.unparse(test.test)
        for call in ast.walk(test)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "failpoints.reached":
            yield ast.unparse(node.args[0]).removeprefix("Point."), id(node) in guarded


def test_every_point_is_somewhere_once_and_costs_a_look_at_a_flag() -> None:
    """A named moment that no code has would be covered by a campaign that covers nothing; an unguarded one would
    cost a call in every payment."""
    found = [each for file in python_files("gateway") for each in _guarded(file)]
    assert sorted(name for name, _ in found) == sorted(point.name for point in Point)
    assert all(guarded for _, guarded in found)
