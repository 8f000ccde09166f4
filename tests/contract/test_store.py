"""One suite over every Store, first half: admissions and steps (laws 1 and 2)."""

from dataclasses import replace

import pytest
import trio

from gateway.core import happenings
from gateway.core.outcome import Outcome, Word
from gateway.core.ports import Admission, LaneCounts, Step, Store
from gateway.core.states import IllegalStep, Kind, State
from tests.contract.lives import admitted, took, word
from tests.fakes.admissions import a_payment, mark, queued

# ---------------------------------------------------------------- admission (laws 1 and 2)


async def test_an_admission_is_there_for_whoever_asks(store: Store) -> None:
    """What was acknowledged is found by its id, its key and its EndToEndId, field for field."""
    admission = queued()
    [answer] = await store.admit([admission])
    payment = answer.payment
    assert (answer.replay, answer.key_reused) == (False, False)
    assert payment == replace(admission.payment, state=State.QUEUED, version=2, updated_at_ns=payment.updated_at_ns)
    assert await store.get(payment.id) == payment
    assert await store.by_key("acme", "order-1") == payment
    assert await store.by_end_to_end_id("acme", "E2E-order-1", 10) == [payment]
    assert await store.get_many([b"\x00" * 16, payment.id]) == [None, payment]


async def test_a_replay_gets_the_first_payment_in_its_present_state(store: Store) -> None:
    """The same key and content is never a second payment, however far the first has come."""
    first = await admitted(store)
    first = await took(store, first, mark(first))
    [again] = await store.admit([queued()])
    assert again.replay
    assert again.payment == first
    assert await store.last_sequence() == 3


async def test_a_key_with_other_content_stores_nothing(store: Store) -> None:
    """A reused key is an error that names the payment that has it; nothing of the second is kept."""
    first = await admitted(store)
    other = queued(fingerprint=b"other".ljust(32))
    [answer] = await store.admit([other])
    assert (answer.key_reused, answer.replay, answer.payment) == (True, False, first)
    assert await store.get(other.payment.id) is None
    assert await store.last_sequence() == 2


async def test_a_key_repeated_in_one_batch_counts(store: Store) -> None:
    """Two instructions with one key in one call are one payment, and one with other content is told so."""
    other = queued(fingerprint=b"other".ljust(32))
    first, again, reused = await store.admit([queued(), queued(), other])
    assert (first.replay, again.replay, reused.key_reused) == (False, True, True)
    assert first.payment == again.payment == reused.payment
    assert (await store.counts("northbank")).queued == 1


async def test_concurrent_duplicates_are_one_payment(store: Store) -> None:
    """Fifty callers with one key get one payment, and exactly one of them the first answer."""
    answers = []

    async def submit() -> None:
        answers.extend(await store.admit([queued()]))

    async with trio.open_nursery() as nursery:
        for _ in range(50):
            nursery.start_soon(submit)
    assert len({answer.payment.id for answer in answers}) == 1
    assert [answer.replay for answer in answers].count(False) == 1


async def test_keys_belong_to_their_tenant(store: Store) -> None:
    """Two tenants may use one key; ("ab", "c") is not ("a", "bc")."""
    pairs = [("acme", "1"), ("acme1", ""), ("acm", "e1"), ("globex", "1")]
    answers = await store.admit([queued(key, tenant=tenant) for tenant, key in pairs])
    assert [answer.replay or answer.key_reused for answer in answers] == [False] * 4
    for (tenant, key), answer in zip(pairs, answers, strict=True):
        assert await store.by_key(tenant, key) == answer.payment


async def test_an_admission_without_then_is_received(store: Store) -> None:
    """RECEIVED is a state of its own, and its fact the first."""
    payment = a_payment()
    [answer] = await store.admit([Admission(payment)])
    assert answer.payment == payment
    assert [fact.kind for fact in await store.facts_of(payment.id, 10)] == [Kind.RECEIVED]


async def test_an_impossible_admission_is_refused_before_anything_is_written(store: Store) -> None:
    """A life that cannot begin like this raises, and the whole call stores nothing."""
    with pytest.raises(IllegalStep):
        await store.admit([queued("order-1"), Admission(a_payment("order-2"), (happenings.inquired(0),))])
    with pytest.raises(ValueError, match="RECEIVED"):
        await store.admit([Admission(replace(a_payment("order-3"), state=State.SETTLED))])
    assert await store.last_sequence() == 0
    assert await store.by_key("acme", "order-1") is None


# ---------------------------------------------------------------- steps


async def test_a_step_the_table_refuses_changes_nothing(store: Store) -> None:
    """An illegal step is not taken and leaves payment and log as they were."""
    payment = await admitted(store)
    [stepped] = await store.take([Step(payment.id, happening=happenings.inquired(0))])
    assert (stepped.taken, stepped.payment) == (False, payment)
    assert await store.last_sequence() == 2


async def test_a_step_for_nobody_is_not_taken(store: Store) -> None:
    """Unknown ids and references get no payment and leave no trace."""
    nobody = [
        Step(b"\x00" * 16, happening=happenings.cleared()),
        Step(b"short", happening=happenings.cleared()),
        Step(wire=("northbank", "CW"), outcome=Outcome(Word.SETTLED, "CW")),
    ]
    for stepped in await store.take(nobody):
        assert (stepped.taken, stepped.payment) == (False, None)
    assert await store.last_sequence() == 0


async def test_a_step_that_expected_another_version_is_refused(store: Store) -> None:
    """Who decided on an older state of the payment is not followed: the cancel that crosses a mark loses."""
    payment = await admitted(store)
    marked = Step(payment.id, happening=mark(payment), expected_version=payment.version)
    cancel = Step(payment.id, happening=happenings.cancelled("erp"), expected_version=payment.version)
    first, second = await store.take([marked, cancel])
    assert (first.taken, second.taken) == (True, False)
    assert second.payment is not None
    assert second.payment.state is State.SENDING


async def test_steps_of_one_batch_see_each_other(store: Store) -> None:
    """A whole life in one call: each step starts where the one before ended."""
    payment = await admitted(store)
    steps = [
        Step(payment.id, happening=mark(payment)),
        word(payment, Word.TAKEN, "ACSP"),
        word(payment, Word.SETTLED, "ACSC"),
        word(payment, Word.SETTLED, "ACSC"),
    ]
    stepped = await store.take(steps)
    assert [one.taken for one in stepped] == [True, True, True, False]
    assert await store.get(payment.id) == stepped[-1].payment
    assert [f.after for f in await store.facts_of(payment.id, 9)] == [
        State.RECEIVED,
        State.QUEUED,
        State.SENDING,
        State.ACCEPTED,
        State.SETTLED,
    ]
    assert await store.counts("northbank") == LaneCounts()


async def test_a_banks_word_finds_its_payment_for_ever(store: Store) -> None:
    """From the mark on the wire reference leads to the payment, also after its end; before, it leads nowhere."""
    payment = await admitted(store)
    assert await store.by_wire("northbank", payment.wire_reference) is None
    settled = await took(store, payment, mark(payment))
    await store.take([word(payment, Word.SETTLED, "ACSC")])
    [late] = await store.take([word(payment, Word.REJECTED, "RJCT")])
    assert late.taken
    assert late.payment is not None
    assert (late.payment.state, late.payment.contradiction) == (State.SETTLED, "RJCT")
    assert await store.by_wire("northbank", payment.wire_reference) == late.payment
    assert await store.by_wire("southbank", payment.wire_reference) is None
    assert settled.state is State.SENDING


async def test_a_wire_reference_has_one_owner(store: Store) -> None:
    """An attempt under another payment's reference is not taken: a bank's word could then mean either."""
    one, two = await admitted(store, "order-1"), await admitted(store, "order-2")
    await took(store, one, mark(one))
    stolen = mark(two)
    assert stolen.attempt is not None
    stolen = replace(stolen, attempt=replace(stolen.attempt, wire_reference=one.wire_reference))
    [stepped] = await store.take([Step(two.id, happening=stolen)])
    assert (stepped.taken, stepped.payment) == (False, two)
