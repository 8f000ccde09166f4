"""Claims about how many traces a page names."""

from collections.abc import AsyncGenerator, Sequence

from gateway.core.facts import Fact
from gateway.core.payment import Principal
from gateway.core.states import Kind, State
from gateway.house import House
from gateway.ingress.payments import LINKS_MAX, PaymentService
from gateway.ingress.principals import Principals
from gateway.telemetry import names
from tests.fakes.clock import START_NS
from tests.fakes.house import trail
from tests.fills import fills
from tests.ingress.conftest import CONFIGURED

CALLER = Principal("erp", "treasury")


def _service(of: House) -> PaymentService:
    def watch(*_: object, **__: object) -> AsyncGenerator[tuple[Sequence[Fact], int], None]:
        raise AssertionError("nobody watches here")

    return PaymentService(of, Principals(CONFIGURED), watch)


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
