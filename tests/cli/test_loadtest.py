"""A claim about commands whose code a running daemon does without."""

import argparse

import pytest

from gateway.cli.arguments import _of_loadtest


def test_what_is_not_installed_is_named_with_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    """Where only the daemon is installed, `causeway load` says how to get it, without a traceback."""
    commands = argparse.ArgumentParser(prog="causeway").add_subparsers(dest="command")
    with pytest.raises(SystemExit) as ended:
        _of_loadtest(commands, ["load"], "load", "loadtest.absent", "measure")
    assert ended.value.code == 2
    assert "loadtest.absent is not installed" in capsys.readouterr().err
