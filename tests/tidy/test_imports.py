"""Who imports whom: the contracts of section 5 of the design, and what import-linter cannot say."""

import ast
import subprocess
import sys

from tests.tidy.tree import ROOT, named, python_files

LINT_S_MAX = 120


def test_import_contracts_hold() -> None:
    """The same contracts that `make lint` checks (pyproject.toml, [tool.importlinter])."""
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"
    environment = {"PYTHONPATH": f"{ROOT}:{ROOT / 'protos'}", "PATH": "", "NO_COLOR": "1", "PYTHONUTF8": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=LINT_S_MAX
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


def _imported(tree: ast.AST) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module)
    return found


def test_core_imports_the_standard_library_only() -> None:
    """The domain can be read, tested and reasoned about without any library."""
    strangers = {
        f"{named(file)}: {module}"
        for file in python_files("gateway/core")
        for module in _imported(ast.parse(file.read_text()))
        if module.partition(".")[0] not in sys.stdlib_module_names and not module.startswith("gateway.core")
    }
    assert not strangers


def test_adapters_import_nothing_of_the_house_but_core() -> None:
    """An adapter is pure words: no room of the gateway, no loop, no wire, no store, no telemetry."""
    forbidden = {"trio", "h2", "h11", "lmdb", "grpc", "google", "opentelemetry", "OpenSSL", "socket", "ssl", "loadtest"}
    strangers = {
        f"{named(file)}: {module}"
        for file in python_files("adapters")
        for module in _imported(ast.parse(file.read_text()))
        if module.partition(".")[0] in forbidden
        or (module.split(".")[0] == "gateway" and not f"{module}.".startswith("gateway.core."))
    }
    assert not strangers


def test_nothing_is_done_at_import() -> None:
    """No module of the house starts anything when it is imported: no bare call at its top level but these."""
    allowed = {"logging.getLogger"}
    found = []
    for file in python_files("gateway", "adapters", "loadtest"):
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
                name = ast.unparse(node.value.func)
                if name not in allowed:
                    found.append(f"{named(file)}:{node.lineno} calls {name}")
    assert not found
