"""Messages that are about to leave, and whether each is still wanted.

Between the mark and the first byte a message may wait for a session with room, for seconds. In that wait a report may
say that the bank has the payment already (an earlier "not found" was wrong, then), or it may move on in another way.
A message that leaves all the same would be a second send over evidence (law 4). So whoever sends registers its
payments before the mark, every commit is looked through, and the connector asks `wanted` in the very moment in which
the request becomes bytes: with no checkpoint between the question and the bytes.

A commit can be read before it is told. So a payment is registered with the version it was read at, and what is told of
that version or an older one is no news: the lane would otherwise call off what it has just read, for its own admission.
"""

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from gateway.core.facts import Fact
from gateway.core.payment import Payment
from gateway.core.ports import Store
from gateway.core.states import State


class Departure:
    """One message on its way to its first byte, with the version of each of its payments as it was read. Registered
    while it is entered; one of whose payments another message is on its way already is called off from the start."""

    def __init__(self, payments: Sequence[Payment], register: dict[bytes, "Departure"]) -> None:
        self._versions = {payment.id: payment.version for payment in payments}
        self._register = register
        self._own: list[bytes] = []
        self._moved_on = False

    def __enter__(self) -> Self:
        register = self._register
        self._own = [each for each in self._versions if register.setdefault(each, self) is self]
        if len(self._own) < len(self._versions):
            self.call_off()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, frames: TracebackType | None
    ) -> None:
        for payment_id in self._own:
            del self._register[payment_id]

    def wanted(self) -> bool:
        """Whether every payment of the message is still where its mark put it, as far as any commit told."""
        return not self._moved_on

    def told(self, fact: Fact) -> None:
        """What happened to one of its payments; also, late, what it was read with."""
        if fact.after is not State.SENDING and fact.version > self._versions[fact.payment_id]:
            self._moved_on = True

    def call_off(self) -> None:
        self._moved_on = True


class Departures:
    """Of one house. Listens to the store's commits from the moment it is made."""

    def __init__(self, store: Store) -> None:
        self._of: dict[bytes, Departure] = {}
        store.on_commit(self._told)

    def of(self, payments: Sequence[Payment]) -> Departure:
        """To be entered before the mark is handed to the store, and for as long as the message is on its way."""
        return Departure(payments, self._of)

    def _told(self, facts: Sequence[Fact]) -> None:
        on_their_way = self._of
        for fact in facts if on_their_way else ():
            departure = on_their_way.get(fact.payment_id)
            if departure is not None:
                departure.told(fact)
