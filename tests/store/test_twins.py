"""The store in memory and the one on disk are the same store: a seeded random life in both, compared step by step."""

import random
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.core import happenings
from gateway.core.decisions import Act, Confirming, Proposing
from gateway.core.happenings import Happening
from gateway.core.outcome import Outcome, Word
from gateway.core.payment import Payment, Uptime
from gateway.core.ports import Admission, PaymentFilter, Step, Store
from gateway.core.proposal import Decision
from gateway.core.reasons import Reason
from gateway.core.states import Kind, State
from gateway.store.store import LmdbStore
from gateway.store.verify import verify
from tests.fakes.admissions import a_payment, mark, queued
from tests.fakes.clock import START_NS
from tests.fakes.memory_store import MemoryStore

OPERATIONS = 400
BANKS = ("northbank", "southbank")


class TickingClock:
    """Moves only when the test says so: both stores see the same moments."""

    def __init__(self) -> None:
        self.value_ns = START_NS

    def uptime(self) -> Uptime:
        return Uptime(bytes(16), self.now_ns())

    def now_ns(self) -> int:
        return self.value_ns


class Fate:
    """Random writes about a growing set of payments."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.payments: list[Payment] = []
        self.doubted: list[Payment] = []

    def admissions(self) -> list[Admission]:
        made = []
        for _ in range(self.dice.randrange(1, 4)):
            key = f"order-{self.dice.randrange(120)}"
            admission = queued(key, bank=self.dice.choice(BANKS), now_ns=START_NS + self.dice.randrange(10**12))
            if self.dice.random() < 0.2:
                held = Happening(Kind.HOLD_PLACED, holds=("operator",))
                admission = replace(admission, then=self.dice.choice([(), (held,)]))
            made.append(admission)
            self.payments.append(admission.payment)
        return made

    def steps(self) -> list[Step]:
        return [self.step(self.dice.choice(self.payments)) for _ in range(self.dice.randrange(1, 6))]

    def step(self, payment: Payment) -> Step:
        moment = START_NS + self.dice.randrange(10**12)
        bank, reference = payment.instruction.bank, payment.wire_reference
        if self.dice.random() < 0.4:
            said = Outcome(self.dice.choice(list(Word)), reference, self.dice.choice(["", "ACSP", "RJCT"]))
            return Step(wire=(bank, reference), outcome=said, inquire_at_ns=moment)
        if self.doubted and self.dice.random() < 0.25:
            doubted = self.dice.choice(self.doubted)
            return Step(doubted.id, act=self.act(doubted), inquire_at_ns=moment)
        happening = self.dice.choice(
            [
                mark(payment),
                mark(payment),
                mark(payment),
                happenings.cleared(),
                happenings.cancelled("erp"),
                happenings.not_sent(Reason.CONNECT_FAILED, moment),
                happenings.doubted(Reason.REPLY_LOST, moment, b"<answer/>"),
                happenings.inquired(self.dice.choice([0, moment])),
                Happening(Kind.HOLDS_CLEARED, holds=("operator",)),
                Happening(Kind.SETTLED, bank_status="ACSC"),
            ]
        )
        return Step(payment.id, happening=happening, expected_version=self.dice.choice([0, 0, 0, 3]))

    def act(self, payment: Payment) -> Act:
        """A proposal, or the confirmation of one that was seen, which may be gone by now."""
        if self.dice.random() < 0.3 or payment.proposal is None:
            return Proposing(self.dice.choice(list(Decision)), self.dice.choice("abc"), "note")
        return Confirming(payment.proposal.digest, self.dice.choice("abc"), "note")

    def saw(self, payment: Payment | None) -> None:
        if payment is not None and payment.state is State.IN_DOUBT:
            self.doubted = [*self.doubted[-4:], payment]


async def shown(store: Store, now_ns: int) -> list[object]:
    """Everything a store shows of itself."""
    seen: list[object] = [await store.facts(0, 10_000), await store.page(PaymentFilter(), limit=1000)]
    for bank in BANKS:
        seen += [await store.due(bank, now_ns, 100), await store.next_due_ns(bank, now_ns), await store.counts(bank)]
        seen += [await store.inquiries_due(bank, now_ns, 100), await store.next_inquiry_ns(bank)]
    for state in State:
        seen.append(await store.in_state(state, limit=1000))
    return seen


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_both_stores_answer_alike(tmp_path: Path, seed: int) -> None:
    """Whatever happens in whatever order, both give the same answers and show the same; the disk verifies."""
    clock = TickingClock()
    fate = Fate(seed)
    memory = MemoryStore(clock)
    async with LmdbStore(tmp_path, clock=clock, map_bytes_initial=1 << 18) as disk:
        for n in range(OPERATIONS):
            clock.value_ns += fate.dice.randrange(10**10)
            if not fate.payments or fate.dice.random() < 0.3:
                admissions = fate.admissions()
                assert await memory.admit(admissions) == await disk.admit(admissions)
            else:
                steps = fate.steps()
                taken = await memory.take(steps)
                assert taken == await disk.take(steps)
                for stepped in taken:
                    fate.saw(stepped.payment)
            if n % 40 == 0 or n == OPERATIONS - 1:
                assert await shown(memory, clock.value_ns) == await shown(disk, clock.value_ns)
        facts = await disk.facts(0, 10_000)
        assert any(fact.kind is Kind.PROPOSED for fact in facts)
        assert any(fact.reason is Reason.DECIDED_BY_TWO for fact in facts)
        states = {fact.after for fact in facts}
        assert len(states) > 7, "a life too quiet to prove anything"
    assert verify(tmp_path).findings == []


def test_a_payment_of_the_fakes_is_a_payment() -> None:
    """The fakes' payments differ in id only where nothing is said."""
    assert replace(a_payment(), id=b"") == replace(a_payment(), id=b"")
