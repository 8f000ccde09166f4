"""One caller's writes on their way through the writer's queue."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import trio

from gateway.store.transaction import Batch


@dataclass(slots=True, eq=False)
class Job:
    """One caller's writes of one commit."""

    fill: Callable[[Batch], Any]
    """Writes into the transaction and returns the caller's result. Runs again after an abort."""
    weight: int
    """Writes in it, at most limits.COMMIT_PAYMENTS_MAX."""
    sheddable: bool
    """Whether it may be refused when the store is full (admissions)."""
    done: trio.Event = field(default_factory=trio.Event)
    result: Any = None
    error: Exception | None = None
