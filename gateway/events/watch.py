"""One watcher's view of the feed: its tenant's facts, those it asked for, and a sign of life where there are none."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Final

import trio

from gateway.core.facts import Fact
from gateway.core.states import State
from gateway.events.feed import Feed

HEARTBEAT_S: Final = 10.0
"""Longest silence towards a watcher, give or take one page: below the idle limits of common proxies (60 s)."""


async def watch(
    feed: Feed,
    tenant: str,
    after: int,
    *,
    payment_ids: frozenset[bytes],
    states: frozenset[State],
    bank: str,
    heartbeat_s: float = HEARTBEAT_S,
) -> AsyncGenerator[tuple[Sequence[Fact], int], None]:
    """Pages until the feed closes: the facts above `after` that fit, in order, and the sequence up to which all were
    looked at.

    An empty `payment_ids`, `states` or `bank` asks for all; the tenant always counts. A page without facts is a
    heartbeat: the first comes at once where there is nothing to tell, later ones after `heartbeat_s` of silence,
    also while facts of others go by, so that a watcher of rare facts resumes close to the end. Raises Overloaded at
    the first page where too many watch.
    """

    def fits(fact: Fact) -> bool:
        return (
            fact.tenant == tenant
            and (not payment_ids or fact.payment_id in payment_ids)
            and (not states or fact.after in states)
            and (not bank or fact.bank == bank)
        )

    told_at = float("-inf")
    async with aclosing(feed.follow(after, patience_s=heartbeat_s)) as pages:
        async for page in pages:
            if page:
                after = page[-1].sequence
            fitting = [fact for fact in page if fits(fact)]
            if fitting or trio.current_time() - told_at >= heartbeat_s:
                yield fitting, after
                told_at = trio.current_time()
