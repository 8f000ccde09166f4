"""Claims about the quarantine of a restored store as operators see and end it."""

from dataclasses import replace

import grpc
import pytest

from causeway.v1 import quarantine_service_pb2 as service
from gateway.cli.refusal import Refusal, from_call
from gateway.core import happenings
from gateway.core.facts import Fact, StoreHappening, StoreKind, store_fact
from gateway.core.ports import Step
from gateway.core.states import Kind
from gateway.house import House, Quarantine
from tests.fakes.bank import DECLARATION
from tests.fakes.clock import START_NS
from tests.fakes.house import bank, house, queue
from tests.ingress.conftest import Edge
from tests.ingress.messages import submit

READ = ("northbank", "southbank")


def facts(*happened: StoreHappening) -> list[Fact]:
    return [store_fact(one, 8 + n, 1 + n, START_NS) for n, one in enumerate(happened)]


@pytest.fixture
def of_house() -> House:
    """In quarantine; southbank cannot be asked."""
    since = facts(
        StoreHappening(StoreKind.RESTORED, actor="os:ada"),
        StoreHappening(StoreKind.UNKNOWN_REFERENCE, bank="northbank", wire_reference="CWX", bank_status="ACSC"),
    )
    gate = house(
        bank("northbank", accounts=["DE89370400440532013000"]),
        bank("southbank", replace(DECLARATION, inquiry=False), accounts=["FR1420041010050500013M02606"]),
    )
    return replace(gate, quarantine=Quarantine(since))


async def refused(edge: Edge, method: str, request: object, caller: str = "ops") -> Refusal:
    error = await edge.refused(method, request, caller=caller)
    assert isinstance(error, grpc.RpcError)
    return from_call(error)


END = service.EndQuarantineRequest(note="compared with the statements of the 21st")


async def test_what_it_waits_for_is_shown(edge: Edge) -> None:
    """Since when, by whom, from what; per bank what is undecided; and what the banks know and we do not."""
    payments = await queue(edge.house, 1, 2)
    await edge.house.store.take([Step(payments[0].id, happening=happenings.suspected("os:ada", 1))])
    edge.house.quarantine.mailboxes_read.add("southbank")
    answer = await edge.call("quarantine.GetQuarantine", service.GetQuarantineRequest(), caller="ops")
    seen = answer.quarantine
    assert (seen.active, seen.restored_by, seen.backup_sequence) == (True, "os:ada", 7)
    north, south = seen.banks
    assert (north.name, north.in_doubt_count, north.queued_count, north.inquiry) == ("northbank", 1, 1, True)
    assert (north.mailbox, south.mailbox, south.inquiry) == (service.MAILBOX_UNREAD, service.MAILBOX_READ, False)
    [unknown] = seen.unknown_references
    assert (unknown.bank, unknown.wire_reference, unknown.bank_status_code) == ("northbank", "CWX", "ACSC")


async def test_it_ends_when_all_is_decided_and_not_before(edge: Edge) -> None:
    """A doubt, or a mailbox that was not read, keeps it; then an operator's act ends it, once, and is in the log."""
    [payment] = await queue(edge.house, 1)
    await edge.house.store.take([Step(payment.id, happening=happenings.suspected("os:ada", 1))])
    told = await refused(edge, "quarantine.EndQuarantine", END)
    assert (told.code, told.reason) == ("FAILED_PRECONDITION", "QUARANTINE_UNDECIDED")
    assert told.metadata == {"in_doubt": "1", "unread_mailboxes": "northbank, southbank"}
    edge.house.quarantine.mailboxes_read.update(READ)
    assert (await refused(edge, "quarantine.EndQuarantine", END)).metadata["in_doubt"] == "1"
    settled = happenings.Happening(Kind.SETTLED)
    await edge.house.store.take([Step(payment.id, happening=settled)])
    assert edge.house.quarantine.active
    answer = await edge.call("quarantine.EndQuarantine", END, caller="ops")
    assert not answer.quarantine.active
    assert edge.house.quarantine.over.is_set()
    last = (await edge.house.store.facts(0, 100))[-1]
    assert (last.kind, last.actor) == (StoreKind.QUARANTINE_ENDED, "ops")
    assert (await refused(edge, "quarantine.EndQuarantine", END)).reason == "NOT_QUARANTINED"


@pytest.mark.parametrize("method", ["GetQuarantine", "EndQuarantine"])
async def test_it_needs_the_role(edge: Edge, method: str) -> None:
    """Nobody without the role sees or ends it, also not who may decide about doubts."""
    request = END if method == "EndQuarantine" else service.GetQuarantineRequest()
    for caller in ("erp", "ada"):
        assert (await refused(edge, f"quarantine.{method}", request, caller)).reason == "ROLE_REQUIRED"
    assert edge.house.quarantine.active


async def test_it_does_not_end_without_a_word(edge: Edge) -> None:
    """Whoever ends it says what was compared."""
    edge.house.quarantine.mailboxes_read.update(READ)
    told = await refused(edge, "quarantine.EndQuarantine", service.EndQuarantineRequest(note=" "))
    assert told.reason == "REQUEST_INVALID"
    assert edge.house.quarantine.active


async def test_an_instruction_is_refused_and_not_to_be_tried_again(edge: Edge) -> None:
    """FAILED_PRECONDITION without RetryInfo: a client that retried by itself would pay again what was lost here."""
    told = await refused(edge, "payments.SubmitPayment", submit(), "erp")
    assert (told.code, told.reason, told.retry_after_s) == ("FAILED_PRECONDITION", "QUARANTINED", None)
