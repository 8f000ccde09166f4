"""How often and how long to try again when the daemon does not answer. Safe because a key never pays twice."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from gateway.cli.refusal import Refusal

TRIES_MAX = 6  # with the pauses below about 10 s: longer than a restart, shorter than a person's patience
PAUSE_S_FIRST = 0.25
PAUSE_S_MAX = 5.0
ASKED_PAUSE_S_MAX = 30.0  # a daemon may ask for more; then a person should decide

AGAIN = frozenset({"UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED"})
"""Codes after which the same instruction with the same key may be sent again at once or soon."""


@dataclass
class Patience:
    """Counts tries without progress. `pause` waits that many seconds; tests pass one that only writes down."""

    pause: Callable[[float], None] = time.sleep
    tries_max: int = TRIES_MAX
    tries: int = 0

    def progress(self) -> None:
        """Something was answered: the count starts anew."""
        self.tries = 0

    def again(self, refusal: Refusal) -> bool:
        """Whether to try once more; has waited when it says yes. A daemon that asks for a pause gets it."""
        if refusal.code not in AGAIN:
            return False
        if refusal.code == "RESOURCE_EXHAUSTED" and not refusal.shed:
            return False  # a limit that waiting does not change, e.g. a message that is too long
        self.tries += 1
        if self.tries >= self.tries_max or (refusal.retry_after_s or 0) > ASKED_PAUSE_S_MAX:
            return False
        backoff: float = min(PAUSE_S_MAX, PAUSE_S_FIRST * 2 ** (self.tries - 1))
        self.pause(max(refusal.retry_after_s or 0.0, backoff * random.uniform(0.75, 1.25)))
        return True
