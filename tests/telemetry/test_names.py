"""The allow-list is whole, consistent, and kept by everybody in the house."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.core.payment import text_id
from gateway.core.reasons import Reason
from gateway.core.states import State
from gateway.telemetry import logs, names, reference

ROOT = Path(__file__).parents[2]
KINDS = {"span": "span", "count": "counter", "observe": "histogram", "gauge": "gauge"}
ACTS = ("debug", "info", "warning", "error", "critical", "exception")


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Every method call in the house, with its place."""
    for file in sorted((ROOT / "gateway").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                yield f"{file.relative_to(ROOT)}:{node.lineno}", node


def test_trails_callers_use_known_names() -> None:
    """Every span, counter, histogram and gauge in the code is in the list, with attributes that it may have."""
    wrong = []
    for place, call in calls():
        assert isinstance(call.func, ast.Attribute)
        name = call.args[0] if call.args else None
        if call.func.attr not in KINDS or not isinstance(name, ast.Attribute) or ast.unparse(name.value) != "names":
            continue
        said = getattr(names, name.attr, None)
        given = {keyword.arg for keyword in call.keywords if keyword.arg} - {"parent", "links", "n", "value"}
        if call.func.attr == "span":
            known, allowed = said in names.SPANS, set(names.ATTRIBUTES)
        else:
            metric = names.METRICS.get(str(said))
            known = metric is not None and metric.kind == KINDS[call.func.attr]
            allowed = set(metric.attributes) if metric else set()
        if not known or not given <= allowed:
            wrong.append(f"{place}: {ast.unparse(call)[:100]}")
    assert wrong == []


def test_logs_callers_say_literals_and_known_fields() -> None:
    """Messages are literals without texts put in, and extra fields are in the list: what is not would be lost."""
    wrong = []
    for place, call in calls():
        assert isinstance(call.func, ast.Attribute)
        if ast.unparse(call.func.value) not in ("logger", "log") or call.func.attr not in ACTS:
            continue
        literal = call.args and isinstance(call.args[0], ast.Constant)
        extra = next((keyword.value for keyword in call.keywords if keyword.arg == "extra"), None)
        fields = (
            [key.value for key in extra.keys if isinstance(key, ast.Constant)] if isinstance(extra, ast.Dict) else []
        )
        unknown = [field for field in fields if field not in names.ATTRIBUTES and field not in logs.LOG_FIELDS]
        if not literal or unknown:
            wrong.append(f"{place}: {unknown or 'no literal'}")
    assert wrong == []


def test_written_reference_is_fresh() -> None:
    """docs/telemetry.md is what the code says; `make docs` writes it anew."""
    assert (ROOT / "docs/telemetry.md").read_text() == reference.reference()


def test_names_are_in_their_registries() -> None:
    """Each constant that looks like a name is registered, and what is registered has a unit and a meaning."""
    constants = {value for value in vars(names).values() if isinstance(value, str) and value.startswith("causeway.")}
    assert constants - {names.KEPT} <= set(names.SPANS) | set(names.METRICS)
    for metric in names.METRICS.values():
        assert metric.kind in KINDS.values()
        assert metric.unit
        assert metric.meaning
        assert bool(metric.bounds) == (metric.kind == "histogram")
        assert metric.bounds == tuple(sorted(metric.bounds))
        assert set(metric.attributes) <= set(names.ATTRIBUTES)
    for span in names.SPANS.values():
        assert span.kind in ("internal", "server", "client", "producer", "consumer")
        assert span.titled_by in ("", *names.ATTRIBUTES)


@pytest.mark.parametrize(
    ("python", "value"),
    [
        *(("state", state.value) for state in State),
        *(("reason", reason.value) for reason in Reason),
        ("bank", "northbank"),
        ("payment", text_id(bytes(range(16)))),
        ("attempt", 3),
        ("replay", True),
        ("method", "causeway.v1.PaymentService/SubmitPayment"),
        ("method", "grpc.health.v1.Health/Check"),
        ("status", "RESOURCE_EXHAUSTED"),
    ],
)
def test_right_values_pass(python: str, value: names.Value) -> None:
    """What the house says of itself is let through unchanged."""
    assert names.let_through(names.ATTRIBUTES[python], value) == value


@pytest.mark.parametrize("python", sorted(names.ATTRIBUTES))
@pytest.mark.parametrize("value", ["DE89370400440532013000", "de89370400440532013000", "Maria Vogelsang", "", "a\nb"])
def test_no_attribute_lets_an_account_or_a_name_through(python: str, value: str) -> None:
    """No attribute at all has room for an account number or a person."""
    assert names.let_through(names.ATTRIBUTES[python], value) == names.WITHHELD


def test_every_registry_example_iban_is_recognised() -> None:
    """Account numbers of every shape are found in running text, in print and in paper form."""
    for iban in ("NO9386011117947", "MT84MALT011000012345MTLCAST001S", "LC55HEMM000100010012001200023015"):
        paper = " ".join(re.findall(".{1,4}", iban))
        for form in (iban, paper, iban.lower()):
            assert names.IBAN_LIKE.sub("#", f"to {form}.") == "to #.", form
