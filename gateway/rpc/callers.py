"""What one caller costs over all of its connections, and how callers share the core.

A bound per connection alone is none for whoever opens another one. So connections, calls, time and frames of no use
are also counted by caller: an opaque name that the server is given, such as the holder of a certificate or an address.

What goes wrong with counting alone: all tasks that are ready run before any socket is looked at again, and an answer
takes its call through about five such turns of the loop. A connection that has a millisecond of work done in each
makes everybody wait five of them, long before it has done enough to be ended. So there are four ways to be handled:

- alone, or with a small share of the core: slice after slice, with a turn for the others after each millisecond;
- with a large share while others call: one slice of all connections of that caller, then GIVE_WAY_TURNS for the others;
- where there is more to do than the core can: one slice of all connections at a time, once there is room for more;
- under suspicion: through one gate for all such callers, where a slice is followed by a pause three times as long, and
  by as many turns.
"""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import trio

from .abuse import CALLER_SUSPICIOUS_BELOW, AbuseBudget
from .limits import ServerLimits

GATE_SHARE: Final = 0.25
"""Of the core for all callers under suspicion together. Less would keep a decent client waiting that cancels a large
batch; more, and the others would feel it."""
LARGE_SHARE: Final = 0.2
"""Of the core. What a caller takes beyond it is remembered until it has made up for it."""
LARGE_S: Final = 0.02
"""So much beyond its share makes a caller one that gives way: a batch of some fifty calls at a stroke does not."""
USED_S_MAX: Final = 0.2
"""So much is remembered at most, and made up for in a second. Less, and whoever comes back after a moment has another
burst free each time."""
ACTIVE_S: Final = 1.0
"""So long after its last frames there is still somebody to give way to."""
CALL_S: Final = 0.0003
"""What the handler of a call takes at least, beside its frames."""
CONNECTION_S: Final = 0.0005
"""What a connection takes before its first frame, and as much behind its last."""
PART_S: Final = 0.0005
"""What a handler takes between two pauses of its own, such as a part of a stream's instructions."""
GIVE_WAY_TURNS: Final = 5
"""Turns of the loop between two slices of a caller that gives way."""
ENDED: Final = 50.0
"""Frames of no use that a connection counts for which had to be ended: it cost its handshake and its state."""
FAILED: Final = 10.0
"""The same for a message that cannot be taken: too large, no gzip, too much unread."""
BOMB: Final = 100.0
"""The same for a compressed message that was inflated in vain: up to ten milliseconds of work."""
CROWD_S_MAX: Final = 0.5
"""Longest without any slice: what is read may also be the end of a call, or a question."""
PAUSE_S_MIN: Final = 0.001  # what trio's clock can tell apart on epoll
PAUSE_S_MAX: Final = 0.1  # however long a slice took: a machine that slept must not keep the gate closed


class Caller:
    """One caller while it is connected, or remembered for what it did.

    connections, calls: open now. `budget` is shared by all its connections and never ends one: it only decides about
    the gate. `turn` is held by the connection whose frames are handled.
    """

    __slots__ = ("_counted_at", "_used_s", "budget", "calls", "connections", "name", "turn")

    def __init__(self, name: str, limits: ServerLimits, now: float) -> None:
        self.name = name
        self.connections = 0
        self.calls = 0
        self.turn = trio.StrictFIFOLock()
        self._used_s = 0.0
        self._counted_at = now
        self.budget = AbuseBudget(
            limits.caller_burst, limits.caller_refill_per_s, now, suspicious_below=CALLER_SUSPICIOUS_BELOW
        )

    def use(self, now: float, seconds: float) -> None:
        """So much of the core went into this caller's frames."""
        self._used_s = min(self._used(now) + seconds, USED_S_MAX)

    def takes_much(self, now: float) -> bool:
        """Whether it has had more than its share."""
        return self._used(now) > LARGE_S

    def _used(self, now: float) -> float:
        made_up = (now - self._counted_at) * LARGE_SHARE
        self._counted_at = now
        self._used_s = max(0.0, self._used_s - made_up)
        return self._used_s


class Callers:
    """All callers of one or several servers."""

    def __init__(self, limits: ServerLimits, worked: Callable[[], float] = time.thread_time) -> None:
        """`worked`: the clock, in seconds, by which slices at the gate are measured. By the wall's, whatever strangers'
        processes took of a slice would keep the gate closed three times as long."""
        self._limits = limits
        self._worked = worked
        self._known: dict[str, Caller] = {}  # those who came last are the last
        self._gate = trio.StrictFIFOLock()
        self._crowd = trio.StrictFIFOLock()
        self._last: Caller | None = None  # that was heard
        self._last_at = self._others_at = float("-inf")  # when it was, and when somebody else was before it

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

    def heard(self, caller: Caller, now: float) -> None:
        """Frames of a caller in good standing are being handled."""
        if caller is not self._last:
            self._last, self._others_at = caller, self._last_at
        self._last_at = now

    def must_give_way(self, caller: Caller, now: float) -> bool:
        """Whether it takes much while others call."""
        return caller.takes_much(now) and not self.alone(caller, now)

    def alone(self, caller: Caller, now: float) -> bool:
        """Whether nobody else in good standing has been heard for a while."""
        others_at = self._others_at if caller is self._last else self._last_at
        return now - others_at >= ACTIVE_S

    async def turn_at_door(self, caller: Caller) -> None:
        """Returns when a connection of this caller may begin, or wind up: five hundred that come or leave together
        must not do so in one turn of the loop."""
        now = trio.current_time()
        if caller.budget.suspicious(now):
            async with self.gate():
                pass
        elif self.must_give_way(caller, now):
            async with self.turn_of(caller):
                pass
        caller.use(now, CONNECTION_S)

    @asynccontextmanager
    async def turn_of(self, caller: Caller) -> AsyncIterator[None]:
        """One slice of work for a caller that takes much; the turns after it belong to all others."""
        async with caller.turn:
            yield
            for _ in range(GIVE_WAY_TURNS):
                await trio.lowlevel.checkpoint()

    @asynccontextmanager
    async def crowd(self, crowded: Callable[[], bool]) -> AsyncIterator[None]:
        """One slice of all connections there are, once there is room for more or after CROWD_S_MAX; connections have it
        in turn, so whoever asks for little waits for little."""
        async with self._crowd:
            for _ in range(round(CROWD_S_MAX / PAUSE_S_MIN)):
                if not crowded():
                    break
                await trio.sleep(PAUSE_S_MIN)
            yield
            await trio.lowlevel.checkpoint()

    @asynccontextmanager
    async def gate(self) -> AsyncIterator[None]:
        """One slice of work for a caller under suspicion; the pause after it belongs to all others."""
        async with self._gate:
            began = self._worked()
            yield
            took = self._worked() - began
            pause = took * (1.0 - GATE_SHARE) / GATE_SHARE
            await trio.sleep(min(max(pause, PAUSE_S_MIN), PAUSE_S_MAX))
            # Where strangers' processes have our core, a pause is over before anybody has had a turn in it.
            for _ in range(GIVE_WAY_TURNS):
                await trio.lowlevel.checkpoint()
