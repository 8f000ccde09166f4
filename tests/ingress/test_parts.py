"""A stream's instructions are handled in parts, and others have their turn between two of them."""

from collections.abc import Sequence
from functools import partial

import trio.testing

from causeway.v1.payment_service_pb2 import SubmitPaymentsRequest, SubmitPaymentsResponse
from gateway.config import PrincipalConfig
from gateway.core.payment import Principal
from gateway.events.feed import Feed
from gateway.events.watch import watch
from gateway.ingress.payments import ACCEPT_MAX, ANSWERS_MAX, DRAFTS_MAX, PaymentService
from gateway.ingress.principals import Principals
from gateway.journey import PREPARED_MAX, accept
from tests.fakes.house import house
from tests.fills import fills
from tests.ingress.messages import submits
from tests.intake.drafts import draft


class Asking:
    """A call without a wire: it counts how often its handler gives way."""

    peer_certificate = None

    def __init__(self) -> None:
        self.gave_way = 0

    def invocation_metadata(self) -> Sequence[tuple[str, str | bytes]]:
        return ()

    async def give_way(self) -> None:
        self.gave_way += 1


class Arrived:
    """One batch of requests."""

    def __init__(self, *requests: SubmitPaymentsRequest) -> None:
        self._batches = [list(requests), []]

    async def batch(self) -> list[SubmitPaymentsRequest]:
        return self._batches.pop(0)


@fills("ANSWERS_MAX", "DRAFTS_MAX", "PREPARED_MAX")
async def test_a_full_batch_gives_way_between_its_parts(autojump_clock: trio.testing.MockClock) -> None:
    """Translated, checked and answered a part at a time; a batch of one part of each never waits for others."""
    gate = house()
    principals = Principals({"erp": PrincipalConfig(tenant="treasury")}, without_certificate="erp")
    service = PaymentService(gate, principals, partial(watch, Feed(gate.store)))
    for count in (ACCEPT_MAX, 1):
        asking = Asking()
        keys = [f"{count}-{number}" for number in range(count)]
        answers = [one async for batch in service.SubmitPayments(Arrived(*submits(*keys)), asking) for one in batch]
        assert [SubmitPaymentsResponse.FromString(one).idempotency_key for one in answers] == keys
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
