"""When requests are due: decided before the run and by nobody's answers, which is what makes a load open.

A generator that waits for an answer before it sends the next request never sees how long the requests it did not send
would have waited (coordinated omission). So latency counts from the moment a request was *due*.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

Spacing = Literal["poisson", "even"]


@dataclass(frozen=True, slots=True)
class Step:
    """So many requests per second for so many seconds."""

    per_s: float
    seconds: float

    def __post_init__(self) -> None:
        if self.per_s <= 0 or self.seconds <= 0:
            raise ValueError(f"a step needs a rate and a time above zero, not {self.per_s} for {self.seconds} s")


def arrivals(steps: Sequence[Step], spacing: Spacing, seed: int) -> Iterator[float]:
    """Seconds since the start at which each request is due, in order. Equal seeds give equal times."""
    dice = random.Random(seed)
    begins_s = 0.0
    for step in steps:
        ends_s = begins_s + step.seconds
        at_s = begins_s
        while True:
            at_s += dice.expovariate(step.per_s) if spacing == "poisson" else 1 / step.per_s
            if at_s >= ends_s:
                break
            yield at_s
        begins_s = ends_s
