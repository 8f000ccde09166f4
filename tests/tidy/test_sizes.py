"""Functions and files stay small enough to be read at one sitting."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.tidy.tree import named, python_files

FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 400
HOUSES = ("gateway", "adapters", "loadtest", "tests")


def functions(file: Path) -> Iterator[tuple[str, int]]:
    """(name, lines) of every function in a file, decorators included."""
    for node in ast.walk(ast.parse(file.read_text(), str(file))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            yield node.name, (node.end_lineno or first) - first + 1


def test_no_function_is_longer_than_70_lines() -> None:
    """A function that does not fit a screen hides something."""
    long = [
        f"{named(file)}: {name} has {lines}"
        for file in python_files(*HOUSES)
        for name, lines in functions(file)
        if lines > FUNCTION_LINES_MAX
    ]
    assert not long


def test_no_file_is_longer_than_400_lines() -> None:
    """Generated code aside."""
    lengths = {named(file): len(file.read_text().splitlines()) for file in python_files(*HOUSES)}
    assert not {name: lines for name, lines in lengths.items() if lines > FILE_LINES_MAX}
