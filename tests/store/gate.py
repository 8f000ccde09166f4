"""Commits that wait: a batch can form behind one, and a test knows when it is there."""

import threading

import trio

from tests.fakes.environment import FailingEnvironment

WAIT_S_MAX = 30.0


class Gate:
    """Commits wait in front of it until it is called."""

    def __init__(self) -> None:
        self._reached, self._opened = threading.Event(), threading.Event()

    def wait(self) -> None:
        self._reached.set()
        assert self._opened.wait(WAIT_S_MAX), "never released"

    def __call__(self) -> None:
        self._opened.set()

    async def reached(self) -> None:
        """Returns when a commit waits."""
        assert await trio.to_thread.run_sync(self._reached.wait, WAIT_S_MAX)


def hold_commits(env: FailingEnvironment) -> Gate:
    gate = Gate()
    env.before_commit = gate.wait
    return gate
