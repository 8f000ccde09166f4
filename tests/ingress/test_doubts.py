"""Claims about DoubtService: who may, what they see, and that one person alone decides nothing."""

import logging
from typing import Any

import grpc
import pytest

from causeway.v1 import doubt_service_pb2 as service
from causeway.v1 import payment_pb2
from causeway.v1 import payment_service_pb2 as payments
from gateway.core import happenings
from gateway.core.happenings import Happening
from gateway.core.payment import parse_id
from gateway.core.ports import Step
from gateway.core.reasons import Reason
from gateway.core.states import Kind
from gateway.house import House
from gateway.ingress.doubt_translate import EVIDENCE_SHOWN_BYTES_MAX, EVIDENCE_SHOWN_MAX
from gateway.limits import EVIDENCE_BYTES_MAX
from gateway.telemetry import names
from tests.fakes.clock import FakeClock
from tests.fakes.house import trail
from tests.fakes.payments import attempt
from tests.fills import fills
from tests.ingress.conftest import Edge
from tests.ingress.messages import info, submit, violations

ANSWER = b"<html>gateway time-out, Exemple Creancier SA</html>"
NOTE = "portal, 14:02: booked, asked Maria Vogelsang"


async def take(of: House, text: str, *what: Happening) -> None:
    id_ = parse_id(text)
    assert id_ is not None
    for happening in what:
        [stepped] = await of.store.take([Step(id_, happening=happening)])
        assert stepped.taken, happening


async def in_doubt(edge: Edge, key: str = "key-1", caller: str = "erp", answer: bytes = ANSWER) -> str:
    """The id of a payment whose answer nobody could read, and that was asked about once."""
    text = str((await edge.call("payments.SubmitPayment", submit(key), caller=caller)).payment.id)
    store, id_ = edge.house.store, parse_id(text)
    assert id_ is not None
    payment = await store.get(id_)
    assert payment is not None
    at_ns = edge.house.clock.now_ns()
    marked = happenings.marked(attempt(payment))
    doubted = happenings.doubted(Reason.REPLY_UNREADABLE, at_ns, answer)
    await take(edge.house, text, marked, doubted, happenings.inquired(at_ns + 10**9, b"" if not answer else b"<none/>"))
    return text


async def get(edge: Edge, id_: str, caller: str = "ada") -> Any:
    return await edge.call("doubts.GetDoubt", service.GetDoubtRequest(id=id_), caller=caller)


async def propose(edge: Edge, id_: str, decision: Any, caller: str = "ada", note: str = NOTE) -> Any:
    request = service.ProposeResolutionRequest(id=id_, decision=decision, note=note)
    return (await edge.call("doubts.ProposeResolution", request, caller=caller)).doubt


def confirmation(id_: str, proposal: Any, note: str = "seen too") -> service.ConfirmResolutionRequest:
    return service.ConfirmResolutionRequest(id=id_, proposal_digest=proposal.digest, note=note)


async def objected(edge: Edge, method: str, request: Any, caller: str) -> tuple[str, str]:
    """(reason, state) of a FAILED_PRECONDITION."""
    error = await edge.refused(f"doubts.{method}", request, caller=caller)
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    return info(error).reason, info(error).metadata["state"]


async def test_two_people_end_a_doubt(edge: Edge) -> None:
    """Proposed by one, confirmed by another: the payment is settled, and its history names both and what for."""
    id_ = await in_doubt(edge)
    waiting = await propose(edge, id_, service.DECISION_SETTLED)
    assert (waiting.proposal.proposer, waiting.proposal.own) == ("ada", True)
    assert waiting.payment.state == payment_pb2.STATE_IN_DOUBT
    seen = (await get(edge, id_, "bob")).doubt
    assert (seen.proposal.decision, seen.proposal.own) == (service.DECISION_SETTLED, False)
    answer = await edge.call("doubts.ConfirmResolution", confirmation(id_, seen.proposal), caller="bob")
    assert answer.payment.state == payment_pb2.STATE_SETTLED
    request = payments.GetPaymentRequest(id=id_, include_history=True)
    proposed, decided = (await edge.call("payments.GetPayment", request)).history[-2:]
    assert (proposed.kind, proposed.actor, proposed.decision) == ("proposed", "ada", "SETTLED")
    assert (decided.kind, decided.reason) == ("settled", "DECIDED_BY_TWO")
    assert (decided.proposer, decided.actor, decided.decision) == ("ada", "bob", "SETTLED")


@pytest.mark.parametrize(
    ("decision", "state"),
    [
        (service.DECISION_HELD_BY_BANK, payment_pb2.STATE_ACCEPTED),
        (service.DECISION_REJECTED, payment_pb2.STATE_REJECTED),
        (service.DECISION_NOT_HELD, payment_pb2.STATE_QUEUED),
        (service.DECISION_ABANDONED, payment_pb2.STATE_CANCELLED),
    ],
)
async def test_each_decision_leads_to_its_state(edge: Edge, decision: Any, state: Any) -> None:
    """What was confirmed is what happens; only a payment that the bank holds is followed."""
    id_ = await in_doubt(edge)
    waiting = await propose(edge, id_, decision)
    payment = (await edge.call("doubts.ConfirmResolution", confirmation(id_, waiting.proposal), caller="bob")).payment
    assert payment.state == state
    assert payment.HasField("next_inquiry_time") == (state == payment_pb2.STATE_ACCEPTED)


async def test_doubts_need_the_role(edge: Edge) -> None:
    """A known principal without it is told which role; nothing is shown, not even that a payment exists."""
    id_ = await in_doubt(edge)
    requests = {
        "ListDoubts": service.ListDoubtsRequest(),
        "GetDoubt": service.GetDoubtRequest(id=id_),
        "ProposeResolution": service.ProposeResolutionRequest(id=id_, decision=service.DECISION_SETTLED, note=NOTE),
        "ConfirmResolution": service.ConfirmResolutionRequest(id=id_, proposal_digest="00" * 32, note=NOTE),
    }
    for method, request in requests.items():
        error = await edge.refused(f"doubts.{method}", request, caller="erp")
        assert (error.code(), info(error).reason) == (grpc.StatusCode.PERMISSION_DENIED, "ROLE_REQUIRED")
        assert info(error).metadata["role"] == "doubts"


async def test_another_tenants_doubts_are_not_there(edge: Edge) -> None:
    """The role opens the caller's own tenant and no other."""
    id_ = await in_doubt(edge)
    assert not (await edge.call("doubts.ListDoubts", service.ListDoubtsRequest(), caller="eve")).doubts
    propose_ = service.ProposeResolutionRequest(id=id_, decision=service.DECISION_SETTLED, note=NOTE)
    for method, request in (("GetDoubt", service.GetDoubtRequest(id=id_)), ("ProposeResolution", propose_)):
        error = await edge.refused(f"doubts.{method}", request, caller="eve")
        assert (error.code(), info(error).reason) == (grpc.StatusCode.NOT_FOUND, "PAYMENT_NOT_FOUND")


async def test_nobody_confirms_their_own_proposal(edge: Edge) -> None:
    """OWN_PROPOSAL, and the proposal stays open for another (law 9)."""
    id_ = await in_doubt(edge)
    waiting = await propose(edge, id_, service.DECISION_NOT_HELD)
    request = confirmation(id_, waiting.proposal)
    assert await objected(edge, "ConfirmResolution", request, "ada") == ("OWN_PROPOSAL", "IN_DOUBT")
    await edge.call("doubts.ConfirmResolution", request, caller="bob")


async def test_what_cannot_be_decided_says_why(edge: Edge, of_house: House) -> None:
    """NO_PROPOSAL, PROPOSAL_VOID after another proposal and after the bank's word, NOT_IN_DOUBT; with the state."""
    id_ = await in_doubt(edge)
    first = confirmation(id_, service.Proposal(digest="00" * 32))
    assert await objected(edge, "ConfirmResolution", first, "bob") == ("NO_PROPOSAL", "IN_DOUBT")
    settled = await propose(edge, id_, service.DECISION_SETTLED)
    again = await propose(edge, id_, service.DECISION_NOT_HELD)
    stale = confirmation(id_, settled.proposal)
    assert await objected(edge, "ConfirmResolution", stale, "bob") == ("PROPOSAL_VOID", "IN_DOUBT")
    await take(of_house, id_, Happening(Kind.ACCEPTED, reason=Reason.BANK_ANSWERED, bank_status="ACCP"))
    overtaken = confirmation(id_, again.proposal)
    assert await objected(edge, "ConfirmResolution", overtaken, "bob") == ("PROPOSAL_VOID", "ACCEPTED")
    late = service.ProposeResolutionRequest(id=id_, decision=service.DECISION_SETTLED, note=NOTE)
    assert await objected(edge, "ProposeResolution", late, "ada") == ("NOT_IN_DOUBT", "ACCEPTED")
    assert not (await get(edge, id_)).doubt.HasField("proposal")


async def test_every_wrong_field_comes_back(edge: Edge) -> None:
    """Id, decision, digest and note are checked together; a note must be there, short and printable."""
    error = await edge.refused("doubts.ProposeResolution", service.ProposeResolutionRequest(id="x"), caller="ada")
    assert violations(error) == {"id": "ID_INVALID", "decision": "DECISION_REQUIRED", "note": "NOTE_LENGTH"}
    request = service.ConfirmResolutionRequest(id="x", proposal_digest="zz", note="n" * 501)
    error = await edge.refused("doubts.ConfirmResolution", request, caller="ada")
    assert violations(error) == {"id": "ID_INVALID", "proposal_digest": "DIGEST_INVALID", "note": "NOTE_LENGTH"}
    for note in ("\x1b[2J all settled", "right\u202eto left", "  ", "bell\x07"):
        request = service.ConfirmResolutionRequest(id="x", proposal_digest="00" * 32, note=note)
        error = await edge.refused("doubts.ConfirmResolution", request, caller="ada")
        assert violations(error)["note"] in ("NOTE_UNPRINTABLE", "NOTE_LENGTH")


async def test_the_oldest_doubt_is_listed_first(edge: Edge, of_house: House) -> None:
    """Not the oldest payment; and a token of the other list, which is in another order, is none here."""
    clock = of_house.clock
    assert isinstance(clock, FakeClock)
    old = str((await edge.call("payments.SubmitPayment", submit("old"))).payment.id)
    clock.advance(60)
    first = await in_doubt(edge, "key-1")
    clock.advance(60)
    payment = await of_house.store.get(parse_id(old) or b"")
    assert payment is not None
    await take(of_house, old, happenings.marked(attempt(payment)), happenings.doubted(Reason.REPLY_LOST, 0))
    found = await edge.call("doubts.ListDoubts", service.ListDoubtsRequest(page_size=1), caller="bob")
    assert [one.payment.id for one in found.doubts] == [first]
    rest = service.ListDoubtsRequest(page_size=1, page_token=found.next_page_token)
    assert [one.payment.id for one in (await edge.call("doubts.ListDoubts", rest, caller="bob")).doubts] == [old]
    listed = payments.ListPaymentsRequest(page_size=1, states=[payment_pb2.STATE_IN_DOUBT])
    token = (await edge.call("payments.ListPayments", listed)).next_page_token
    error = await edge.refused("doubts.ListDoubts", service.ListDoubtsRequest(page_token=token), caller="bob")
    assert violations(error) == {"page_token": "PAGE_TOKEN_INVALID"}


async def test_doubts_are_listed_oldest_first_by_bank_and_page(edge: Edge, of_house: House) -> None:
    """With age, attempts, inquiries made and left, and the proposal; payments not in doubt are not there."""
    ids = [await in_doubt(edge, f"key-{n}") for n in range(3)]
    await edge.call("payments.SubmitPayment", submit("queued"))
    await propose(edge, ids[1], service.DECISION_SETTLED)
    first = await edge.call("doubts.ListDoubts", service.ListDoubtsRequest(page_size=2), caller="bob")
    rest = service.ListDoubtsRequest(page_size=2, page_token=first.next_page_token)
    last = await edge.call("doubts.ListDoubts", rest, caller="bob")
    doubts = [*first.doubts, *last.doubts]
    assert [one.payment.id for one in doubts] == sorted(ids)
    assert {(one.attempt_count, one.inquiry_count, one.inquiries_left) for one in doubts} == {(1, 1, 2)}
    assert all(one.HasField("age") for one in doubts)
    assert [one.payment.id for one in doubts if one.HasField("proposal")] == [ids[1]]
    south = service.ListDoubtsRequest(bank="southbank")
    assert not (await edge.call("doubts.ListDoubts", south, caller="bob")).doubts
    error = await edge.refused(
        "doubts.ListDoubts", service.ListDoubtsRequest(page_token=first.next_page_token, bank="northbank"), caller="bob"
    )
    assert violations(error) == {"page_token": "PAGE_TOKEN_INVALID"}


async def test_the_evidence_says_what_it_is(edge: Edge) -> None:
    """The bank's own bytes and people's notes, each with the fact that rests on it; also after the doubt has ended."""
    id_ = await in_doubt(edge)
    waiting = await propose(edge, id_, service.DECISION_SETTLED)
    await edge.call("doubts.ConfirmResolution", confirmation(id_, waiting.proposal, note=NOTE), caller="bob")
    answer = await get(edge, id_)
    bank, note = service.EVIDENCE_SOURCE_BANK, service.EVIDENCE_SOURCE_NOTE
    assert [(one.source, one.fact_kind, one.actor, one.content) for one in answer.evidence] == [
        (bank, "doubted", "", ANSWER),
        (bank, "inquired", "", b"<none/>"),
        (note, "proposed", "ada", NOTE.encode()),
        (note, "settled", "bob", NOTE.encode()),
    ]
    assert not answer.evidence_cut
    assert [fact.kind for fact in answer.history][-3:] == ["inquired", "proposed", "settled"]
    assert (answer.doubt.inquiries_left, answer.doubt.HasField("age")) == (0, False)


@fills("EVIDENCE_SHOWN_MAX", "EVIDENCE_SHOWN_BYTES_MAX")
async def test_the_evidence_shown_is_bounded(edge: Edge, of_house: House) -> None:
    """The latest pieces within number and bytes; that there is older evidence is said, and a long answer is cut."""
    id_ = await in_doubt(edge, answer=b"x" * (EVIDENCE_BYTES_MAX + 1))
    assert (await get(edge, id_)).evidence[0].original_bytes == EVIDENCE_BYTES_MAX + 1
    large = [happenings.inquired(0, b"%d" % n + b"y" * (EVIDENCE_BYTES_MAX - 2)) for n in range(20)]
    await take(of_house, id_, *large)
    answer = await get(edge, id_)
    assert answer.evidence_cut
    assert sum(len(one.content) for one in answer.evidence) <= EVIDENCE_SHOWN_BYTES_MAX
    assert answer.evidence[-1].content.startswith(b"19")
    await take(of_house, id_, *(happenings.inquired(0, b"short %d" % n) for n in range(100)))
    answer = await get(edge, id_)
    assert (len(answer.evidence), answer.evidence_cut) == (EVIDENCE_SHOWN_MAX, True)


async def test_a_note_is_in_no_log_span_or_metric(edge: Edge, caplog: pytest.LogCaptureFixture) -> None:
    """What a person wrote goes into the store and nowhere else, whether it is taken or refused (law 11)."""
    caplog.set_level(logging.DEBUG)
    id_ = await in_doubt(edge)
    waiting = await propose(edge, id_, service.DECISION_SETTLED)
    too_long = service.ConfirmResolutionRequest(id=id_, proposal_digest=waiting.proposal.digest, note=NOTE + "n" * 500)
    error = await edge.refused("doubts.ConfirmResolution", too_long, caller="bob")
    await edge.refused("doubts.ConfirmResolution", confirmation(id_, waiting.proposal, NOTE), caller="ada")
    await edge.call("doubts.ConfirmResolution", confirmation(id_, waiting.proposal, NOTE), caller="bob")
    seen = trail(edge.house)
    decide = seen.named(names.DECIDE)
    assert [span.attributes.get("state") for span in decide] == ["IN_DOUBT", "IN_DOUBT", "SETTLED"]
    told = [repr(seen.spans), repr(seen.counts), caplog.text, str(error.details())]
    assert not [text for text in told if "Vogelsang" in text or "14:02" in text]
