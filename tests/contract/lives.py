"""Payments of a store on their way, for the contract's claims."""

from gateway.core import happenings
from gateway.core.happenings import Happening
from gateway.core.outcome import Outcome, Word
from gateway.core.payment import Payment
from gateway.core.ports import Step, Store
from gateway.core.reasons import Reason
from tests.fakes.admissions import mark, queued
from tests.fakes.clock import START_NS

S = 1_000_000_000
"""A second, in nanoseconds."""


async def admitted(store: Store, key: str = "order-1", **changes: object) -> Payment:
    return (await store.admit([queued(key, **changes)]))[0].payment


async def took(store: Store, payment: Payment, *what: Happening) -> Payment:
    """The payment after these happenings, each of which must be taken."""
    for happening in what:
        [stepped] = await store.take([Step(payment.id, happening=happening)])
        assert stepped.taken, (stepped.payment, happening)
        assert stepped.payment is not None
        payment = stepped.payment
    return payment


async def in_doubt(store: Store, key: str = "order-1", inquire_at_ns: int = START_NS) -> Payment:
    payment = await admitted(store, key)
    return await took(store, payment, mark(payment), happenings.doubted(Reason.REPLY_LOST, inquire_at_ns))


def word(payment: Payment, said: Word, status: str = "") -> Step:
    return Step(wire=("northbank", payment.wire_reference), outcome=Outcome(said, payment.wire_reference, status))
