"""What every room may reach for: the store, the clock, the trail, and the banks with their words and wires."""

import os
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import trio

from gateway.config import BankProfile
from gateway.core.facts import Fact, StoreKind
from gateway.core.ports import Adapter, Collects, Link, Store, Trail, WallClock
from gateway.departures import Departures
from gateway.intake.bank import BankBook


@dataclass(frozen=True, slots=True)
class Bank:
    """One bank as the house deals with it: its data, its words, its wire."""

    profile: BankProfile
    adapter: Adapter
    link: Link

    @property
    def name(self) -> str:
        return self.profile.name

    @property
    def collects(self) -> bool:
        """Whether its mailbox is read."""
        return self.profile.collect.enabled and isinstance(self.adapter, Collects)


DRAWN_BYTES: Final = 4_096  # of randomness at a time: four hundred ids


class Entropy:
    """Random bytes in small pieces, from the system in large ones: called with a number, gives as many that nobody else
    gets. For one process: it must not be forked.

    A question to the system lets go of the interpreter, and on the event loop that costs a turn of the writer's thread:
    for the ten bytes of a payment's id more than for all the rest of it.
    """

    def __init__(self, draw: Callable[[int], bytes] = os.urandom) -> None:
        self._draw = draw
        self._drawn = b""
        self._at = 0

    def __call__(self, size: int) -> bytes:
        if self._at + size > len(self._drawn):
            self._drawn, self._at = self._draw(max(size, DRAWN_BYTES)), 0
        start, self._at = self._at, self._at + size
        return self._drawn[start : self._at]


class Quarantine:
    """Whether the house may send and admit (law 6). It may not after a restore, until an operator ends it: what was
    sent after the backup was taken is found first, by inquiries and in the mailboxes."""

    def __init__(self, facts: Sequence[Fact] = ()) -> None:
        """`facts` are the store's since its restore (ports.Store.quarantine); none: no quarantine."""
        self.restored = facts[0] if facts else None
        self.unknown: dict[tuple[str, str], Fact] = {}
        """(bank, wire reference) → the fact, of payments a bank speaks of that were made after the backup."""
        self.unlisted = 0
        """Words about such references beyond limits.UNKNOWN_REFERENCES_MAX, seen since this start."""
        self.mailboxes_read: set[str] = set()
        """Banks whose mailbox was read to its end since this start."""
        self.ending = trio.Lock()
        """Held by who is about to end it."""
        self.listing = trio.Lock()
        """Held by who adds to the unknown: the bound is over all banks."""
        self.found(facts)
        self.over = trio.Event()
        if not facts:
            self.over.set()

    def found(self, facts: Sequence[Fact]) -> None:
        """Takes over the unknown references among the store's facts."""
        self.unknown.update({(f.bank, f.wire_reference): f for f in facts if f.kind is StoreKind.UNKNOWN_REFERENCE})

    @property
    def active(self) -> bool:
        return not self.over.is_set()


@dataclass(frozen=True, slots=True)
class House:
    """What every room may reach for. Made once, by daemon.py."""

    store: Store
    clock: WallClock
    trail: Trail
    banks: Mapping[str, Bank]
    entropy: Callable[[int], bytes]
    """Random bytes for payment ids (os.urandom; a seeded source in simulations)."""
    dice: random.Random = field(default_factory=random.Random)
    """Spreads retries; never anything that matters to safety."""
    quarantine: Quarantine = field(default_factory=Quarantine)
    book: BankBook = field(init=False)
    """The same banks, as intake looks them up."""
    departures: Departures = field(init=False)
    """The messages between their mark and their first byte."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "book", BankBook(bank.profile for bank in self.banks.values()))
        object.__setattr__(self, "departures", Departures(self.store))
