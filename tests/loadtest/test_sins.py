"""When a sin strikes: conditions, counters, order, and what a wrong sin is told."""

import json
from pathlib import Path

import pytest

from loadtest.bank import sins
from loadtest.bank.config import SINS_MAX
from loadtest.bank.sins import KINDS, Sin, UnknownSin, choose, from_json

ONE = [("E-1", "R-1")]


def strikes(sin: Sin, count: int) -> list[int]:
    """Which of `count` equal requests (from 1) the sin strikes."""
    return [number for number in range(1, count + 1) if sin.strikes("payments", ONE)]


def test_times_and_nth() -> None:
    """`times` ends a sin after so many strikes, `nth` picks one request."""
    assert strikes(Sin("silent"), 3) == [1, 2, 3]
    assert strikes(Sin("silent", times=2), 5) == [1, 2]
    assert strikes(Sin("silent", nth=3), 5) == [3]


def test_nth_counts_what_meets_the_other_conditions() -> None:
    """The second request *for R-2* is struck, however many others come between."""
    sin = Sin("silent", reference="R-2", nth=2)
    requests = ["R-1", "R-2", "R-1", "R-2", "R-2"]
    assert [sin.strikes("payments", [("E", reference)]) for reference in requests] == [
        False,
        False,
        False,
        True,
        False,
    ]


def test_probability_is_repeatable() -> None:
    """The same seed strikes the same requests; another seed others; about as many as asked."""
    first = strikes(Sin("silent", probability=0.3, seed=7), 1000)
    assert first == strikes(Sin("silent", probability=0.3, seed=7), 1000)
    assert first != strikes(Sin("silent", probability=0.3, seed=8), 1000)
    assert 250 < len(first) < 350
    assert strikes(Sin("silent", probability=0), 100) == []


def test_patterns() -> None:
    """Patterns are shell patterns, both must fit one and the same transfer of the message."""
    sin = Sin("silent", end_to_end_id="DOUBT-*", reference="R-?")
    assert sin.strikes("payments", [("OTHER", "X"), ("DOUBT-1", "R-1")])
    assert not sin.strikes("payments", [("DOUBT-1", "X"), ("OTHER", "R-1")])


def test_operations() -> None:
    """A sin strikes payments unless told otherwise; `any` strikes all."""
    assert not Sin("silent").strikes("status", ONE)
    assert Sin("silent", operation="status").strikes("status", ONE)
    assert Sin("silent", operation="any").strikes("reports", [])


def test_order() -> None:
    """Sins before the booking come first; one that ends the request keeps later ones from counting it."""
    late, dropped, unreached = Sin("drop_reply"), Sin("delay", when="before"), Sin("silent", when="after")
    struck = choose([late, dropped, unreached], "payments", ONE)
    assert (struck.before, struck.after) == ((dropped,), (late,))
    assert unreached.seen == 0
    refusing = Sin("drop_request")
    struck = choose([late, refusing], "payments", ONE)
    assert (struck.before, struck.after) == ((refusing,), ())
    assert late.acted == 1


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_survives_json(kind: str) -> None:
    """What GET /sins shows can be put back with PUT /sins."""
    shown = Sin(kind, end_to_end_id="A*", times=2).as_json()
    (again,) = from_json(json.loads(json.dumps({"sins": [shown]})))
    assert again.as_json() == shown


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("drop_reply", "a list"),
        ([{"times": 1}], "kind: missing"),
        ([{"kind": "theft"}], "kind: one of drop_reply"),
        ([{"kind": "delay", "secondz": 1}], "secondz: unknown"),
        ([{"kind": "drop_reply", "when": "before"}], "when: drop_reply acts after"),
        ([{"kind": "delay", "seconds": -1}], "seconds: a number from 0"),
        ([{"kind": "delay", "seconds": "1"}], "seconds: a number"),
        ([{"kind": "truncate", "close": "softly"}], "close: one of fin"),
        ([{"kind": "silent", "end_to_end_id": 5}], "end_to_end_id: a text"),
        ([{"kind": "lie", "says": "NOTFOUND"}], "set operation to status"),
        ([{"kind": "status", "code": 200}], "code: a number from 400 to 599"),
        ([{"kind": "silent", "seed": "x"}], "seed: a whole number"),
        ([{"kind": "silent"}] * (SINS_MAX + 1), f"at most {SINS_MAX}"),
    ],
)
def test_a_wrong_sin_is_told_what_is_allowed(value: object, complaint: str) -> None:
    """Every complaint names the key and what is allowed."""
    with pytest.raises(UnknownSin, match=complaint):
        from_json(value)


def test_the_readme_tells_of_every_sin() -> None:
    """Each kind has its row, with the phases in the order of their defaults."""
    text = Path(sins.__file__).with_name("README.md").read_text()
    for kind, about in KINDS.items():
        assert f"| `{kind}` | {', '.join(about.when)} |" in text
