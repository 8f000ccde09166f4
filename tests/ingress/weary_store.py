"""A MemoryStore that fails when it is told to."""

from collections.abc import Sequence

from gateway.core.ports import Admission, Admitted
from gateway.house import House
from tests.fakes.memory_store import MemoryStore


class WearyStore(MemoryStore):
    """`error` is what admit() raises, and `full` what check_room() does, until they are None again; `room` is the most
    that it answers."""

    error: Exception | None = None
    full: Exception | None = None
    room: int = 1_000_000

    def check_room(self, admissions: int) -> int:
        if self.full is not None:
            raise self.full
        return min(admissions, self.room)

    async def admit(self, admissions: Sequence[Admission]) -> list[Admitted]:
        if self.error is not None:
            raise self.error
        return await super().admit(admissions)


def weary(of: House) -> WearyStore:
    """The house's store; the fixtures of this folder give each house a weary one."""
    assert isinstance(of.store, WearyStore)
    return of.store
