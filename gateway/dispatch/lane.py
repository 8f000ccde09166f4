"""One bank's queue on its way out: what is due, in messages, within the bank's limits.

What can go wrong here, and why this shape:

* The same payment taken twice from the outbox. It stays in the outbox until its mark is committed, so the lane keeps
  the ids of what it has read or has under way and leaves them out; and the mark itself names the version it expects,
  so that even a second lane could not mark it again.
* A payment that is read ahead and moves on before it leaves (a cancellation, a bank's word). The lane hears of each
  commit and drops it; should it come too late, the mark refuses it.
* A wake-up lost between looking and waiting. The event is replaced *before* the outbox is read, so a commit that
  comes later finds the new one.
* A bank that hangs. Each message has its own task and a deadline; the lane has a bound on messages in flight; other
  banks have lanes of their own. After failures in a row the breaker stops the lane.
* A shutdown. The lane stops taking; what is in flight may end within the daemon's drain. What is cut off stays
  SENDING in the store and becomes IN_DOUBT at the next start, the same way as after a crash.
"""

from collections.abc import Sequence

import trio

from gateway import limits
from gateway.core.facts import Fact
from gateway.core.payment import Payment, Rail
from gateway.core.states import Kind, State
from gateway.dispatch.breaker import Breaker, BreakerState
from gateway.dispatch.gathering import Gathering
from gateway.house import Bank, House
from gateway.journey import deliver

IDLE_S_MAX = 60.0
"""The lane looks at its outbox at least this often, should ever a wake-up be missing."""


class Lane:
    """The queue of one bank. `run` ends only by cancellation or StoreFailed; `stop` lets it take nothing more."""

    def __init__(self, house: House, bank: Bank) -> None:
        self._house = house
        self._bank = bank
        self._wake = trio.Event()
        self._ended = trio.Event()
        self._running = False
        self._stopping = False
        self._under_way: set[bytes] = set()
        self._messages = 0
        policy = bank.profile.lane
        self._lines_max = min(policy.bulk_lines_max, bank.adapter.declaration.bulk_lines_max)
        self._gathering = Gathering(self._lines_max, int(policy.bulk_wait_s * 1e9))
        self._news = True
        """The outbox may hold something that is not in `_gathering`."""
        self._read_at_ns = 0
        self._due_ns = 0
        """When the next payment becomes due, as far as it was looked up; 0: none does."""
        self._due_after_ns = 0
        """For moments after this one it was looked up; -1: it must be looked up again."""
        self._held_up = False
        """Room, or the breaker, decides when to look again: the end of a message may change it."""
        self._breaker = BreakerState(bank.profile.lane.breaker_failures, bank.profile.lane.breaker_open_s)
        house.store.on_commit(self._told)

    @property
    def breaker(self) -> Breaker:
        return self._breaker.now(trio.current_time())

    def __contains__(self, payment_id: object) -> bool:
        """Whether it has read this payment out of the outbox, or has it under way."""
        return payment_id in self._under_way or payment_id in self._gathering

    def stop(self) -> None:
        """Takes nothing more; what is under way goes on."""
        self._stopping = True
        self._wake.set()

    async def drained(self) -> None:
        """Returns when the lane was stopped and nothing is under way any more; at once where it never ran."""
        if self._running:
            await self._ended.wait()

    async def run(self) -> None:
        await self._house.quarantine.over.wait()  # law 6: nothing is sent before what was sent is found
        self._running = True
        try:
            async with trio.open_nursery() as nursery:
                while not self._stopping:
                    wake = self._wake = trio.Event()
                    # One look may take less than there is room for; each that finds something fills some of the room.
                    while groups := await self._next_messages():
                        for group in groups:
                            self._begin(group)
                            nursery.start_soon(self._deliver, group)
                    with trio.move_on_after(await self._patience_s()) as waited:
                        await wake.wait()
                    if waited.cancelled_caught:  # a back-off has ended, or we look anyway
                        self._news, self._due_after_ns = True, -1
        finally:
            self._ended.set()

    def _told(self, facts: Sequence[Fact]) -> None:
        name, gathering = self._bank.name, self._gathering
        for fact in facts:
            if fact.bank == name:
                gathering.drop(fact.payment_id)  # what it reads of it now is another version, or nothing
                if fact.after is State.QUEUED:
                    self._news = True
                    if fact.kind is not Kind.CLEARED:  # an admission is due at once; of others we know no time
                        self._due_after_ns = -1
        if self._news:
            self._wake.set()

    async def _next_messages(self) -> list[tuple[Payment, ...]]:
        """What may leave now: at most as many messages as the lane and the breaker have room for."""
        room = self._bank.profile.lane.in_flight_max - self._messages
        allowed = self._breaker.allows(trio.current_time())
        room = room if allowed is None else min(room, allowed)
        if room <= 0 or self._stopping:
            return []
        await self._read_ahead(room * self._lines_max)
        return [] if self._stopping else self._gathering.take(self._house.clock.now_ns(), room)

    async def _read_ahead(self, wanted: int) -> None:
        """From the outbox, until so many payments are gathered or there are no more; by pages, because others need
        the event loop too. Never more than one round of what the lane can carry: an instant payment behind it waits
        no longer than that. Where a gathering that is full waits for its time, the instant ones are looked for all the
        same: the outbox has them first."""
        wanted = min(wanted, max(limits.LANE_PAGE_MAX, self._lines_max))
        page = min(self._bank.profile.lane.in_flight_max * self._lines_max, limits.LANE_PAGE_MAX)
        while self._news and len(self._gathering) < wanted:
            self._news = False
            due = await self._due(page)
            self._gathering.add(due)
            self._news = self._news or len(due) == page
        if self._news and self._bank.profile.lane.bulk_wait_s:
            self._gathering.add(one for one in await self._due(page) if one.instruction.rail is Rail.INSTANT)

    async def _due(self, most: int) -> list[Payment]:
        self._read_at_ns = self._house.clock.now_ns()
        return await self._house.store.due(self._bank.name, self._read_at_ns, most, self)

    async def _patience_s(self) -> float:
        """How long to wait for a wake-up before looking again."""
        at_s = trio.current_time()
        blocked = self._breaker.allows(at_s) == 0
        self._held_up = blocked or self._messages >= self._bank.profile.lane.in_flight_max
        if blocked and not self._breaker.trying:
            return self._breaker.opens_in_s(at_s)
        if self._held_up:
            return IDLE_S_MAX  # the end of a message wakes the lane
        now_ns = self._house.clock.now_ns()
        due_ns = await self._next_due_ns()
        self._news = self._news or 0 < due_ns <= now_ns
        soonest_ns = min(filter(None, (due_ns, self._gathering.ready_ns())), default=0)
        return min(max(soonest_ns - now_ns, 0) / 1e9, IDLE_S_MAX) if soonest_ns else IDLE_S_MAX

    async def _next_due_ns(self) -> int:
        """After the last reading, not after now: what became due while there was no room would never be seen. Looked
        up anew only where it may have changed: this is asked each time the lane has nothing to do."""
        known = 0 <= self._due_after_ns <= self._read_at_ns and (not self._due_ns or self._read_at_ns < self._due_ns)
        if not known:
            self._due_after_ns = self._read_at_ns  # before the look: a commit during it makes it unknown again
            self._due_ns = await self._house.store.next_due_ns(self._bank.name, after_ns=self._read_at_ns)
        return self._due_ns

    def _begin(self, group: tuple[Payment, ...]) -> None:
        self._under_way.update(payment.id for payment in group)
        self._messages += 1
        self._breaker.began(trio.current_time())

    async def _deliver(self, group: tuple[Payment, ...]) -> None:
        answered: bool | None = False
        try:
            answered = await deliver(self._house, self._bank, group)
        finally:
            self._under_way.difference_update(payment.id for payment in group)
            self._messages -= 1
            self._news = self._news or not answered  # something of it may be in the outbox still, or again
            self._breaker.ended(answered=answered, at_s=trio.current_time())
            if self._news or self._held_up or len(self._gathering):  # else nothing waits for the room it leaves
                self._wake.set()
