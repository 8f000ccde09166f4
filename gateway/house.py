"""What every room may reach for: the store, the clock, the trail, and the banks with their words and wires."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gateway.config import BankProfile
from gateway.core.ports import Adapter, Link, Store, Trail, WallClock
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
    book: BankBook = field(init=False)
    """The same banks, as intake looks them up."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "book", BankBook(bank.profile for bank in self.banks.values()))
