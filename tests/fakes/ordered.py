"""A set in order, for the store in memory: what LMDB's B+trees are to the real one."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

Key = TypeVar("Key", bound=Any)


class Ordered(Generic[Key]):
    """Adding and taking out move pointers in one list: quick enough for a hundred thousand keys."""

    def __init__(self) -> None:
        self._keys: list[Key] = []

    def add(self, key: Key) -> None:
        insort(self._keys, key)

    def remove(self, key: Key) -> None:
        place = bisect_left(self._keys, key)
        assert self._keys[place] == key, "an index that lost an entry"
        del self._keys[place]

    def above(self, key: Key) -> Iterator[Key]:
        """Keys above `key`, in order."""
        return (self._keys[place] for place in range(bisect_right(self._keys, key), len(self._keys)))

    def __iter__(self) -> Iterator[Key]:
        return iter(self._keys)
