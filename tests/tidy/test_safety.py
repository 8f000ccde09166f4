"""docs/safety.md says how each law is tested: every law has its line, and each file that it names holds tests."""

import re

import pytest

from tests.tidy.tree import ROOT

SAFETY = (ROOT / "docs" / "safety.md").read_text()
LAWS = dict(re.findall(r"^\| (\d+) \| [^|]+ \| ([^|]+) \|$", SAFETY, re.MULTILINE))


def test_every_law_has_its_line() -> None:
    """The twelve laws, in order."""
    assert list(LAWS) == [str(number) for number in range(1, 13)]


@pytest.mark.parametrize("law", LAWS)
def test_what_tests_a_law_exists_and_tests(law: str) -> None:
    files = re.findall(r"tests/[\w/]+\.py", LAWS[law])
    assert files
    for file in files:
        assert re.search(r"^(async )?def test_", (ROOT / file).read_text(), re.MULTILINE), f"{file} tests nothing"
