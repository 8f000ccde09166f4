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

UNFILLED: Final = frozenset(
    (
        "ANSWERS_BYTES_MAX",  # gateway/connector/http2_wire.py
        "CONTROL_BYTES_MAX",  # gateway/connector/session.py
        "GOODBYE_S_MAX",  # gateway/connector/session.py
        "GROWTHS_MAX",  # gateway/store/writer.py
        "MAP_BYTES_MAX",  # gateway/store/store.py
        "READERS_MAX",  # gateway/store/environment.py
        "REASONS_MAX",  # adapters/iso20022/reader.py
        "RESIZES_MAX",  # gateway/store/backup.py
        "RETAKES_MAX",  # gateway/status/inquiries.py
        "STREAM_ID_MAX",  # gateway/connector/http2_wire.py
        "TEXT_CHARS_MAX",  # adapters/iso20022/reader.py
        "UNSENT_BYTES_MAX",  # gateway/net/tls_stream.py
        "_DECIMALS_MAX",  # adapters/iso20022/elements.py
        "elements._DIGITS_MAX",  # adapters/iso20022/elements.py
        "http1_wire.IDLE_S_MAX",  # gateway/connector/http1_wire.py
        "inquiries.IDLE_S_MAX",  # gateway/status/inquiries.py
        "lane.IDLE_S_MAX",  # gateway/dispatch/lane.py
        "payments.LINKS_MAX",  # gateway/ingress/payments.py
        "prepare._DIGITS_MAX",  # gateway/intake/prepare.py
        "ANSWERS_MAX",
        "BLOCKS_KEPT_MAX",
        "BLOCK_BYTES_KEPT_MAX",
        "DEFLATE_RATIO_MAX",
        "FACTS_MAX",
        "FIELDS_KEPT_MAX",
        "LEFT_NAMED_MAX",
        "METHODS_KEPT_MAX",
        "NAME_BYTES_KEPT_MAX",
        "PAUSE_S_MAX",
        "REMAINS_MAX",
        "caller_burst",
        "caller_refill_per_s",
        "exchange.NAMES_KEPT_MAX",
        "literal_hpack.NAMES_KEPT_MAX",
        "max_callers_remembered",
        "max_calls_per_caller",
        "max_connections_per_caller",
    )
)
"""Bounds that no test fills yet. Only ever shorter: a name that has its test by now must go."""


def test_every_bound_has_a_test_that_fills_it() -> None:
    """No bound is only a number, but for the gaps named here."""
    assert sorted(bounds().keys() - filled().keys()) == sorted(UNFILLED)


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
