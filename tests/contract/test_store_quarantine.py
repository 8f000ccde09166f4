"""One suite over every Store: suspicion, and what the store logs about itself (laws 6 and 10)."""

import hashlib

import pytest

from gateway.core import happenings
from gateway.core.facts import STORE_ID, StoreHappening, StoreKind
from gateway.core.outcome import Outcome, Word
from gateway.core.ports import Admission, Step, Store
from gateway.core.reasons import Reason
from gateway.core.states import Kind, State
from tests.contract.lives import S, admitted, in_doubt, took, word
from tests.fakes.admissions import a_payment
from tests.fakes.clock import START_NS

RESTORED = StoreHappening(StoreKind.RESTORED, actor="os:ada", evidence=b"{}")
ENDED = StoreHappening(StoreKind.QUARANTINE_ENDED, actor="ada", evidence=b"compared")
FOUND = StoreHappening(StoreKind.UNKNOWN_REFERENCE, bank="northbank", wire_reference="CW1", bank_status="ACSC")


async def test_a_new_store_is_in_no_quarantine(store: Store) -> None:
    """Payments make no quarantine; only a restore does."""
    await admitted(store)
    assert await store.quarantine() == []


async def test_a_quarantine_is_what_the_log_says_since_the_restore(store: Store) -> None:
    """It begins with the restore, collects what is found, and is over with its end; another restore begins another."""
    await admitted(store, "order-1")
    await store.log([RESTORED])
    await admitted(store, "order-2")
    await store.log([FOUND])
    restored, found = await store.quarantine()
    assert (restored.kind, restored.actor, restored.version) == (StoreKind.RESTORED, "os:ada", 1)
    assert (found.kind, found.bank, found.wire_reference, found.version) == (
        StoreKind.UNKNOWN_REFERENCE,
        "northbank",
        "CW1",
        2,
    )
    await store.log([ENDED])
    assert await store.quarantine() == []
    await store.log([RESTORED, FOUND])
    assert [fact.version for fact in await store.quarantine()] == [4, 5]


async def test_facts_about_the_store_are_in_the_one_log(store: Store) -> None:
    """They take their place among the payments' facts, without a gap; nobody's payment, nobody's tenant."""
    told = []
    store.on_commit(told.extend)
    await admitted(store)
    await store.log([RESTORED])
    facts = await store.facts(0, 10)
    assert [fact.sequence for fact in facts] == [1, 2, 3]
    assert told == facts
    assert (facts[-1].payment_id, facts[-1].tenant, facts[-1].before, facts[-1].after) == (STORE_ID, "", None, None)
    assert facts[-1].evidence_sha256 == hashlib.sha256(b"{}").digest()
    assert await store.get(STORE_ID) is None
    assert await store.facts_of(STORE_ID, 10) == facts[-1:]
    assert (await store.counts("northbank")).queued == 1


async def test_a_suspected_payment_is_found_by_the_banks_word(store: Store) -> None:
    """It was never marked here, yet the bank's word about its reference reaches it and ends the doubt."""
    payment = await admitted(store)
    payment = await took(store, payment, happenings.suspected("os:ada", START_NS))
    assert (payment.state, payment.attempts, payment.inquire_at_ns) == (State.IN_DOUBT, (), START_NS)
    assert await store.due("northbank", START_NS, 10) == []
    assert await store.inquiries_due("northbank", START_NS, 10) == [payment]
    [stepped] = await store.take([word(payment, Word.SETTLED, "ACSC")])
    assert stepped.payment is not None
    assert (stepped.taken, stepped.payment.state) == (True, State.SETTLED)
    suspicion = (await store.facts_of(payment.id, 10))[2]
    assert (suspicion.kind, suspicion.reason) == (Kind.SUSPECTED, Reason.RESTORED_FROM_BACKUP)
    assert (suspicion.actor, suspicion.wire_reference) == ("os:ada", payment.wire_reference)


async def test_a_suspicion_begins_a_doubt_of_its_own(store: Store) -> None:
    """A doubt in the backup had spent its budget; after the restore the bank is asked again."""
    payment = await in_doubt(store)
    payment = await took(store, payment, happenings.inquired(0), happenings.inquired(0))
    assert (payment.inquiries, payment.inquire_at_ns) == (2, 0)
    payment = await took(store, payment, happenings.suspected("os:ada", START_NS + 7))
    assert (payment.state, payment.inquiries, payment.inquire_at_ns) == (State.IN_DOUBT, 0, START_NS + 7)


@pytest.mark.parametrize("on_hold", [True, False])
async def test_what_the_bank_does_not_hold_goes_back_to_where_it_was(store: Store, on_hold: bool) -> None:
    """Freed by the bank's word, a payment on hold is on hold again and never in the outbox: nobody had released it."""
    what = happenings.held(Reason.CLIENT_ASKED, "approval") if on_hold else happenings.cleared()
    [answer] = await store.admit([Admission(a_payment(), (what,))])
    payment = await took(store, answer.payment, happenings.suspected("os:ada", START_NS))
    [stepped] = await store.take([Step(payment.id, outcome=Outcome(Word.NOT_FOUND, payment.wire_reference))])
    assert stepped.payment is not None
    assert stepped.payment.state is (State.HELD if on_hold else State.QUEUED)
    assert stepped.payment.holds == (("approval",) if on_hold else ())
    assert len(await store.due("northbank", START_NS + 60 * S, 10)) == (0 if on_hold else 1)


async def test_no_step_leads_past_open_holds(store: Store) -> None:
    """Whoever says NOT_HELD of a payment with open holds is not followed."""
    [answer] = await store.admit([Admission(a_payment(), (happenings.held(Reason.CLIENT_ASKED, "approval"),))])
    payment = await took(store, answer.payment, happenings.suspected("os:ada", START_NS))
    wrong = happenings.Happening(Kind.NOT_HELD, reason=Reason.BANK_DOES_NOT_HOLD)
    [stepped] = await store.take([Step(payment.id, happening=wrong)])
    assert (stepped.taken, stepped.payment) == (False, payment)
