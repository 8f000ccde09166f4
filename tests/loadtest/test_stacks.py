"""Claims about a profile told as shares of rooms."""

import pytest

from loadtest.stacks import NoStacks, shares, table

LOOP = "run (gateway/daemon.py:1);step (trio/_core/_run.py:2);"
WRITER = "run (threading.py:1);Writer._t_run (gateway/store/writer.py:3);"
SAMPLES = [
    f"{LOOP}accept (gateway/journey.py:4);prepare (gateway/intake/prepare.py:5);sub (re.py:6) 30\n",
    f"{LOOP}exchange (gateway/connector/pool.py:7);send (gateway/net/http2.py:8) 20\n",
    f"{LOOP}compose (site-packages/adapters/iso20022/compose.py:9) 10\n",
    f"{WRITER}admit (gateway/store/transaction.py:10) 39\n",
    "start (threading.py:11) 1\n",
]


def test_a_sample_is_its_innermost_rooms() -> None:
    """What a library does for a room is that room's, and the writer's thread is told apart from the loop."""
    found = shares(SAMPLES)
    assert found == {
        ("writer", "store"): 0.39,
        ("event loop", "intake"): 0.3,
        ("event loop", "net"): 0.2,
        ("event loop", "adapters"): 0.1,
        ("event loop", "libraries, outside of any room"): 0.01,
    }
    assert "| writer | store | 39.0% | 156 |" in table(found, 400.0)


@pytest.mark.parametrize("lines", [[], ["no stack\n"], ["{\n"]])
def test_what_is_no_profile_says_so(lines: list[str]) -> None:
    """Nothing is made up from a file of another kind."""
    with pytest.raises(NoStacks):
        shares(lines)
