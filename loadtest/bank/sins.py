"""Switchable misbehaviour: what a sin is, when it acts, and on which requests.

A sin acts `before` the booking (the money does not move, unless the sin lets the request go on) or `after` it
(the money has moved). Several sins may strike one request, in list order, until one of them ends it.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields
from fnmatch import fnmatchcase
from typing import Any, Literal

from loadtest.bank.config import DELAY_S_MAX, SINS_MAX
from loadtest.bank.exchange import LastStream
from loadtest.bank.wire import ENDINGS, Ending

When = Literal["before", "after"]
Says = Literal["ACCP", "RJCT", "ACSC", "NOTFOUND"]
Operation = Literal["payments", "status", "reports"]


@dataclass(frozen=True, slots=True)
class Kind:
    """What is allowed for a kind of sin; the first of `when` is the default."""

    when: tuple[When, ...]
    ends: bool  # whether the request gets no other answer


KINDS: dict[str, Kind] = {
    "drop_reply": Kind(("after",), ends=True),
    "drop_request": Kind(("before",), ends=True),
    "delay": Kind(("after", "before"), ends=False),
    "duplicate_reply": Kind(("after",), ends=True),
    "status": Kind(("before", "after"), ends=True),
    "goaway": Kind(("before", "after"), ends=True),
    "refused_stream": Kind(("before", "after"), ends=True),
    "rst": Kind(("after", "before"), ends=True),
    "truncate": Kind(("after",), ends=True),
    "garbage": Kind(("after", "before"), ends=True),
    "slow_drip": Kind(("after",), ends=True),
    "lie": Kind(("before",), ends=False),
    "half_header": Kind(("after", "before"), ends=True),
    "silent": Kind(("after", "before"), ends=True),
}

_CHOICES: dict[str, tuple[str, ...]] = {
    "operation": ("payments", "status", "reports", "any"),
    "close": (*ENDINGS, "end"),
    "last_stream": ("below", "at", "max"),
    "form": ("wire", "body", "tls"),
    "says": ("ACCP", "RJCT", "ACSC", "NOTFOUND"),
    "scope": ("stream", "connection"),
}
_TEXTS = ("end_to_end_id", "reference", "reason", "wrong_reference")
_AMOUNTS: dict[str, tuple[float, float]] = {
    "nth": (1, 2**31),
    "times": (1, 2**31),
    "probability": (0, 1),
    "seconds": (0, DELAY_S_MAX),
    "code": (400, 599),
    "retry_after": (0, 86_400),
    "error_code": (0, 2**32 - 1),
    "after_bytes": (0, 2**31),
}


class UnknownSin(ValueError):
    """A sin that cannot be committed; the text names the key and what is allowed."""


@dataclass
class Sin:
    """One sin in force. README.md says which keys each kind uses.

    Conditions, all of which must hold: `operation`; `end_to_end_id` and `reference` (shell patterns; any
    transfer of the message may fit); `nth` (only the nth request that meets these); `probability` (drawn from
    a generator seeded with `seed`); `times` (at most so often).
    """

    kind: str
    when: When | None = None
    operation: str = "payments"
    end_to_end_id: str | None = None
    reference: str | None = None
    nth: int | None = None
    probability: float | None = None
    seed: int = 0
    times: int | None = None
    close: Ending | Literal["end"] | None = None
    seconds: float | None = None
    code: int = 503
    retry_after: int | None = None
    last_stream: LastStream = "below"
    error_code: int | None = None
    after_bytes: int | None = None
    form: str = "wire"
    says: Says = "ACCP"
    reason: str = "MS03"
    wrong_reference: str = "WRONG-REFERENCE"
    scope: str = "stream"
    seen: int = field(default=0, init=False)
    acted: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UnknownSin(f"kind: one of {', '.join(KINDS)}, not {self.kind!r}")
        allowed = KINDS[self.kind].when
        self.when = self.when or allowed[0]
        if self.when not in allowed:
            raise UnknownSin(f"when: {self.kind} acts {' or '.join(allowed)}, not {self.when!r}")
        for key, choices in _CHOICES.items():
            if getattr(self, key) not in (*choices, None):
                raise UnknownSin(f"{key}: one of {', '.join(choices)}, not {getattr(self, key)!r}")
        for key, (least, most) in _AMOUNTS.items():
            value = getattr(self, key)
            if value is not None and (not isinstance(value, int | float) or not least <= value <= most):
                raise UnknownSin(f"{key}: a number from {least:g} to {most:g}, not {value!r}")
        for key in _TEXTS:
            if not isinstance(getattr(self, key), str | None):
                raise UnknownSin(f"{key}: a text, not {getattr(self, key)!r}")
        if not isinstance(self.seed, int):
            raise UnknownSin(f"seed: a whole number, not {self.seed!r}")
        if self.says == "NOTFOUND" and self.operation not in ("status", "any"):
            raise UnknownSin("says: NOTFOUND is for inquiries; set operation to status")
        self._chance = random.Random(self.seed)

    @property
    def ends(self) -> bool:
        """Whether the request gets no answer but this sin's. After a GOAWAY its last stream decides (Exchange.take_on),
        unless a booked stream is disowned: that lie leaves it without an answer."""
        if self.kind == "goaway":
            return self.last_stream == "below" and self.when == "after"
        return KINDS[self.kind].ends

    def fits(self, end_to_end_id: str, reference: str) -> bool:
        """Whether the patterns allow this transfer."""
        return _fits(self.end_to_end_id, end_to_end_id) and _fits(self.reference, reference)

    def strikes(self, operation: Operation, transfers: Sequence[tuple[str, str]]) -> bool:
        """Counts the request and decides. `transfers` are (end-to-end id, wire reference)."""
        if self.operation not in (operation, "any") or self._spent():
            return False
        if self._names_a_transfer() and not any(self.fits(*transfer) for transfer in transfers):
            return False
        self.seen += 1
        if self.nth is not None and self.seen != self.nth:
            return False
        if self.probability is not None and self._chance.random() >= self.probability:
            return False
        self.acted += 1
        return True

    def as_json(self) -> dict[str, Any]:
        """What was asked for, without defaults, and how often it was seen and acted."""
        defaults = {each.name: each.default for each in fields(self) if each.default is not MISSING and each.init}
        return {key: value for key, value in asdict(self).items() if defaults.get(key, MISSING) != value}

    def _spent(self) -> bool:
        return self.times is not None and self.acted >= self.times

    def _names_a_transfer(self) -> bool:
        return self.end_to_end_id is not None or self.reference is not None


@dataclass(frozen=True, slots=True)
class Struck:
    """The sins that act on one request, in order; an ending one is the last of its list."""

    before: tuple[Sin, ...] = ()
    after: tuple[Sin, ...] = ()


NO_SINS = Struck()


def choose(sins: Iterable[Sin], operation: Operation, transfers: Sequence[tuple[str, str]]) -> Struck:
    """Which sins act on this request. A sin that an earlier one forestalls does not count it."""
    ordered = sorted(sins, key=lambda sin: sin.when == "after")
    before: list[Sin] = []
    after: list[Sin] = []
    for sin in ordered:
        if not sin.strikes(operation, transfers):
            continue
        (before if sin.when == "before" else after).append(sin)
        if sin.ends:
            break
    return Struck(tuple(before), tuple(after))


def from_json(value: object) -> list[Sin]:
    """Reads a list of sins, or {"sins": [...]}. Raises UnknownSin."""
    if isinstance(value, dict):
        value = value.get("sins")
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise UnknownSin("sins: a list of objects")
    if len(value) > SINS_MAX:
        raise UnknownSin(f"sins: at most {SINS_MAX}, not {len(value)}")
    return [_sin(each) for each in value]


def _sin(value: dict[str, Any]) -> Sin:
    allowed = {each.name for each in fields(Sin) if each.init}
    asked = {key: each for key, each in value.items() if key not in ("seen", "acted")}
    if unknown := set(asked) - allowed:
        raise UnknownSin(f"{', '.join(sorted(unknown))}: unknown; a sin has {', '.join(sorted(allowed))}")
    if "kind" not in asked:
        raise UnknownSin(f"kind: missing; one of {', '.join(KINDS)}")
    return Sin(**asked)


def _fits(pattern: str | None, text: str) -> bool:
    return pattern is None or fnmatchcase(text, pattern)
