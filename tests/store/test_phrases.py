"""What many records begin with is stored once, and no record rests on one copy of it."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from gateway.core.payment import Party
from gateway.core.ports import Step
from gateway.core.states import State
from gateway.store import envelope, layout, log, phrases, records
from gateway.store.envelope import CorruptRecord
from gateway.store.environment import Maps, open_environment, open_maps
from gateway.store.phrases import PHRASE_BYTES_MAX, PHRASES_MAX, PHRASES_OF_PAYMENTS_MAX, SPELLED_OUT, number_key
from gateway.store.store import LmdbStore
from gateway.store.verify import verify
from tests.fakes.admissions import DEBTOR, a_payment, mark, queued
from tests.fakes.clock import START_NS, FakeClock
from tests.fills import fills
from tests.store.damage import Damage, damaging


async def filled(path: Path, *debtors: Party) -> list[bytes]:
    """The ids of queued payments, one of each debtor."""
    async with LmdbStore(path, clock=FakeClock()) as store:
        admissions = [queued(f"order-{n}", debtor=debtor) for n, debtor in enumerate(debtors)]
        return [admitted.payment.id for admitted in await store.admit(admissions)]


def stored_bytes(path: Path, mapping: str) -> int:
    with damaging(path) as damage:
        return sum(len(value) for _, value in damage.items(mapping))


async def test_what_payments_share_is_stored_once(tmp_path: Path) -> None:
    """A payment of the same debtor has two bytes in its record where the first one's has the debtor."""
    await filled(tmp_path / "one", DEBTOR, replace(DEBTOR, name="x" * 100))
    await filled(tmp_path / "two", DEBTOR, replace(DEBTOR, name="y" * phrases.PHRASE_BYTES_MAX))
    with damaging(tmp_path / "one") as damage:
        lengths = {len(value) for _, value in damage.items(layout.PAYMENT2RECORD)}
        assert len(damage.items(layout.NUMBER2PHRASE)) == 3, "tenant and bank; these and each debtor"
    assert len(lengths) == 1
    # One that is too long for a phrase is spelled out, and as whole as the other.
    more = stored_bytes(tmp_path / "two", layout.PAYMENT2RECORD) - stored_bytes(tmp_path / "one", layout.PAYMENT2RECORD)
    assert more > phrases.PHRASE_BYTES_MAX
    assert verify(tmp_path / "one").whole
    assert verify(tmp_path / "two").whole


def _number_of(damage: Damage, payment_id: bytes) -> bytes:
    at = envelope.ENVELOPE_BYTES
    return damage.get(layout.PAYMENT2RECORD, payment_id)[at : at + phrases.NUMBER_BYTES]


def _lose_numbers(damage: Damage) -> None:
    for key, _ in damage.items(layout.NUMBER2PHRASE):
        damage.flip(layout.NUMBER2PHRASE, key)


def _lose_phrases(damage: Damage) -> None:
    for key, _ in damage.items(layout.PHRASE2NUMBER):
        damage.flip(layout.PHRASE2NUMBER, key)


@pytest.mark.parametrize("lose", [_lose_numbers, _lose_phrases])
async def test_one_of_the_two_mappings_is_enough(tmp_path: Path, lose: Any) -> None:
    """With either of them lost as a whole, payments are read, sent and admitted as before, and the verifier says so."""
    (payment_id,) = await filled(tmp_path, DEBTOR)
    with damaging(tmp_path) as damage:
        lose(damage)
    async with LmdbStore(tmp_path, clock=FakeClock()) as store:
        (due,) = await store.due("northbank", START_NS, 10)
        assert (due.id, due.instruction.debtor) == (payment_id, DEBTOR)
        (marked,) = await store.take([Step(payment_id, happening=mark(due))])
        assert marked.taken
        assert (await store.admit([queued("order-9")]))[0].payment.state is State.QUEUED
        assert [fact.tenant for fact in await store.facts(0, 10)] == [due.tenant] * 5
    assert {finding.mapping for finding in verify(tmp_path).findings} <= {layout.NUMBER2PHRASE, layout.PHRASE2NUMBER}


async def test_a_phrase_that_is_lost_twice_stops_its_payments_only(tmp_path: Path) -> None:
    """Where neither mapping can be read any more, the payments with that phrase are corrupt: named, and never sent."""
    ids = await filled(tmp_path, DEBTOR, replace(DEBTOR, name="Autre SA"))
    with damaging(tmp_path) as damage:
        good, bad = sorted(ids, key=partial(_number_of, damage))
        number = _number_of(damage, bad)
        phrase = damage.get(layout.NUMBER2PHRASE, number)[envelope.ENVELOPE_BYTES :]
        damage.delete(layout.NUMBER2PHRASE, number)
        damage.delete(layout.PHRASE2NUMBER, phrase)
    async with LmdbStore(tmp_path, clock=FakeClock()) as store:
        assert [payment.id for payment in await store.due("northbank", START_NS, 10)] == [good]
        assert [(error.mapping, error.key) for error in store.corrupt] == [(layout.PAYMENT2RECORD, bad)]
    assert (layout.PAYMENT2RECORD, bad.hex()) in {(one.mapping, one.key) for one in verify(tmp_path).findings}
    async with LmdbStore(tmp_path, clock=FakeClock()) as store:
        # The number is now another debtor's. The record is not: it was sealed with its own.
        others = [queued(f"order-{n}", debtor=replace(DEBTOR, name=f"Neu {n}")) for n in range(10, 13)]
        assert {admitted.payment.id for admitted in await store.admit(others)}.isdisjoint({bad})
        assert bad not in {payment.id for payment in await store.due("northbank", START_NS, 10)}
        with pytest.raises(CorruptRecord):
            await store.get(bad)
    with damaging(tmp_path) as damage:
        assert damage.get(layout.NUMBER2PHRASE, number)


async def test_a_phrase_that_was_exchanged_is_found(tmp_path: Path) -> None:
    """Debtors put in each other's places, with every checksum of the phrases right: no payment is read as another
    debtor's."""
    ids = await filled(tmp_path, DEBTOR, replace(DEBTOR, name="Autre SA"))
    with damaging(tmp_path) as damage:
        numbers = [_number_of(damage, payment_id) for payment_id in ids]
        sealed = [damage.get(layout.NUMBER2PHRASE, number)[envelope.ENVELOPE_BYTES :] for number in numbers]
        for number, other in zip(numbers, reversed(sealed), strict=True):
            damage.put(layout.NUMBER2PHRASE, number, envelope.seal(number, other))
    async with LmdbStore(tmp_path, clock=FakeClock()) as store:
        for payment_id in ids:
            with pytest.raises(CorruptRecord):
                await store.get(payment_id)
    assert not verify(tmp_path).whole


@pytest.fixture
def maps(tmp_path: Path) -> Any:
    env = open_environment(tmp_path, 1 << 26)
    with env.begin(write=True) as txn:
        txn.abort()
    yield open_maps(tmp_path, env)
    env.close()


def test_an_aborted_transaction_takes_its_numbers_back(maps: Maps) -> None:
    """A number that was given out in a transaction that came to nothing is the next one's, and means its phrase."""
    table = maps.phrases
    with maps.env.begin(write=True) as txn:
        number = table.number(txn, b"never", {})
        assert table.spelled(txn, number, durable=False) == b"never"
        txn.abort()
    for _ in range(2):  # coined, and read again
        with maps.env.begin(write=True) as txn:
            assert table.number(txn, b"stays", {}) == number
    with maps.env.begin() as txn:
        assert table.spelled(txn, number) == b"stays"
        with pytest.raises(KeyError):
            table.spelled(txn, number + 1)


@fills("PHRASES_MAX", "PHRASES_OF_PAYMENTS_MAX", "PHRASE_BYTES_MAX")
def test_the_table_is_bounded(maps: Maps) -> None:
    """Whoever names another debtor in each payment does not fill it: the last places are for the facts of all, and
    what finds no place is spelled out."""
    table = maps.phrases
    with maps.env.begin(write=True) as txn:
        coined: dict[bytes, int] = {}
        for n in range(PHRASES_OF_PAYMENTS_MAX + 1):
            last = table.number(txn, b"payment %d" % n, coined, PHRASES_OF_PAYMENTS_MAX)
        assert (last, len(coined)) == (SPELLED_OUT, PHRASES_OF_PAYMENTS_MAX)
        for n in range(PHRASES_MAX - PHRASES_OF_PAYMENTS_MAX + 1):
            last = table.number(txn, b"fact %d" % n, coined)
        assert (last, len(coined)) == (SPELLED_OUT, PHRASES_MAX)
        assert number_key(PHRASES_MAX) == b"\x40\x00"
    with maps.env.begin(write=True) as txn:
        assert table.number(txn, b"payment 0", {}) == 1
        assert table.number(txn, b"x" * (PHRASE_BYTES_MAX + 1), {}) == SPELLED_OUT
        assert table.number(txn, b"", {}) == SPELLED_OUT


@fills("log.BEGINNINGS_KEPT_MAX", "records.BEGINNINGS_KEPT_MAX", "PREFIXES_KEPT_MAX")
def test_what_is_kept_encoded_is_bounded() -> None:
    """Tenants without end do not fill the memory: the ones asked for longest ago make room."""
    payment = a_payment()
    most = max(log.BEGINNINGS_KEPT_MAX, records.BEGINNINGS_KEPT_MAX, layout.PREFIXES_KEPT_MAX)
    for number in range(most + 10):
        log.beginning(f"tenant-{number}", "northbank")
        layout.prefix(f"tenant-{number}")
        records.beginning(replace(payment, tenant=f"tenant-{number}"))
    assert log.beginning.cache_info().currsize == log.BEGINNINGS_KEPT_MAX
    assert records.beginning_of.cache_info().currsize == records.BEGINNINGS_KEPT_MAX
    assert layout.prefix.cache_info().currsize == layout.PREFIXES_KEPT_MAX
