"""Where the schemas and samples are that nobody on this project wrote; read in place, never copied."""

import os
from functools import cache
from pathlib import Path

import pytest
from lxml import etree

_BESIDE = Path(__file__).resolve().parents[3] / "shared" / "data"
DATA = Path(os.environ.get("CAUSEWAY_TEST_DATA") or _BESIDE)


def needed(relative: str) -> Path:
    """The file or folder; the test is skipped, with the reason, where it is not there."""
    path = DATA / relative
    if not path.exists():
        pytest.skip(f"test data {relative} not found (set CAUSEWAY_TEST_DATA)")
    return path


@cache
def _schema(path: Path) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(str(path)))


def schema(relative: str) -> etree.XMLSchema:
    return _schema(needed(f"iso20022/{relative}"))


def samples() -> list[Path]:
    """Every sample file that holds a pain.002; none where the data is absent."""
    folder = DATA / "samples"
    found = sorted(folder.rglob("*.xml")) if folder.is_dir() else []
    return [path for path in found if b"CstmrPmtStsRpt" in path.read_bytes()]
