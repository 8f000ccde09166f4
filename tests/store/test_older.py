"""A store that was made before a part of the map was there: the next start makes that part."""

from pathlib import Path

import lmdb

from gateway.core import happenings
from gateway.core.ports import PaymentFilter
from gateway.core.reasons import Reason
from gateway.store import layout
from gateway.store.store import LmdbStore
from gateway.store.verify import verify
from tests.contract.lives import admitted, took
from tests.fakes.admissions import mark
from tests.fakes.clock import FakeClock
from tests.store.damage import damaging


def without_index(path: Path) -> None:
    with lmdb.open(str(path), max_dbs=len(layout.MAPPINGS), map_size=1 << 26, lib_version=0) as env:
        gone = env.open_db(layout.DOUBT2PAYMENT.encode(), create=False)
        with env.begin(write=True) as txn:
            txn.drop(gone)


async def test_an_older_store_gets_its_index_of_doubts(tmp_path: Path) -> None:
    """Doubts of before are listed after the next start, but for one whose record is damaged, and the store is whole
    as far as it was."""
    async with LmdbStore(tmp_path, clock=FakeClock()) as store:
        payments = [await admitted(store, f"order-{n}") for n in range(4)]
        for payment in payments[:3]:
            await took(store, payment, mark(payment), happenings.doubted(Reason.REPLY_LOST, 1))
    without_index(tmp_path)
    async with LmdbStore(tmp_path, clock=FakeClock()) as store:
        found, _ = await store.doubts(PaymentFilter(), limit=10)
        assert {one.id for one in found} == {one.id for one in payments[:3]}
    assert verify(tmp_path).whole
    with damaging(tmp_path) as damage:
        damage.flip(layout.PAYMENT2RECORD, payments[0].id)
    without_index(tmp_path)
    async with LmdbStore(tmp_path, clock=FakeClock()) as store:
        found, _ = await store.doubts(PaymentFilter(), limit=10)
        assert {one.id for one in found} == {one.id for one in payments[1:3]}
