"""The same seed, the same run, to the bit: the one file that reaches into trio.

What can go wrong: a run that differs from itself. trio runs the tasks of one turn in a random order, so that nobody
comes to rely on one. It has a switch for runs that must be repeatable (`_ALLOW_DETERMINISTIC_SCHEDULING`: it then
sorts each turn's tasks by their age before it shuffles them) and one source for the shuffle (`_r`). Both are private;
Hypothesis's plugin is what they are for. They are set here, for the length of one simulated run, and set back. The
order is thus still random, from one seed to the next, and that is wanted: it is a source of faults like the others.

What else must hold elsewhere: nothing iterates over a set of tasks, events or other things that are ordered by their
address; nobody reads a real clock or `os.urandom`. tests/sim/test_sim.py runs a seed in two processes with different
hash seeds and compares.
"""

import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import trio
from trio._core import _run
from trio.testing import MockClock

T = TypeVar("T")


def stream(seed: int, concern: str) -> random.Random:
    """The random numbers of one concern: drawing more for one of them must not change what the others draw."""
    return random.Random(f"{seed}:{concern}")


def run_seeded(seed: int, act: Callable[[], Awaitable[T]], *, autojump_threshold_s: float = 0.0) -> T:
    """Runs `act` to its end on a fake clock that jumps whenever every task waits."""
    allowed, state = _run._ALLOW_DETERMINISTIC_SCHEDULING, _run._r.getstate()
    _run._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc]
    _run._r.seed(f"{seed}:schedule")
    try:
        return trio.run(act, clock=MockClock(autojump_threshold=autojump_threshold_s))
    finally:
        _run._ALLOW_DETERMINISTIC_SCHEDULING = allowed  # type: ignore[misc]
        _run._r.setstate(state)
