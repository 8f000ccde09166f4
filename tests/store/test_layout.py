"""The facts of one payment are found by one entry, however many there are."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import happenings
from gateway.core.happenings import Happening
from gateway.core.ports import Step
from gateway.core.reasons import Reason
from gateway.core.states import Kind
from gateway.store import layout
from gateway.store.envelope import CorruptRecord
from gateway.store.store import LmdbStore
from gateway.store.verify import verify
from tests.fakes.admissions import mark, queued
from tests.fakes.clock import FakeClock
from tests.store.damage import damaging


def test_sequences_come_back_by_version() -> None:
    """The first entry has room for a usual life and says nothing of the facts that have not happened."""
    entry = layout.with_sequence(b"", 1_000_000_000)
    assert (len(entry), layout.sequences(entry)) == (16, [1_000_000_000])
    usual = [1_000_000_001, 1_000_000_800, 1_000_016_000, 1_002_000_000]
    for sequence in usual:
        entry = layout.with_sequence(entry, sequence)
    assert (len(entry), layout.sequences(entry)) == (16, [1_000_000_000, *usual])


@given(st.lists(st.integers(0, (1 << 8 * layout.SEQUENCE_BYTES) - 1), unique=True, max_size=layout.PART_FACTS))
def test_whatever_happens_between_two_facts(drawn: list[int]) -> None:
    """However far apart, and whichever bytes of a number are zeros, each sequence comes back."""
    entry = b""
    for sequence in sorted(drawn):
        entry = layout.with_sequence(entry, sequence)
    assert layout.sequences(entry) == sorted(drawn)


def test_a_damaged_entry_stops_nobody() -> None:
    """One that says it begins behind the next fact begins anew: what a bank says is written down all the same."""
    entry = layout.with_sequence(layout.with_sequence(b"", 7), 9)
    damaged = bytes([entry[0] ^ 0x40]) + entry[1:]
    assert layout.sequences(layout.with_sequence(damaged, 12)) == [12]


async def test_nobody_is_shown_the_facts_of_another(tmp_path: Path) -> None:
    """An entry that leads to another payment's facts is named as corrupt, and they are not shown."""
    async with LmdbStore(tmp_path, clock=FakeClock()) as store:
        one, other = [admitted.payment for admitted in await store.admit([queued("order-1"), queued("order-2")])]
    with damaging(tmp_path) as damage:
        damage.put(layout.PAYMENT2SEQ, one.id, damage.get(layout.PAYMENT2SEQ, other.id))
    async with LmdbStore(tmp_path, clock=FakeClock()) as store:
        with pytest.raises(CorruptRecord, match="another"):
            await store.facts_of(one.id, 10)
        assert len(await store.facts_of(other.id, 10)) == 2


def test_the_64th_version_is_the_last_of_its_part() -> None:
    """Where one entry ends, the next begins."""
    keys = [layout.payment_seq_key(b"i" * 16, version) for version in (1, 64, 65)]
    assert keys[0] == keys[1] != keys[2]
    assert [layout.first_version(key) for key in keys] == [1, 1, 65]


async def test_a_long_life_is_read_in_order(tmp_path: Path) -> None:
    """Over the end of an entry, in one commit and in several, no fact is missing and the store is whole."""
    async with LmdbStore(tmp_path, clock=FakeClock()) as store:
        payment = (await store.admit([queued()]))[0].payment
        doubt = happenings.doubted(Reason.REPLY_LOST, 1)
        inquired = Happening(Kind.INQUIRED, reason=Reason.NOTHING_LEARNT)
        for some in ([mark(payment), doubt], [inquired] * 100, [inquired], [inquired] * 50):
            taken = await store.take([Step(payment.id, happening=one) for one in some])
            assert all(one.taken for one in taken)
        facts = await store.facts_of(payment.id, 1_000)
        assert [fact.version for fact in facts] == list(range(1, 156))
        assert [fact.sequence for fact in facts] == list(range(1, 156))
        assert len(await store.facts_of(payment.id, 70)) == 70
    assert verify(tmp_path).whole
    with damaging(tmp_path) as damage:
        assert len(damage.items(layout.PAYMENT2SEQ)) == 3
