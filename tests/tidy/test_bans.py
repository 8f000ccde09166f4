"""What may not be written, each with what to write instead. Code is read as syntax: a comment may say `mock`."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.tidy.tree import ROOT, named, python_files


@dataclass(frozen=True)
class Ban:
    """`wrong` is a dotted name: imported, called or read as an attribute, anywhere in `folders` but in `but`."""

    wrong: str
    instead: str
    folders: tuple[str, ...] = ("gateway", "adapters", "loadtest", "tests")
    but: str = ""


TESTS = ("tests",)
BANS = (
    Ban("unittest.mock", "a fake in tests/fakes that keeps the promises of what it stands for"),
    Ban("mock", "a fake in tests/fakes that keeps the promises of what it stands for"),
    Ban("pytest_mock", "a fake in tests/fakes"),
    Ban("monkeypatch.setattr", "pass the collaborator in; monkeypatch.setenv and delenv are fine", TESTS),
    Ban("monkeypatch.setitem", "pass the collaborator in", TESTS),
    Ban("time.sleep", "await what is waited for: an event, a line on a pipe, the fake clock", TESTS),
    # A bare grpc.aio server is one of the baselines: there asyncio is what is measured.
    Ban("asyncio", "trio", ("gateway", "adapters", "loadtest"), but="loadtest/baselines/echo_aio.py"),
    Ban("threading.Thread.setDaemon", "daemon=True"),
    Ban("pickle", "protobuf records, which another version can read"),
    Ban("eval", "a parser"),
    Ban("exec", "a function"),
    Ban("os.system", "subprocess.run with a list"),
)
SLEEPS = ("trio.sleep", "trio.sleep_until")
"""trio.sleep is allowed in tests only under trio's fake clock: see the test below."""


def dotted(node: ast.AST) -> str:
    """`a.b.c` of an attribute or name, else ""."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (head := dotted(node.value)):
        return f"{head}.{node.attr}"
    return ""


def uses(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of all that a module imports, calls or reads; aliases stand for what they name."""
    alias: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield node.lineno, name.name
                if name.asname:
                    alias[name.asname] = name.name
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.lineno, node.module
            for name in node.names:
                yield node.lineno, f"{node.module}.{name.name}"
                alias[name.asname or name.name] = f"{node.module}.{name.name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name) and (text := dotted(node)):
            head, dot, rest = text.partition(".")
            yield node.lineno, alias.get(head, head) + dot + rest


def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(), str(file))


@pytest.mark.parametrize("ban", BANS, ids=lambda ban: ban.wrong)
def test_nothing_banned_is_used(ban: Ban) -> None:
    """Every ban names its replacement; the message shows it."""
    found = {
        f"{named(file)}:{line} uses {ban.wrong}; use {ban.instead}"
        for file in python_files(*ban.folders)
        if named(file) != ban.but
        for line, name in uses(_tree(file))
        if name == ban.wrong or (name.startswith(f"{ban.wrong}.") and "." in ban.wrong) or name == f"{ban.wrong}."
    }
    assert not found


def _seconds_slept(call: ast.Call) -> float | None:
    """The literal argument of a sleep; None where it is computed."""
    argument = call.args[0] if call.args else None
    if isinstance(argument, ast.Constant) and isinstance(argument.value, int | float):
        return float(argument.value)
    return None


def real_sleeps(file: Path) -> Iterator[int]:
    """Lines where a test waits on the wall clock: trio.sleep in a file that uses no fake clock.

    Allowed: sleep(0), which only lets others run; a file that uses trio's MockClock (`autojump_clock`, `mock_clock`).
    Fakes and services are not looked at (only test_*.py and conftest.py are): a peer may be slow because a test wants
    a slow peer, but a test may not wait by sleeping.
    """
    text = file.read_text()
    if "autojump_clock" in text or "mock_clock" in text or "MockClock" in text:
        return
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.Call) and dotted(node.func) in SLEEPS and _seconds_slept(node) != 0:
            yield node.lineno


def test_tests_do_not_sleep_on_the_wall_clock() -> None:
    """A test that sleeps is slow on a fast machine and fails on a slow one."""
    found = [f"{named(file)}:{line}" for file in _tests() for line in real_sleeps(file)]
    assert not found, "await an event instead, or let the fake clock jump"


def unexplained_skips(file: Path) -> Iterator[int]:
    """Lines where a test is skipped without a word: skip() and mark.skip need a reason, skipif a `reason=`."""
    for node in ast.walk(_tree(file)):
        if not isinstance(node, ast.Call):
            continue
        name, named_reason = dotted(node.func), any(keyword.arg == "reason" for keyword in node.keywords)
        told = named_reason or (bool(node.args) and not name.endswith("skipif"))
        if name in ("pytest.skip", "pytest.mark.skip", "pytest.mark.skipif") and not told:
            yield node.lineno


def test_skips_say_why() -> None:
    """A skipped test tells the reader what is missing and how to get it (pytest -ra prints it, with the number)."""
    assert not [f"{named(file)}:{line}" for file in python_files("tests") for line in unexplained_skips(file)]


def _tests() -> list[Path]:
    return [file for file in python_files("tests") if file.name.startswith("test_") or file.name == "conftest.py"]


WORDS = {
    r"\butils?\b|\bhelpers?\b|\bcommon\b|\bmanagers?\b": "a file is named after a noun of the domain",
}


def test_files_are_named_after_something() -> None:
    """No utils, helpers, common or manager: such a file has no owner."""
    bad = [
        f"{named(file)}: {instead}"
        for file in python_files("gateway", "adapters", "loadtest", "tests")
        for pattern, instead in WORDS.items()
        if re.search(pattern, file.stem.replace("_", " "))
    ]
    assert not bad


BANNED_IN_PROSE = {
    r"exactly once at the bank": "at most one send per key unless evidence clears a resend, every doubt visible",
    r"\bguaranteed delivery\b": "what is promised in the README",
    r"\bblacklist\b": "deny list",
    r"\bwhitelist\b": "allow list",
    r"\bTODO\b|\bFIXME\b|\bXXX\b": "an issue",
    r"\bsimply\b|\bobviously\b": "nothing: it is not",
}
QUOTED = ("never “exactly once at the bank”", 'never "exactly once at the bank"')


def test_prose_and_comments_keep_to_our_words() -> None:
    """Documents, docstrings and comments promise what can be promised, in words that do not lie."""
    files = [*python_files("gateway", "adapters", "loadtest"), *_documents()]
    found = []
    for file in files:
        text = file.read_text()
        for quote in QUOTED:
            text = text.replace(quote, "")
        for pattern, instead in BANNED_IN_PROSE.items():
            found += [f"{named(file)}: {hit[0]!r}; say: {instead}" for hit in re.finditer(pattern, text)]
    assert not found


def _documents() -> list[Path]:
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "adapters").rglob("*.md")])


def test_the_bans_bite(tmp_path: Path) -> None:
    """The checks above would find what they are for: an alias, an attribute, a real sleep."""
    file = tmp_path / "sample.py"
    file.write_text(
        "from unittest import mock as m\nimport time as t\nt.sleep(1)\nimport trio\nawait_ = trio.sleep(1)\n"
    )
    names = {name for _, name in uses(_tree(file))}
    assert {"unittest.mock", "time.sleep"} <= names
    assert list(real_sleeps(file)) == [5]
