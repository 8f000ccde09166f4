"""One suite over every Store: doubts in the order of their age, in pages that lose none."""

from gateway.core import happenings
from gateway.core.happenings import Happening
from gateway.core.payment import Payment
from gateway.core.ports import PaymentFilter, Store
from gateway.core.reasons import Reason
from gateway.core.states import Kind
from tests.contract.lives import S, admitted, took
from tests.fakes.admissions import mark
from tests.fakes.clock import START_NS, FakeClock

EVERY = PaymentFilter(tenant="acme")


async def doubted(store: Store, clock: FakeClock, payment: Payment, at_s: int) -> Payment:
    clock.set(START_NS + at_s * S)
    return await took(store, payment, mark(payment), happenings.doubted(Reason.REPLY_LOST, 0))


async def pages(store: Store, which: PaymentFilter, size: int) -> list[bytes]:
    found, after = await store.doubts(which, limit=size)
    seen = [one.id for one in found]
    while after:
        found, after = await store.doubts(which, after=after, limit=size)
        seen += [one.id for one in found]
    return seen


async def test_the_oldest_doubt_comes_first_whatever_the_payments_age(store: Store, clock: FakeClock) -> None:
    """The payment admitted last was the first to fall into doubt; a bank's name narrows the list, and over all banks
    the order is that of the doubts."""
    payments = [await admitted(store, f"order-{n}") for n in range(3)]
    south = await admitted(store, "order-south", bank="southbank")
    first, second = await doubted(store, clock, payments[2], 10), await doubted(store, clock, south, 20)
    for at_s, payment in ((30, payments[0]), (40, payments[1])):
        await doubted(store, clock, payment, at_s)
    assert await pages(store, EVERY, 10) == [payments[2].id, south.id, payments[0].id, payments[1].id]
    assert await pages(store, PaymentFilter(tenant="acme", bank="northbank"), 2) == [
        payments[2].id,
        payments[0].id,
        payments[1].id,
    ]
    assert await pages(store, PaymentFilter(tenant="other"), 2) == []
    assert await store.oldest_doubt_ns("northbank") == first.doubt_since_ns
    assert await store.oldest_doubt_ns("southbank") == second.doubt_since_ns
    assert await store.oldest_doubt_ns("eastbank") == 0


async def test_a_page_goes_on_where_the_last_one_ended(store: Store, clock: FakeClock) -> None:
    """Between two pages one doubt ends and another begins: none that was there all the time is missed or shown twice,
    and the new one comes last, though its payment is the oldest."""
    old = await admitted(store, "order-old")
    payments = [await admitted(store, f"order-{n}") for n in range(4)]
    for at_s, payment in enumerate(payments):
        await doubted(store, clock, payment, at_s)
    first, after = await store.doubts(EVERY, limit=2)
    assert [one.id for one in first] == [payments[0].id, payments[1].id]
    await took(store, payments[1], Happening(Kind.ACCEPTED, reason=Reason.BANK_ANSWERED))
    await doubted(store, clock, old, 60)
    rest, end = await store.doubts(EVERY, after=after, limit=10)
    assert [one.id for one in rest] == [payments[2].id, payments[3].id, old.id]
    assert end == b""


async def test_a_doubt_begun_anew_is_a_young_one(store: Store, clock: FakeClock) -> None:
    """A suspicion after a restore begins a doubt of its own: it goes to the end, with one entry and no more."""
    payments = [await admitted(store, f"order-{n}") for n in range(2)]
    for at_s, payment in enumerate(payments):
        await doubted(store, clock, payment, at_s)
    clock.set(START_NS + 60 * S)
    await took(store, payments[0], happenings.suspected("os:ada", 0))
    assert await pages(store, EVERY, 1) == [payments[1].id, payments[0].id]
