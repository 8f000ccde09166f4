"""docs/errors.md names every reason a client can meet."""

import re

from tests.tidy.errors_reference import reference
from tests.tidy.tree import ROOT


def test_every_violation_of_the_code_is_in_the_reference() -> None:
    """Also those that translating finds, which stand in no table of rules."""
    source = (ROOT / "gateway/ingress/translate.py").read_text()
    found = re.findall(r'Violation\(\s*"instruction\.\w+", "([A-Z_]+)"', source)
    assert found
    written = reference()
    assert [name for name in found if f"| {name} |" not in written] == []


def test_every_error_reason_of_the_proto_is_in_the_reference() -> None:
    """The closed catalogue is there whole."""
    proto = (ROOT / "protos/causeway/v1/error_reason.proto").read_text()
    names = re.findall(r"ERROR_REASON_(\w+) = [1-9]", proto)
    written = reference()
    assert [name for name in names if f"| {name} |" not in written] == []
