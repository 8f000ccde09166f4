"""A house with a store in memory and banks in memory, on trio's clock."""

import random
from collections.abc import Mapping
from typing import Any

from gateway.config import BankProfile, CollectPolicy, Connection, InquiryPolicy, LanePolicy
from gateway.core import happenings
from gateway.core.payment import Payment
from gateway.core.ports import Admission, Declaration, Store
from gateway.core.states import State
from gateway.house import Bank, House
from tests.fakes.bank import DECLARATION, FakeAdapter, FakeLink
from tests.fakes.clock import FakeClock
from tests.fakes.memory_store import MemoryStore
from tests.fakes.payments import payment
from tests.fakes.trail import SeenTrail


def profile(name: str = "northbank", **sections: Any) -> BankProfile:
    """A bank's profile with quick retries; `sections` replace lane, inquiry, collect and so on."""
    connection = Connection.model_construct(host="127.0.0.1", port=1, server_name="localhost")
    whole: dict[str, Any] = {
        "name": name,
        "display_name": name.title(),
        "accounts": ["DE89370400440532013000"],
        "lane": LanePolicy(request_timeout_s=10.0, retry_first_s=1.0, retry_max_s=60.0),
        "inquiry": InquiryPolicy(first_after_s=90.0, per_second_max=5.0),
        "collect": CollectPolicy(every_s=30.0),
    }
    return BankProfile(**{**whole, **sections, "connection": connection})


def bank(name: str = "northbank", declaration: Declaration = DECLARATION, **sections: Any) -> Bank:
    return Bank(profile(name, **sections), FakeAdapter(declaration), FakeLink())


def house(*banks: Bank, store: Store | None = None, clock: FakeClock | None = None) -> House:
    """Payment ids and retries are the same in every run."""
    clock = clock or FakeClock()
    dice = random.Random(7)
    known: Mapping[str, Bank] = {one.name: one for one in (banks or (bank(),))}
    return House(store or MemoryStore(clock), clock, SeenTrail(), known, dice.randbytes, dice)


async def queue(of: House, *numbers: int, **overrides: Any) -> list[Payment]:
    """Admits payments straight into the outbox, past intake."""
    new = [payment(n, **{"state": State.RECEIVED, "version": 1, **overrides}) for n in numbers]
    admitted = await of.store.admit([Admission(one, (happenings.cleared(),)) for one in new])
    return [one.payment for one in admitted]


def link(of: House, name: str = "northbank") -> FakeLink:
    found = of.banks[name].link
    assert isinstance(found, FakeLink)
    return found


def trail(of: House) -> SeenTrail:
    assert isinstance(of.trail, SeenTrail)
    return of.trail
