"""What one caller costs over all of its connections, and how those that cost too much take turns.

A bound per connection alone is none for whoever opens another one. So connections, calls and frames of no use are also
counted by caller: an opaque name that the server is given, such as the holder of a certificate or an address.

What goes wrong with counting alone: all tasks that are ready run before any socket is looked at again, and an answer
takes its call through about five such turns of the loop. A hostile connection that does a millisecond of work in each
makes everybody wait five of them, long before it has done enough to be ended. So callers under suspicion go through
one gate: a slice of their work, then a pause for everybody else, whatever their number.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import trio

from .abuse import CALLER_SUSPICIOUS_BELOW, AbuseBudget
from .limits import ServerLimits

GATE_SHARE: Final = 0.25
"""Of the core for all callers under suspicion together. Less would keep a decent client waiting that cancels a large
batch; more, and the others would feel it."""
ENDED: Final = 50.0
"""Frames of no use that a connection counts for which had to be ended: it cost its handshake and its state."""
FAILED: Final = 10.0
"""The same for a message that cannot be taken: too large, no gzip, too much unread."""
PAUSE_S_MIN: Final = 0.001  # what trio's clock can tell apart on epoll
PAUSE_S_MAX: Final = 0.1  # however long a slice took: a machine that slept must not keep the gate closed


class Caller:
    """One caller while it is connected, or remembered for what it did.

    connections, calls: open now. `budget` is shared by all its connections and never ends one: it only decides about
    the gate.
    """

    __slots__ = ("budget", "calls", "connections", "name")

    def __init__(self, name: str, limits: ServerLimits, now: float) -> None:
        self.name = name
        self.connections = 0
        self.calls = 0
        self.budget = AbuseBudget(
            limits.caller_burst, limits.caller_refill_per_s, now, suspicious_below=CALLER_SUSPICIOUS_BELOW
        )


class Callers:
    """All callers of one or several servers."""

    def __init__(self, limits: ServerLimits) -> None:
        self._limits = limits
        self._known: dict[str, Caller] = {}  # those who came last are the last
        self._gate = trio.StrictFIFOLock()

    def join(self, name: str) -> Caller | None:
        """One connection more of this caller; None where it has as many as one caller may have."""
        caller = self._known.pop(name, None) or Caller(name, self._limits, trio.current_time())
        self._known[name] = caller
        if caller.connections >= self._limits.max_connections_per_caller:
            caller.budget.spend(trio.current_time(), ENDED)
            return None
        caller.connections += 1
        return caller

    def leave(self, caller: Caller) -> None:
        """One connection less. A caller with none left is remembered while it is under suspicion, or while there is
        room: coming back under the same name must not wash it clean."""
        caller.connections -= 1
        if not caller.connections and not caller.budget.suspicious(trio.current_time()):
            self._known.pop(caller.name, None)
        if len(self._known) > self._limits.max_callers_remembered:
            gone = next((one for one in self._known.values() if not one.connections), None)
            if gone is not None:
                del self._known[gone.name]

    def __len__(self) -> int:
        return len(self._known)

    @asynccontextmanager
    async def gate(self) -> AsyncIterator[None]:
        """One slice of work for a caller under suspicion; the pause after it belongs to all others."""
        async with self._gate:
            began = trio.current_time()
            yield
            took = trio.current_time() - began
            pause = took * (1.0 - GATE_SHARE) / GATE_SHARE
            await trio.sleep(min(max(pause, PAUSE_S_MIN), PAUSE_S_MAX))
