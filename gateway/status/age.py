"""How long ago a payment was first sent, at the least, whatever was done to the wall clock since. Pure.

A bank detects a duplicate for some time after the first one, and a resend must come within it. Counted from the first
mark to now on a wall clock that was set back in between, that time seems to have hardly begun. But each of the
payment's facts has its moment, restarts or not; between two neighbours the clock either went on, and the step counts,
or fell back, and only that step is lost. What the running daemon has seen of falls (leaps.py) is not lost at all.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from gateway.core.facts import Fact
from gateway.core.states import Kind

FACTS_MAX: Final = 1_000
"""Facts of one payment that are looked at; one with more is taken to be as old as can be."""
AS_OLD_AS_CAN_BE_NS: Final = 1 << 62


def sent_for_ns(facts: Sequence[Fact], now_ns: int, fallen_ns: int) -> int:
    """`facts` are the payment's first FACTS_MAX, in order; counted is from its first mark, or from its admission where
    none is known. `fallen_ns` is how far the clock is known to have fallen since the last of them."""
    if len(facts) >= FACTS_MAX:
        return AS_OLD_AS_CAN_BE_NS
    first = next((place for place, fact in enumerate(facts) if fact.kind is Kind.MARKED), 0)
    moments_ns = [fact.at_ns for fact in facts[first:]]
    if not moments_ns:
        return AS_OLD_AS_CAN_BE_NS
    moments_ns.append(now_ns + fallen_ns)
    return sum(max(0, after - before) for before, after in pairwise(moments_ns))
