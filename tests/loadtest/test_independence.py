"""The oracle shares no code with what it judges."""

import ast
from pathlib import Path

import loadtest.bank


def imported(path: Path) -> set[str]:
    """The top-level packages a module imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return {name.partition(".")[0] for name in names}


def test_the_bank_imports_nothing_of_the_gateway() -> None:
    """Neither the gateway, its adapters nor its TLS library: the two cannot share a mistake."""
    folder = Path(loadtest.bank.__file__).parent
    modules = sorted(folder.glob("**/*.py"))
    assert modules
    for path in modules:
        assert not imported(path) & {"gateway", "adapters", "causeway", "OpenSSL", "lmdb"}, path.name
