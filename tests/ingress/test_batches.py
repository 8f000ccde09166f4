"""Claims about how much is done for one stream before others have their turn, and how many traces a page names."""

from collections.abc import AsyncGenerator, Sequence

import trio

from gateway.core.facts import Fact
from gateway.core.payment import Principal
from gateway.core.states import Kind, State
from gateway.house import House
from gateway.ingress.payments import ANSWERS_MAX, LINKS_MAX, PaymentService
from gateway.ingress.principals import Principals
from gateway.telemetry import names
from tests.fakes.clock import START_NS
from tests.fakes.house import trail
from tests.fills import fills
from tests.ingress.conftest import CONFIGURED
from tests.ingress.messages import submits

CALLER = Principal("erp", "treasury")


def _service(of: House) -> PaymentService:
    def watch(*_: object, **__: object) -> AsyncGenerator[tuple[Sequence[Fact], int], None]:
        raise AssertionError("nobody watches here")

    return PaymentService(of, Principals(CONFIGURED), watch)


class Turns(trio.abc.Instrument):
    """Counts the turns of the loop."""

    had = 0

    def before_io_wait(self, timeout: float) -> None:
        self.had += 1


async def _turns_for(service: PaymentService, count: int) -> int:
    """Turns that others have while so many requests of one stream are answered."""
    turns = Turns()
    requests = submits(*(f"{count}-{number}" for number in range(count)))
    trio.lowlevel.add_instrument(turns)
    answers = await service._submit(CALLER, requests, "")
    trio.lowlevel.remove_instrument(turns)
    assert [answer.idempotency_key for answer in answers] == [one.instruction.idempotency_key for one in requests]
    return turns.had


@fills("ANSWERS_MAX")
async def test_others_have_their_turn_between_answers(of_house: House) -> None:
    """ANSWERS_MAX answers of one stream are made in one turn of the loop, as one is; for one more, others come
    first."""
    service = _service(of_house)
    one = await _turns_for(service, 1)
    assert await _turns_for(service, ANSWERS_MAX) == one
    assert await _turns_for(service, ANSWERS_MAX + 1) == one + 1


def _facts(traces: int) -> list[Fact]:
    return [
        Fact(
            number,
            number.to_bytes(16, "big"),
            "treasury",
            1,
            START_NS,
            Kind.RECEIVED,
            State.RECEIVED,
            State.RECEIVED,
            traceparent=f"00-{number:032x}-{number:016x}-01",
        )
        for number in range(1, traces + 1)
    ]


@fills("payments.LINKS_MAX")
async def test_a_page_names_so_many_traces(of_house: House) -> None:
    """A page of LINKS_MAX traces is linked to all of them, a larger one to the first; all facts are told."""
    service = _service(of_house)
    for traces in (LINKS_MAX, LINKS_MAX + 1, 100):
        facts = _facts(traces)
        assert len(service._told(facts, traces)) == traces
        span = trail(of_house).named(names.WATCH)[-1]
        assert list(span.links) == [fact.traceparent for fact in facts[:LINKS_MAX]]
