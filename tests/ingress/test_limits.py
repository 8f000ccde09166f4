"""Claims about the bounds of the API: as much as is allowed is served, and one more is refused or cut."""

from contextlib import ExitStack

import pytest
from grpc import StatusCode

from causeway.v1 import payment_pb2
from causeway.v1 import payment_service_pb2 as service
from gateway import limits
from gateway.core.decisions import NOTE_CHARS_MAX
from gateway.core.errors import InvalidInstruction, Overloaded, Violation
from gateway.house import House
from gateway.ingress import tokens, translate
from gateway.ingress.doubt_requests import checked_note
from gateway.ingress.errors import DESCRIPTION_BYTES_MAX, MESSAGE_VIOLATIONS_MAX, InvalidRequest, as_rpc_error
from gateway.ingress.payments import HISTORY_MAX
from gateway.ingress.requests import WATCHED_PAYMENTS_MAX, Checks, WatchAsked
from gateway.ingress.shedding import STATUSES_MAX, SUBMISSIONS_MAX, Shedding, Submissions, _status
from gateway.ingress.translate import PARTIES_KEPT_MAX, PARTY_BYTES_KEPT_MAX
from tests.fakes.clock import FakeClock
from tests.fakes.house import house, queue
from tests.fills import fills
from tests.ingress.conftest import Edge
from tests.ingress.messages import info, submit, violations
from tests.ingress.weary_store import WearyStore, weary

SOMEBODY = "01890a5d-ac96-774b-bcce-b302099a8057"


@fills("PAGE_SIZE_DEFAULT", "PAGE_SIZE_MAX")
async def test_a_page_has_its_sizes(edge: Edge, of_house: House) -> None:
    """Nothing asked for is PAGE_SIZE_DEFAULT; PAGE_SIZE_MAX is served whole; one more is refused."""
    await queue(of_house, *range(limits.PAGE_SIZE_MAX + 1), tenant="treasury")
    for asked, got in ((0, limits.PAGE_SIZE_DEFAULT), (limits.PAGE_SIZE_MAX, limits.PAGE_SIZE_MAX)):
        page = await edge.call("payments.ListPayments", service.ListPaymentsRequest(page_size=asked))
        assert len(page.payments) == got
        assert page.next_page_token
    over = service.ListPaymentsRequest(page_size=limits.PAGE_SIZE_MAX + 1)
    assert violations(await edge.refused("payments.ListPayments", over)) == {"page_size": "PAGE_SIZE_OUT_OF_RANGE"}


@fills("KEY_LOOKUP_MAX")
async def test_an_ambiguous_name_costs_a_bounded_look(edge: Edge, of_house: House) -> None:
    """However many payments carry one EndToEndId, no more than KEY_LOOKUP_MAX are read to call it ambiguous."""
    for number in range(limits.KEY_LOOKUP_MAX + 5):
        await edge.call("payments.SubmitPayment", submit(f"key-{number}", end_to_end_id="INV-7"))
    found = await weary(of_house).by_end_to_end_id("treasury", "INV-7", limits.KEY_LOOKUP_MAX)
    assert len(found) == limits.KEY_LOOKUP_MAX
    read = weary(of_house).read_by_name
    refused = await edge.refused("payments.GetPayment", service.GetPaymentRequest(end_to_end_id="INV-7"))
    assert info(refused).reason == "AMBIGUOUS_END_TO_END_ID"
    assert weary(of_house).read_by_name - read == limits.KEY_LOOKUP_MAX


@fills("WATCHED_PAYMENTS_MAX")
def test_so_many_payments_may_be_watched_by_name() -> None:
    """A thousand and one are refused before one of them is looked at."""
    asked = WatchAsked(service.WatchPaymentsRequest(payment_ids=[SOMEBODY] * WATCHED_PAYMENTS_MAX), 0)
    assert len(asked.payment_ids) == 1
    with pytest.raises(InvalidRequest) as caught:
        WatchAsked(service.WatchPaymentsRequest(payment_ids=["seven"] * (WATCHED_PAYMENTS_MAX + 1)), 0)
    assert [violation.reason for violation in caught.value.violations] == ["PAYMENT_IDS_TOO_MANY"]


@fills("TOKEN_CHARS_MAX")
def test_a_long_token_is_none_of_ours() -> None:
    """The longest that fits is read; a longer one is refused though it is sealed rightly."""
    content = bytes(tokens.TOKEN_CHARS_MAX * 3 // 4 - 1 - tokens.CHECK_BYTES)
    longest = tokens.seal(tokens.Kind.PAGE, content)
    assert len(longest) == tokens.TOKEN_CHARS_MAX
    assert tokens.unseal(tokens.Kind.PAGE, longest) == content
    assert tokens.unseal(tokens.Kind.PAGE, tokens.seal(tokens.Kind.PAGE, content + b"x")) is None


@fills("DESCRIPTION_BYTES_MAX", "MESSAGE_VIOLATIONS_MAX")
def test_errors_stay_short() -> None:
    """Descriptions fill their room and not a byte more; the message spells out the first few violations."""
    size = DESCRIPTION_BYTES_MAX // 8
    many = [Violation(f"f{number}", "REASON", "x" * size) for number in range(9)]
    told = as_rpc_error(InvalidInstruction(many))
    listed = [one.description for one in told.details[1].field_violations]  # type: ignore[attr-defined]
    assert sum(map(len, listed)) == DESCRIPTION_BYTES_MAX
    assert listed[8] == ""
    assert told.message.count("x" * size) == MESSAGE_VIOLATIONS_MAX
    assert f"{9 - MESSAGE_VIOLATIONS_MAX} more" in told.message


@fills("HISTORY_MAX")
async def test_a_long_history_is_cut(edge: Edge, of_house: House) -> None:
    """GetPayment shows the first HISTORY_MAX facts of a payment that has more."""
    id_ = (await edge.call("payments.SubmitPayment", submit("k"))).payment.id
    store = weary(of_house)
    store.history_times = HISTORY_MAX
    answer = await edge.call("payments.GetPayment", service.GetPaymentRequest(id=id_, include_history=True))
    assert len(answer.history) == HISTORY_MAX


@fills("NOTE_CHARS_MAX")
def test_a_note_has_its_length() -> None:
    """A person's note of NOTE_CHARS_MAX characters is taken, and one more is a violation."""
    checks = Checks()
    assert len(checked_note("n" * NOTE_CHARS_MAX, checks)) == NOTE_CHARS_MAX
    checks.done()
    checked_note("n" * (NOTE_CHARS_MAX + 1), checks)
    with pytest.raises(InvalidRequest) as caught:
        checks.done()
    assert [violation.reason for violation in caught.value.violations] == ["NOTE_LENGTH"]


@fills("STATUSES_MAX")
def test_refusals_are_kept_ready_made() -> None:
    """However waits vary, no more than STATUSES_MAX answers are kept."""
    full = WearyStore(FakeClock())
    shed = Shedding(house(store=full))
    for tenth in range(2 * STATUSES_MAX):
        full.full = Overloaded("store queue", tenth / 10)
        assert shed("/causeway.v1.PaymentService/SubmitPayment") is not None
    assert _status.cache_info().currsize == STATUSES_MAX


@fills("SUBMISSIONS_MAX")
def test_submissions_do_not_pile_up() -> None:
    """Where so many are open, one more is told to come back before it costs a task; with one done, it is let in."""
    submissions = Submissions()
    shed = Shedding(house(), submissions)
    submit_payment = "/causeway.v1.PaymentService/SubmitPayment"
    with ExitStack() as calls:
        for _ in range(SUBMISSIONS_MAX):
            assert shed(submit_payment) is None
            calls.enter_context(submissions)
        refused = shed(submit_payment)
        assert refused is not None
        assert (refused.code, "submission queue is full" in refused.details) == (StatusCode.RESOURCE_EXHAUSTED, True)
        assert shed("/causeway.v1.PaymentService/GetPayment") is None
    assert shed(submit_payment) is None


@fills("translate.PARTIES_KEPT_MAX", "PARTY_BYTES_KEPT_MAX")
def test_parties_of_strangers_fill_no_memory() -> None:
    """However many parties are named, so many are remembered, and none in a large message."""
    translate._kept_party.cache_clear()
    for number in range(PARTIES_KEPT_MAX + 10):
        translate.draft(payment_pb2.Instruction(debtor=payment_pb2.Party(name=f"Stranger {number}")))
    kept = translate._kept_party.cache_info()
    assert kept.currsize == PARTIES_KEPT_MAX
    long = "N" * (PARTY_BYTES_KEPT_MAX + 1)
    assert translate.draft(payment_pb2.Instruction(creditor=payment_pb2.Party(name=long))).instruction.creditor.name
    assert translate._kept_party.cache_info().misses <= kept.misses + 1  # the debtor that was not there
    translate._kept_party.cache_clear()
