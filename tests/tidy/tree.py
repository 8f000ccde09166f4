"""What lies in the tree: the files that the tidy tests look at."""

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

FOLDERS = ("gateway", "protos", "adapters", "conf", "tests", "loadtest", "docs", ".ci")
TOP_LEVEL = frozenset((*FOLDERS, "pyproject.toml", "Dockerfile", "README.md", "Makefile", "CHANGELOG.md"))
"""Exactly these, beside what git itself needs."""

GENERATED = ("_pb2.py", "_pb2_grpc.py", "_pb2.pyi")


def python_files(*folders: str) -> Iterator[Path]:
    """Hand-written Python files below `folders` of the repository."""
    for folder in folders:
        for file in sorted((ROOT / folder).rglob("*.py")):
            if (
                "__pycache__" not in file.parts
                and "node_modules" not in file.parts
                and not file.name.endswith(GENERATED)
            ):
                yield file


def named(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()
