"""What happens in each round of the crash campaign: a function of (seed, number), so that a round can be had again."""

import random
from dataclasses import dataclass
from typing import Final

from gateway.failpoints import Point

RANDOM_MOMENT: Final = "random moment"
"""Instead of a fail point: the campaign itself kills the daemon, whatever it is doing."""

PLACES: Final[tuple[Point | None, ...]] = (
    Point.COMMIT_BEGUN,
    None,
    Point.COMMIT_FILLED,
    Point.COMMIT_DURABLE,
    None,
    Point.COMMIT_TOLD,
    Point.SEND_FRAMED,
    None,
    Point.SEND_MARKED,
    Point.RECOVERY_PAGE,  # after a round that surely left SENDING behind
    None,
    Point.SEND_WRITTEN,
    Point.SEND_ANSWERED,
    Point.SEND_RECORDED,
    None,
    Point.REPORT_READ,
    Point.CURSOR_DUE,
    None,
    Point.CURSOR_MOVED,
    Point.INQUIRY_ANSWERED,
)
"""One lap of the campaign: every point once, with random moments between them."""

assert {place for place in PLACES if place} == set(Point)

_HITS_MAX: Final = {Point.RECOVERY_PAGE: 1, Point.REPORT_READ: 2, Point.CURSOR_DUE: 2, Point.CURSOR_MOVED: 2}
HITS_MAX: Final = 12
"""Of the other points: so many are met within a second of traffic."""
PAYMENTS: Final = (12, 30)
PAYMENTS_UNDER_LOAD: Final = (20, 60)
WINDOW: Final = (1, 12)
LINGER_S_MAX: Final = 0.4


@dataclass(frozen=True, slots=True)
class Plan:
    """One round."""

    number: int
    point: Point | None
    """Where the daemon ends itself; None: it is killed from outside."""
    hit: int
    payments: int
    window: int
    """Instructions on the way at once."""
    kill_after: int
    """Without a point: acknowledgements after which the daemon is killed …"""
    linger_s: float
    """… and for how long it may go on after them."""

    @property
    def place(self) -> str:
        return self.point.value if self.point else RANDOM_MOMENT


def plan(seed: int, number: int) -> Plan:
    """The round `number` (from 0) of the campaign with this seed."""
    dice = random.Random(f"{seed}/{number}")
    point = PLACES[number % len(PLACES)]
    payments = dice.randint(*(PAYMENTS if point else PAYMENTS_UNDER_LOAD))
    return Plan(
        number=number,
        point=point,
        hit=dice.randint(1, _HITS_MAX.get(point, HITS_MAX) if point else 1),
        payments=payments,
        window=dice.randint(*WINDOW),
        kill_after=dice.randint(0, payments),
        linger_s=dice.uniform(0.0, LINGER_S_MAX),
    )


def sins(seed: int) -> list[dict[str, object]]:
    """What the banks do wrong meanwhile: nothing that breaks what their profiles declare."""
    kinds: list[dict[str, object]] = [
        {"kind": "drop_reply", "probability": 0.03},
        {"kind": "drop_request", "probability": 0.02},
        {"kind": "status", "when": "after", "code": 500, "probability": 0.03},
        {"kind": "status", "when": "before", "code": 503, "probability": 0.02},
        {"kind": "refused_stream", "when": "before", "probability": 0.03},
        {"kind": "rst", "when": "after", "probability": 0.02},
        {"kind": "goaway", "when": "before", "last_stream": "below", "probability": 0.02},
        {"kind": "goaway", "when": "after", "last_stream": "max", "probability": 0.02},
        {"kind": "truncate", "probability": 0.02},
        {"kind": "garbage", "form": "body", "probability": 0.02},
        {"kind": "duplicate_reply", "probability": 0.03},
        {"kind": "delay", "seconds": 0.3, "probability": 0.05},
    ]
    return [sin | {"seed": seed + place} for place, sin in enumerate(kinds)]
