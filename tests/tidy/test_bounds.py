"""Law 12: every bound has a name, a unit, a reason, and a test that fills it (`@fills`, tests/fills.py)."""

import ast
import dataclasses
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from gateway.rpc.limits import ServerLimits
from tests.tidy.tree import ROOT, named, python_files

LIMITS: Final = "gateway/limits.py"
BOUND: Final = re.compile(r"_?[A-Z][A-Z0-9_]*_MAX(_[A-Z]+)?")
CLIENTS: Final = ("gateway/cli/", "gateway/demo/", "gateway/config/failpoints.py")
"""What runs beside the daemon: their bounds are patience with it, and hold up nobody else."""


def test_every_bound_has_a_test_that_fills_it() -> None:
    """No bound is only a number."""
    assert not sorted(bounds().keys() - filled().keys())


def test_marks_name_bounds_and_their_files_use_them() -> None:
    """A mark cannot outlive its bound, nor stand on a test in a file that does not even mention the bound."""
    wrong = [
        f"{file}: {bound}"
        for bound, files in filled().items()
        for file in files
        if bound not in bounds() or bound.rpartition(".")[2] not in _identifiers(file)
    ]
    assert not wrong


def test_every_bound_is_used() -> None:
    """A bound that no code looks at bounds nothing: outside its own definition something reads it."""
    unread = [bound for bound, file in bounds().items() if not _read_somewhere(bound.rpartition(".")[2], file)]
    assert not unread


def test_every_bound_says_why() -> None:
    """In the two files of bounds each has its reason beside it, in a comment or in its line of the docstring."""
    assert not [
        bound for bound, file in bounds().items() if file.endswith("/limits.py") and not _explained(bound, file)
    ]


def test_every_cache_has_a_bound() -> None:
    """What is remembered of calls ends at a bound with a name; functools' own default is a number of nobody's."""
    wrong = [
        f"{named(file)}:{node.lineno}"
        for file in python_files("gateway", "adapters")
        if not named(file).startswith(CLIENTS)
        for node in ast.walk(_tree(named(file)))
        if _remembers(node)
    ]
    assert not wrong


def _remembers(node: ast.AST) -> bool:
    """Whether this makes a function's answers remembered without a bound of ours."""
    if isinstance(node, ast.FunctionDef):
        return any(isinstance(one, ast.Name) and one.id in ("cache", "lru_cache") for one in node.decorator_list)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("cache", "lru_cache"):
        given = [*node.args, *(one.value for one in node.keywords if one.arg == "maxsize")]
        return not any(isinstance(one, ast.Name) and BOUND.fullmatch(one.id) for one in given)
    return False


@cache
def bounds() -> dict[str, str]:
    """Bound → its file. A constant that several modules define is named with its module: "lane.IDLE_S_MAX"."""
    found = [(name, file) for file in map(named, python_files("gateway", "adapters")) for name in _defined(file)]
    often = Counter(name for name, _ in found)
    listed = {name if often[name] == 1 else f"{Path(file).stem}.{name}": file for name, file in found}
    return listed | {field.name: "gateway/rpc/limits.py" for field in dataclasses.fields(ServerLimits)}


def _defined(file: str) -> Iterator[str]:
    if file.startswith(CLIENTS):
        return
    for node in _tree(file).body:
        target = node.target if isinstance(node, ast.AnnAssign) else None
        if isinstance(node, ast.Assign):
            target = node.targets[0]
        if isinstance(target, ast.Name) and (file == LIMITS or BOUND.fullmatch(target.id)):
            yield target.id


@cache
def filled() -> dict[str, list[str]]:
    """Bound → files of the tests that are marked with it."""
    found: dict[str, list[str]] = {}
    for file in map(named, python_files("tests")):
        for test in ast.walk(_tree(file)):
            if isinstance(test, ast.FunctionDef | ast.AsyncFunctionDef) and test.name.startswith("test_"):
                for bound in _marks(test):
                    found.setdefault(bound, []).append(file)
    return found


def _marks(test: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    for mark in test.decorator_list:
        if isinstance(mark, ast.Call) and isinstance(mark.func, ast.Name) and mark.func.id == "fills":
            for bound in mark.args:
                assert isinstance(bound, ast.Constant), f"{test.name}: bounds are named in full"
                yield str(bound.value)


@cache
def _identifiers(file: str) -> frozenset[str]:
    """What a file uses by name; strings, and so the marks themselves, are none."""
    found: set[str] = set()
    for node in ast.walk(_tree(file)):
        match node:
            case ast.Name(id=name, ctx=ast.Load()) | ast.Attribute(attr=name) | ast.keyword(arg=str(name)):
                found.add(name)
    return frozenset(found)


def _read_somewhere(name: str, file: str) -> bool:
    return any(name in _identifiers(other) for other in map(named, python_files("gateway", "adapters")))


def _explained(bound: str, file: str) -> bool:
    name, text = bound.rpartition(".")[2], (ROOT / file).read_text()
    return f"\n      {name}: " in text or re.search(rf"^{name}: Final = .*  # \w", text, re.MULTILINE) is not None


@cache
def _tree(file: str) -> ast.Module:
    return ast.parse((ROOT / file).read_text())
