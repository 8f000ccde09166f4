"""A stream's instructions are handled in parts, and others have their turn between two of them."""

from functools import partial

import trio.testing

from gateway.config import PrincipalConfig
from gateway.core.payment import Principal
from gateway.events.feed import Feed
from gateway.events.watch import watch
from gateway.ingress.payments import PaymentService
from gateway.ingress.principals import Principals
from gateway.ingress.submitting import ACCEPT_MAX, ANSWERS_MAX, DRAFTS_MAX
from gateway.journey import PREPARED_MAX, accept
from tests.fakes.house import house
from tests.fills import fills
from tests.ingress.arriving import Arrived, Asking
from tests.ingress.messages import submits
from tests.intake.drafts import draft


@fills("ANSWERS_MAX", "DRAFTS_MAX", "PREPARED_MAX")
async def test_a_full_batch_gives_way_between_its_parts(autojump_clock: trio.testing.MockClock) -> None:
    """Translated, checked and answered a part at a time; a batch of one part of each never waits for others."""
    gate = house()
    principals = Principals({"erp": PrincipalConfig(tenant="treasury")}, without_certificate="erp")
    service = PaymentService(gate, principals, partial(watch, Feed(gate.store)))
    for count in (ACCEPT_MAX, 1):
        asking = Asking()
        keys = [f"{count}-{number}" for number in range(count)]
        await service.SubmitPayments(Arrived(submits(*keys)), asking)
        assert [one.idempotency_key for one in asking.answers] == keys
        parts = [-(-count // each) for each in (DRAFTS_MAX, PREPARED_MAX, ANSWERS_MAX)]
        assert asking.gave_way == sum(part - 1 for part in parts)


async def test_a_pause_does_not_part_a_batch(autojump_clock: trio.testing.MockClock) -> None:
    """Whatever happens to the others between two parts, the batch is admitted whole, and in its order."""
    gate, who = house(), Principal("erp", "treasury")
    drafts = [draft(idempotency_key=f"key-{number}", bank="northbank") for number in range(2 * PREPARED_MAX + 1)]
    paused = 0

    async def pause() -> None:
        nonlocal paused
        paused += 1
        assert await gate.store.last_sequence() == 0

    answers = await accept(gate, who, drafts, "", pause)
    assert paused == 2
    assert [one.payment.instruction.idempotency_key for one in answers if hasattr(one, "payment")] == [
        f"key-{number}" for number in range(2 * PREPARED_MAX + 1)
    ]
