"""What a start reads: the index of what is SENDING, not the store (a million open payments must not delay it)."""

from pathlib import Path

from gateway.core import happenings
from gateway.core.ports import Admission, Step
from gateway.core.reasons import Reason
from gateway.core.states import State
from gateway.store import layout
from gateway.store.recover import RECOVER_PAGE, recover
from gateway.store.store import LmdbStore
from gateway.store.verify import verify
from tests.fakes.admissions import mark, queued
from tests.fakes.clock import START_NS, FakeClock
from tests.store.damage import damaging


def sending(key: str) -> Admission:
    """An admission that leads to SENDING, as a crash leaves it."""
    admission = queued(key)
    return Admission(admission.payment, (*admission.then, mark(admission.payment)))


async def test_recovery_reads_no_record_but_what_was_sending(tmp_path: Path) -> None:
    """Every other record is made unreadable: recovery meets none of them, and puts in doubt all that was SENDING, over
    more than one page."""
    others = [queued(f"other-{n}") for n in range(20)]
    others_ids = {each.payment.id for each in others}
    async with LmdbStore(tmp_path, clock=FakeClock()) as store:
        await store.admit(others)
        await store.admit([sending(f"sending-{n}") for n in range(RECOVER_PAGE + 1)])
    with damaging(tmp_path) as damage:
        for payment_id in others_ids:
            damage.flip(layout.PAYMENT2RECORD, payment_id)
    async with LmdbStore(tmp_path, clock=FakeClock()) as store:
        recovered = await recover(store, FakeClock(), 90.0)
        assert (recovered.doubted, recovered.unreadable) == (RECOVER_PAGE + 1, 0)
        assert await store.in_state(State.SENDING, limit=1) == []


async def test_recovery_may_be_cut_off_and_repeated(tmp_path: Path) -> None:
    """A second recovery goes on where the first was killed and repeats nothing: one doubt per payment."""
    async with LmdbStore(tmp_path, clock=FakeClock()) as store:
        [first, second] = await store.admit([sending("order-1"), sending("order-2")])
        doubt = happenings.doubted(Reason.RESTARTED_WHILE_SENDING, 1)
        await store.take([Step(first.payment.id, happening=doubt)])
    async with LmdbStore(tmp_path, clock=FakeClock()) as store:
        assert (await recover(store, FakeClock(), 90.0)).doubted == 1
        assert (await recover(store, FakeClock(), 90.0)).doubted == 0
        for payment in await store.get_many([first.payment.id, second.payment.id]):
            assert payment is not None
            assert payment.state is State.IN_DOUBT
            assert payment.version == 4
    assert verify(tmp_path).whole


async def test_each_bank_is_asked_as_soon_as_it_allows(tmp_path: Path) -> None:
    """A patient bank delays nobody else's inquiries, and nothing is planned where the bank cannot be asked."""
    first_s = {"quickbank": 5.0, "slowbank": 3_600.0, "mutebank": None}
    async with LmdbStore(tmp_path, clock=FakeClock()) as store:
        admissions = [sending_to(bank) for bank in first_s]
        await store.admit(admissions)
        await recover(store, Still(), first_s.__getitem__)
        payments = await store.get_many([admission.payment.id for admission in admissions])
    planned = {one.instruction.bank: one.inquire_at_ns for one in payments if one}
    assert planned == {
        "quickbank": START_NS + 5 * 10**9,
        "slowbank": START_NS + 3_600 * 10**9,
        "mutebank": 0,
    }


class Still:
    """A wall clock that stands."""

    def now_ns(self) -> int:
        return START_NS


def sending_to(bank: str) -> Admission:
    admission = queued(f"to-{bank}", bank=bank)
    return Admission(admission.payment, (*admission.then, mark(admission.payment)))
