"""The verifier finds each kind of damage, names where it is, and finds nothing in a whole store."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.core import happenings
from gateway.core.outcome import Outcome, Word
from gateway.core.payment import Payment
from gateway.core.ports import Step
from gateway.core.reasons import Reason
from gateway.core.states import State
from gateway.store import evidence, layout, log, phrases, records, verify
from gateway.store.store import LmdbStore
from tests.fakes.admissions import mark, queued
from tests.fakes.clock import START_NS, FakeClock
from tests.fills import fills
from tests.store.damage import Damage, damaging


async def a_lived_in_store(path: Path) -> dict[State, Payment]:
    """Payments in every stage, some hundred facts, evidence and a cursor; returns one payment of each state."""
    async with LmdbStore(path, clock=FakeClock(), map_bytes_initial=1 << 20) as store:
        payments = [answer.payment for answer in await store.admit([queued(f"order-{n}") for n in range(60)])]
        await store.take([Step(payment.id, happening=mark(payment)) for payment in payments[10:]])
        doubt = happenings.doubted(Reason.REPLY_UNREADABLE, START_NS + 90, b"<answer/>")
        await store.take([Step(payment.id, happening=doubt) for payment in payments[20:30]])

        async def said(word: Word, some: list[Payment]) -> None:
            words = [Outcome(word, payment.wire_reference, evidence=b"<report/>") for payment in some]
            await store.take([Step(wire=("northbank", word.wire_reference), outcome=word) for word in words])

        await said(Word.TAKEN, payments[30:50])
        await said(Word.SETTLED, payments[40:50])
        await said(Word.REJECTED, payments[50:])
        await store.set_cursor("northbank", "page-7")
        stored = await store.get_many([payment.id for payment in payments])
        return {payment.state: payment for payment in stored if payment is not None}


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[State, Payment]]:
    """Made once, copied by each test that damages it."""
    import trio

    path = tmp_path_factory.mktemp("lived-in")
    return path, trio.run(a_lived_in_store, path)


def test_a_whole_store_has_no_findings(kept: tuple[Path, dict[State, Payment]]) -> None:
    """All is looked at and nothing found; the report gives the head to be kept elsewhere."""
    report = verify.verify(kept[0])
    assert report.findings == []
    assert (report.whole, report.payments, report.facts, report.evidence) == (True, 60, 220, 2)
    assert report.sequence == 220
    with damaging(kept[0]) as damage:
        stored = damage.get(layout.META, layout.META_HEAD)
    assert log.unseal_head(layout.META, layout.META_HEAD, stored) == (220, report.head)


def test_an_empty_store_is_whole(tmp_path: Path) -> None:
    """A store without payments verifies."""
    import trio

    async def make() -> None:
        async with LmdbStore(tmp_path, clock=FakeClock()):
            pass

    trio.run(make)
    assert verify.verify(tmp_path) == verify.Report()


Doing = Callable[[Damage, dict[State, Payment]], None]

SETTLED, QUEUED, DOUBT, ACCEPTED = State.SETTLED, State.QUEUED, State.IN_DOUBT, State.ACCEPTED


def _rewritten(damage: Damage, payment: Payment) -> None:
    damage.put(layout.PAYMENT2RECORD, payment.id, records.seal_payment(payment))


def _chain_rewritten(damage: Damage, sequence: int = 100) -> None:
    """A fact altered together with its checksum, as somebody who knows the format would."""
    key = layout.number(sequence)
    fact, chain_hash, _ = damage.fact(key)
    altered = log.fact_body(replace(fact, actor="nobody"))
    damage.put(layout.SEQ2FACT, key, log.seal_fact(key, chain_hash, b"", altered))


def _counted_wrongly(damage: Damage) -> None:
    damage.put(layout.COUNT, layout.count_key("northbank", QUEUED), layout.number(11))


def _key_moved(damage: Damage, payments: dict[State, Payment]) -> None:
    key = layout.key_key("acme", payments[QUEUED].instruction.idempotency_key)
    damage.put(layout.KEY2PAYMENT, key, payments[SETTLED].id)


def _evidence_exchanged(damage: Damage) -> None:
    key, _ = damage.items(layout.EVIDENCE)[0]
    damage.put(layout.EVIDENCE, key, evidence.seal_evidence(key, b"<other/>", 8))


def _leads_elsewhere(damage: Damage, payment_id: bytes, sequence: int) -> None:
    """The second fact is another, and nothing is behind it."""
    key = layout.payment_seq_key(payment_id, 1)
    first = layout.sequences(damage.get(layout.PAYMENT2SEQ, key))[0]
    damage.put(layout.PAYMENT2SEQ, key, layout.with_sequence(layout.with_sequence(b"", first), sequence))


def _one_more(damage: Damage, payment_id: bytes, sequence: int) -> None:
    key = layout.payment_seq_key(payment_id, 1)
    damage.put(layout.PAYMENT2SEQ, key, layout.with_sequence(damage.get(layout.PAYMENT2SEQ, key), sequence))


DAMAGES: dict[str, tuple[str, Doing]] = {
    "a bit of a record": (layout.PAYMENT2RECORD, lambda d, p: d.flip(layout.PAYMENT2RECORD, p[SETTLED].id)),
    "a record lost": (layout.KEY2PAYMENT, lambda d, p: d.delete(layout.PAYMENT2RECORD, p[SETTLED].id)),
    "a state set by hand": (layout.PAYMENT2RECORD, lambda d, p: _rewritten(d, replace(p[SETTLED], state=QUEUED))),
    "a version set by hand": (layout.PAYMENT2RECORD, lambda d, p: _rewritten(d, replace(p[SETTLED], version=9))),
    "a key of another": (layout.KEY2PAYMENT, _key_moved),
    "a key lost": (
        layout.PAYMENT2RECORD,
        lambda d, p: d.delete(layout.KEY2PAYMENT, layout.key_key("acme", p[SETTLED].instruction.idempotency_key)),
    ),
    "an EndToEndId lost": (layout.PAYMENT2RECORD, lambda d, p: d.delete(*layout.standing(p[SETTLED])[0])),
    "an EndToEndId invented": (
        layout.END2PAYMENT,
        lambda d, p: d.put(layout.END2PAYMENT, layout.end_prefix("acme", "X") + p[SETTLED].id, b""),
    ),
    "a tenant's payment lost": (layout.PAYMENT2RECORD, lambda d, p: d.delete(*layout.standing(p[SETTLED])[1])),
    "another tenant's payment": (
        layout.TENANT2PAYMENT,
        lambda d, p: d.put(layout.TENANT2PAYMENT, layout.prefix("globex") + p[SETTLED].id, b""),
    ),
    "a state entry lost": (layout.PAYMENT2RECORD, lambda d, p: d.delete(*layout.moving(p[ACCEPTED])[0])),
    "a second state": (
        layout.STATE2PAYMENT,
        lambda d, p: d.put(layout.STATE2PAYMENT, layout.state_prefix(QUEUED) + p[SETTLED].id, b""),
    ),
    "an outbox entry lost": (layout.PAYMENT2RECORD, lambda d, p: d.delete(*layout.moving(p[QUEUED])[1])),
    "an outbox entry of a payment sent": (
        layout.DUE2PAYMENT,
        lambda d, p: d.put(layout.DUE2PAYMENT, layout.due_key(p[SETTLED]), b""),
    ),
    "an inquiry lost": (layout.PAYMENT2RECORD, lambda d, p: d.delete(*layout.moving(p[DOUBT])[1])),
    "an inquiry of a payment settled": (
        layout.INQUIRY2PAYMENT,
        lambda d, p: d.put(layout.INQUIRY2PAYMENT, layout.inquiry_key(p[SETTLED]), b""),
    ),
    "a wire reference lost": (
        layout.PAYMENT2RECORD,
        lambda d, p: d.delete(layout.WIRE2PAYMENT, layout.wire_key("northbank", p[DOUBT].wire_reference)),
    ),
    "a wire reference of nobody": (
        layout.WIRE2PAYMENT,
        lambda d, p: d.put(layout.WIRE2PAYMENT, layout.wire_key("northbank", "CWX"), p[DOUBT].id),
    ),
    "a count": (layout.COUNT, lambda d, p: _counted_wrongly(d)),
    "a bit of a fact": (layout.SEQ2FACT, lambda d, p: d.flip(layout.SEQ2FACT, layout.number(100))),
    "a fact lost": (layout.SEQ2FACT, lambda d, p: d.delete(layout.SEQ2FACT, layout.number(100))),
    "the last fact lost": (layout.META, lambda d, p: d.delete(layout.SEQ2FACT, layout.number(220))),
    "a fact rewritten with its checksum": (layout.SEQ2FACT, lambda d, p: _chain_rewritten(d)),
    "the head of the chain": (
        layout.META,
        lambda d, p: d.put(layout.META, layout.META_HEAD, log.seal_head(layout.META_HEAD, 220, b"?" * log.HASH_BYTES)),
    ),
    "a payment's fact unlinked": (
        layout.SEQ2FACT,
        lambda d, p: _leads_elsewhere(d, p[SETTLED].id, 219),
    ),
    "a payment's fact invented": (
        layout.PAYMENT2SEQ,
        lambda d, p: _one_more(d, p[SETTLED].id, 220),
    ),
    "a bit of evidence": (
        layout.EVIDENCE,
        lambda d, p: d.flip(layout.EVIDENCE, d.items(layout.EVIDENCE)[0][0]),
    ),
    "evidence lost": (
        layout.SEQ2FACT,
        lambda d, p: d.delete(layout.EVIDENCE, d.items(layout.EVIDENCE)[0][0]),
    ),
    "evidence exchanged": (
        layout.EVIDENCE,
        lambda d, p: d.put(layout.EVIDENCE, b"k" * 6, evidence.seal_evidence(b"k" * 6, b"<other/>", 8)),
    ),
    "a hash of evidence lost": (
        layout.EVIDENCE,
        lambda d, p: d.delete(layout.SHA2EVIDENCE, d.items(layout.SHA2EVIDENCE)[0][0]),
    ),
    "a hash of evidence invented": (
        layout.SHA2EVIDENCE,
        lambda d, p: d.put(layout.SHA2EVIDENCE, b"s" * 6 + d.items(layout.EVIDENCE)[0][0], b""),
    ),
    "a hash of no evidence": (layout.SHA2EVIDENCE, lambda d, p: d.put(layout.SHA2EVIDENCE, b"s" * 12, b"")),
    "a bit of a phrase": (layout.NUMBER2PHRASE, lambda d, p: d.flip(layout.NUMBER2PHRASE, phrases.number_key(1))),
    "a phrase lost": (layout.PHRASE2NUMBER, lambda d, p: d.delete(layout.NUMBER2PHRASE, phrases.number_key(1))),
    "a bit of a phrase's number": (
        layout.PHRASE2NUMBER,
        lambda d, p: d.flip(layout.PHRASE2NUMBER, d.items(layout.PHRASE2NUMBER)[0][0], -1),
    ),
    "a phrase's number lost": (
        layout.NUMBER2PHRASE,
        lambda d, p: d.delete(layout.PHRASE2NUMBER, d.items(layout.PHRASE2NUMBER)[0][0]),
    ),
    "a fact's evidence exchanged": (layout.SEQ2FACT, lambda d, p: _evidence_exchanged(d)),
    "a bit of a cursor": (layout.META, lambda d, p: d.flip(layout.META, layout.cursor_key("northbank"))),
}


@pytest.mark.parametrize("what", DAMAGES)
def test_each_damage_is_found(tmp_path: Path, kept: tuple[Path, dict[State, Payment]], what: str) -> None:
    """Whatever is lost, altered or invented: the report is not whole and names the mapping where it shows."""
    path, payments = kept
    shutil.copytree(path, tmp_path / "data")
    mapping, do = DAMAGES[what]
    with damaging(tmp_path / "data") as damage:
        do(damage, payments)
    report = verify.verify(tmp_path / "data")
    assert not report.whole
    assert mapping in {finding.mapping for finding in report.findings}, report.findings
    assert report.finding_count == len(report.findings) < 50, "one damage, few findings"


def test_each_broken_link_is_one_finding(tmp_path: Path, kept: tuple[Path, dict[State, Payment]]) -> None:
    """The chain is taken up again at the next whole hash: of two facts far apart that were rewritten both are named,
    and nothing behind them; the last one is not taken for whole either."""
    shutil.copytree(kept[0], tmp_path / "data")
    with damaging(tmp_path / "data") as damage:
        for sequence in (100, 101, 190, 220):
            _chain_rewritten(damage, sequence)
    findings = verify.verify(tmp_path / "data").findings
    broken = [finding for finding in findings if "chain is broken" in finding.what]
    assert [int(finding.key, 16) for finding in broken] == [100, 190, 220]


def test_the_whole_hashes_are_held_against_the_chain(tmp_path: Path, kept: tuple[Path, dict[State, Payment]]) -> None:
    """One that was exchanged for another is named, though what is before and behind it fits."""
    shutil.copytree(kept[0], tmp_path / "data")
    key = layout.number(2 * log.CHECKPOINT_EVERY)
    with damaging(tmp_path / "data") as damage:
        _, whole, body = damage.fact(key)
        other = whole[: log.TAG_BYTES] + bytes(log.HASH_BYTES - log.TAG_BYTES)
        damage.put(layout.SEQ2FACT, key, log.seal_fact(key, other, b"", body))
    report = verify.verify(tmp_path / "data")
    assert report.findings[0].key == key.hex()


@fills("FINDINGS_MAX")
def test_findings_are_bounded(tmp_path: Path, kept: tuple[Path, dict[State, Payment]]) -> None:
    """A store without one good record makes a report that is counted whole and listed to its bound."""
    shutil.copytree(kept[0], tmp_path / "data")
    with damaging(tmp_path / "data") as damage:
        for mapping in (layout.PAYMENT2RECORD, layout.SEQ2FACT):
            for key, _ in damage.items(mapping):
                damage.put(mapping, key, b"")
        for n in range(verify.FINDINGS_MAX):
            damage.put(layout.PAYMENT2RECORD, n.to_bytes(16, "big"), b"")
    report = verify.verify(tmp_path / "data")
    assert len(report.findings) == verify.FINDINGS_MAX < report.finding_count
