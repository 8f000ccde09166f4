"""A MemoryStore that fails when it is told to."""

from collections.abc import Sequence

from gateway.core.facts import Fact
from gateway.core.payment import Payment
from gateway.core.ports import Admission, Admitted
from gateway.house import House
from tests.fakes.memory_store import MemoryStore


class WearyStore(MemoryStore):
    """`error` is what admit() raises, and `full` what check_room() does, until they are None again; `room` is the most
    that it answers."""

    error: Exception | None = None
    full: Exception | None = None
    room: int = 1_000_000
    read_by_name: int = 0
    """Payments read to answer by_end_to_end_id."""
    history_times: int = 1
    """How often each payment's history repeats itself, for long ones."""

    def check_room(self, admissions: int) -> int:
        if self.full is not None:
            raise self.full
        return min(admissions, self.room)

    async def admit(self, admissions: Sequence[Admission]) -> list[Admitted]:
        if self.error is not None:
            raise self.error
        return await super().admit(admissions)

    async def by_end_to_end_id(self, tenant: str, end_to_end_id: str, limit: int) -> list[Payment]:
        found = await super().by_end_to_end_id(tenant, end_to_end_id, limit)
        self.read_by_name += len(found)
        return found

    async def facts_of(self, payment_id: bytes, limit: int) -> list[Fact]:
        return ((await super().facts_of(payment_id, limit)) * self.history_times)[:limit]


def weary(of: House) -> WearyStore:
    """The house's store; the fixtures of this folder give each house a weary one."""
    assert isinstance(of.store, WearyStore)
    return of.store
