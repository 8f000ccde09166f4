"""Places that one principal can take only so many of: the places of all together are no bound on one of them."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from gateway.core.errors import Overloaded

RETRY_AFTER_S: Final = 5.0
"""When a place may have become free."""


class Places:
    """Watchers, by principal."""

    def __init__(self, each_max: int) -> None:
        self._each_max = each_max
        self._taken: Counter[str] = Counter()

    @contextmanager
    def one(self, principal: str) -> Iterator[None]:
        """A place until the end of the block. Raises Overloaded where this principal has all of his."""
        if self._taken[principal] >= self._each_max:
            raise Overloaded("the number of your watchers", RETRY_AFTER_S)
        self._taken[principal] += 1
        try:
            yield
        finally:
            self._taken[principal] -= 1
            if not self._taken[principal]:
                del self._taken[principal]
