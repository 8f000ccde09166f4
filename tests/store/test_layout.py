"""The facts of one payment are found by one entry, however many there are."""

from pathlib import Path

from gateway.core import happenings
from gateway.core.happenings import Happening
from gateway.core.ports import Step
from gateway.core.reasons import Reason
from gateway.core.states import Kind
from gateway.store import layout
from gateway.store.store import LmdbStore
from gateway.store.verify import verify
from tests.fakes.admissions import mark, queued
from tests.fakes.clock import FakeClock
from tests.store.damage import damaging


def test_sequences_come_back_by_version() -> None:
    """The first entry has room for a usual life and says nothing of the facts that have not happened."""
    entry = layout.with_sequence(b"", 1, 7)
    assert (len(entry), layout.sequences(entry)) == (30, [7])
    for version in range(2, 8):
        entry = layout.with_sequence(entry, version, 7 + version)
    assert layout.sequences(entry) == [7, 9, 10, 11, 12, 13, 14]
    assert len(entry) == 7 * layout.SEQUENCE_BYTES


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
