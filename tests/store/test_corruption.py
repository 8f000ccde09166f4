"""A record that cannot be read: its payment is never sent, the others are, and whoever asks for it is told."""

from hashlib import sha256
from pathlib import Path

import pytest

from gateway.core import happenings
from gateway.core.facts import STORE_ID, StoreKind
from gateway.core.outcome import Outcome, Word
from gateway.core.payment import Payment
from gateway.core.ports import PaymentFilter, Step
from gateway.core.reasons import Reason
from gateway.core.states import State
from gateway.limits import UNREADABLE_WORDS_MAX
from gateway.store import layout
from gateway.store.envelope import CorruptRecord
from gateway.store.recover import recover
from gateway.store.store import CORRUPT_NOTED_MAX, LmdbStore
from gateway.store.verify import verify
from tests.fakes.admissions import mark, queued
from tests.fakes.clock import START_NS, FakeClock
from tests.fills import fills
from tests.store.damage import damaging


def a_store(path: Path) -> LmdbStore:
    return LmdbStore(path, clock=FakeClock(), map_bytes_initial=1 << 20)


async def three_with_one_corrupt(path: Path, *, sending: bool = False) -> list[Payment]:
    """Three queued (or sending) payments; the record of the first is damaged."""
    async with a_store(path) as store:
        payments = [answer.payment for answer in await store.admit([queued(f"order-{n}") for n in range(3)])]
        if sending:
            await store.take([Step(payment.id, happening=mark(payment)) for payment in payments])
    payments.sort(key=lambda payment: payment.id)
    with damaging(path) as damage:
        damage.flip(layout.PAYMENT2RECORD, payments[0].id)
    return payments


async def test_a_corrupt_payment_is_never_due(tmp_path: Path) -> None:
    """It is left out of the outbox and does not keep the lane awake; the next ones go on; operators see it."""
    bad, *good = await three_with_one_corrupt(tmp_path)
    async with a_store(tmp_path) as store:
        assert await store.due("northbank", START_NS, 10) == good
        assert await store.due("northbank", START_NS, 1) == good[:1]
        assert [(error.mapping, error.key) for error in store.corrupt] == [(layout.PAYMENT2RECORD, bad.id)]
        await store.take([Step(payment.id, happening=mark(payment)) for payment in good])
        assert await store.due("northbank", START_NS, 10) == []
        assert await store.next_due_ns("northbank", 0) == 0


@fills("CORRUPT_NOTED_MAX")
async def test_findings_are_noted_once_and_bounded(tmp_path: Path) -> None:
    """A disk that loses everything fills neither the memory nor the log with it."""
    count = CORRUPT_NOTED_MAX + 5
    async with a_store(tmp_path) as store:
        payments = [answer.payment for answer in await store.admit([queued(f"order-{n}") for n in range(count)])]
    with damaging(tmp_path) as damage:
        for payment in payments:
            damage.put(layout.PAYMENT2RECORD, payment.id, b"")
    async with a_store(tmp_path) as store:
        for _ in range(2):
            assert await store.due("northbank", START_NS, 10) == []
        assert len(store.corrupt) == CORRUPT_NOTED_MAX


async def test_a_corrupt_payment_cannot_be_marked(tmp_path: Path) -> None:
    """No mark, no send: the step is not taken and shows no payment, and its neighbours in the batch are taken."""
    bad, good, _ = await three_with_one_corrupt(tmp_path)
    async with a_store(tmp_path) as store:
        steps = [Step(payment.id, happening=mark(payment)) for payment in (bad, good)]
        refused, taken = await store.take(steps)
        assert (refused.taken, refused.payment) == (False, None)
        assert taken.taken
        assert len(store.corrupt) == 1


async def test_whoever_asks_for_a_corrupt_payment_is_told_so(tmp_path: Path) -> None:
    """By id, key or replay: CorruptRecord with mapping and key, never "not found" or a new payment for the key."""
    bad, *good = await three_with_one_corrupt(tmp_path)
    key = bad.instruction.idempotency_key
    async with a_store(tmp_path) as store:
        with pytest.raises(CorruptRecord, match=f"payment2record {bad.id.hex()}"):
            await store.get(bad.id)
        with pytest.raises(CorruptRecord):
            await store.by_key("acme", key)
        with pytest.raises(CorruptRecord):
            await store.admit([queued(key)])
        assert await store.page(PaymentFilter(tenant="acme"), limit=10) == (good, b"")
        assert await store.last_sequence() == 6


async def with_a_corrupt_payment_at_the_bank(path: Path) -> Payment:
    """A payment that is SENDING, whose record is damaged."""
    async with a_store(path) as store:
        payment = (await store.admit([queued()]))[0].payment
        await store.take([Step(payment.id, happening=mark(payment))])
    with damaging(path) as damage:
        damage.flip(layout.PAYMENT2RECORD, payment.id)
    return payment


def settled(reference: str, evidence: bytes = b"<pain.002/>") -> Outcome:
    return Outcome(Word.SETTLED, reference, "ACSC", evidence=evidence)


async def test_a_banks_word_about_a_corrupt_payment_is_kept_and_named(tmp_path: Path) -> None:
    """By reference from a mailbox or by id from an exchange: the word is in the log with its evidence, in the commit
    that would have taken it, and the verifier names it beside the record. The bank will not say it again."""
    bad = await with_a_corrupt_payment_at_the_bank(tmp_path)
    reference = bad.wire_reference
    async with a_store(tmp_path) as store:
        rejected = Outcome(Word.REJECTED, reference, "RJCT", "AC04")
        stepped = await store.take(
            [
                Step(wire=("northbank", reference), outcome=settled(reference)),
                Step(bad.id, outcome=rejected),
                Step(wire=("northbank", "CWSOMEBODYELSE"), outcome=settled("CWSOMEBODYELSE")),
            ]
        )
        assert [one.unreadable for one in stepped] == [True, True, False]
        assert [one.taken for one in stepped] == [False] * 3
        first, second = await store.facts_of(STORE_ID, 10)
        assert (first.kind, first.bank, first.wire_reference) == (StoreKind.UNREADABLE_PAYMENT, "northbank", reference)
        assert (first.bank_status, second.bank_status, second.bank) == ("ACSC", "RJCT", "northbank")
        kept = [await store.evidence(one.evidence_sha256) for one in (first, second)]
        assert [one.body for one in kept if one] == [b"<pain.002/>", b"REJECTED RJCT AC04"]
        assert await store.quarantine() == []
    report = verify(tmp_path)
    [finding] = [one for one in report.findings if one.mapping == layout.PAYMENT2RECORD]
    assert finding.key == bad.id.hex()
    assert f"northbank has said ACSC of it (evidence {first.evidence_sha256.hex()})" in finding.what
    assert "northbank has said RJCT of it" in finding.what


@fills("UNREADABLE_WORDS_MAX")
async def test_words_about_corrupt_payments_do_not_fill_the_log(tmp_path: Path) -> None:
    """The same word is one fact, also after a restart; above the bound the evidence is kept and the log does not
    grow, so a quarantine is still read in one look."""
    bad = await with_a_corrupt_payment_at_the_bank(tmp_path)
    reference = bad.wire_reference
    for _ in range(2):
        async with a_store(tmp_path) as store:
            await store.take([Step(bad.id, outcome=settled(reference))] * 3)
            assert len(await store.facts_of(STORE_ID, 10)) == 1
    async with a_store(tmp_path) as store:
        words = [settled(reference, b"%d" % number) for number in range(UNREADABLE_WORDS_MAX + 5)]
        await store.take([Step(bad.id, outcome=word) for word in words])
        assert len(await store.facts_of(STORE_ID, 2 * UNREADABLE_WORDS_MAX)) == UNREADABLE_WORDS_MAX
        assert await store.evidence(sha256(words[-1].evidence).digest()) is not None
        assert await store.quarantine() == []


async def test_an_outbox_entry_alone_sends_nothing(tmp_path: Path) -> None:
    """A forged or left-over outbox entry of a payment that is SENDING does not make it due: the record decides."""
    async with a_store(tmp_path) as store:
        payment = (await store.admit([queued()]))[0].payment
        await store.take([Step(payment.id, happening=mark(payment))])
    with damaging(tmp_path) as damage:
        damage.put(layout.DUE2PAYMENT, layout.due_key(payment), b"")
    async with a_store(tmp_path) as store:
        assert await store.due("northbank", START_NS, 10) == []
        assert await store.next_due_ns("northbank", 0) == 0
        assert store.corrupt[0].mapping == layout.DUE2PAYMENT


async def test_a_restart_doubts_what_was_sending(tmp_path: Path) -> None:
    """Every payment that was SENDING is IN_DOUBT after the start, with its inquiry planned; nothing else moves, a
    second recovery finds nothing, and a corrupt one stays unsent and counted."""
    _, *good = await three_with_one_corrupt(tmp_path, sending=True)
    clock = FakeClock(START_NS * 2)
    async with a_store(tmp_path) as store:
        untouched = (await store.admit([queued("order-9")]))[0].payment
        recovered = await recover(store, clock, 90.0)
        assert (recovered.doubted, recovered.unreadable, recovered.sequence) == (2, 1, 13)
        for payment in good:
            found = await store.get(payment.id)
            assert found is not None
            assert (found.state, found.attempts[-1].reason) == (State.IN_DOUBT, Reason.RESTARTED_WHILE_SENDING)
            assert START_NS * 2 <= found.inquire_at_ns - 90_000_000_000 <= clock.now_ns()
        assert await store.get(untouched.id) == untouched
        assert (await recover(store, clock, 90.0)).doubted == 0


async def test_recovery_goes_by_pages(tmp_path: Path) -> None:
    """More SENDING payments than one page are all found."""
    async with a_store(tmp_path) as store:
        payments = [answer.payment for answer in await store.admit([queued(f"order-{n}") for n in range(1100)])]
        await store.take([Step(payment.id, happening=mark(payment)) for payment in payments])
        recovered = await recover(store, FakeClock(), 90.0)
        assert recovered.doubted == 1100
        counts = await store.counts("northbank")
        assert (counts.sending, counts.in_doubt) == (0, 1100)


async def test_a_log_that_lost_its_end_stops_the_start(tmp_path: Path) -> None:
    """A missing, altered or surplus last fact is found before anything is sent."""
    async with a_store(tmp_path) as store:
        await store.admit([queued()])
        await recover(store, FakeClock(), 90.0)
    last = layout.number(2)
    with damaging(tmp_path) as damage:
        body = damage.get(layout.SEQ2FACT, last)
        damage.delete(layout.SEQ2FACT, last)
    async with a_store(tmp_path) as store:
        with pytest.raises(CorruptRecord, match="missing"):
            await recover(store, FakeClock(), 90.0)
    with damaging(tmp_path) as damage:
        damage.put(layout.SEQ2FACT, last, body)
        damage.put(layout.SEQ2FACT, layout.number(3), body)
    async with a_store(tmp_path) as store:
        with pytest.raises(CorruptRecord, match="beyond the head"):
            await recover(store, FakeClock(), 90.0)


async def test_a_cancelled_payment_stays_cancelled_over_a_restart(tmp_path: Path) -> None:
    """Everything that was stored is there after opening again, unchanged."""
    async with a_store(tmp_path) as store:
        payment = (await store.admit([queued()]))[0].payment
        [stepped] = await store.take([Step(payment.id, happening=happenings.cancelled("erp"))])
    async with a_store(tmp_path) as store:
        await recover(store, FakeClock(), 90.0)
        assert await store.get(payment.id) == stepped.payment
        assert await store.due("northbank", START_NS * 2, 10) == []
