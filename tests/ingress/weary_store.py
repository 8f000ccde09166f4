"""A MemoryStore that fails when it is told to."""

from collections.abc import Sequence

from gateway.core.ports import Admission, Admitted
from gateway.house import House
from tests.fakes.memory_store import MemoryStore


class WearyStore(MemoryStore):
    """`error` is what admit() raises, until it is None again."""

    error: Exception | None = None

    async def admit(self, admissions: Sequence[Admission]) -> list[Admitted]:
        if self.error is not None:
            raise self.error
        return await super().admit(admissions)


def weary(of: House) -> WearyStore:
    """The house's store; the fixtures of this folder give each house a weary one."""
    assert isinstance(of.store, WearyStore)
    return of.store
