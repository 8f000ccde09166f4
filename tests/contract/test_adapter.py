"""What every adapter owes the house, whatever its bank speaks. Put to every protocol of the registry."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.registry import PROTOCOLS, build
from gateway import limits
from gateway.core.errors import Unreadable
from gateway.core.outcome import Outcome, Word
from gateway.core.payment import Account, Party, Payment
from gateway.core.ports import Adapter, Collects, Submission, WireAnswer
from tests.contract.bank_voices import VOICES, Voice
from tests.fakes.payments import IBAN_FR, NOW, attempt, payment, submission

PAYMENTS = tuple(payment(number) for number in range(1, 6))
BULK = submission(PAYMENTS)
FOREIGN = submission([payment(number) for number in range(101, 106)])
ENDS = (Word.TAKEN, Word.SETTLED, Word.REJECTED)


@pytest.fixture(params=VOICES, scope="module")
def voice(request: pytest.FixtureRequest) -> Voice:
    return VOICES[request.param]


@pytest.fixture(scope="module")
def adapter(voice: Voice) -> Adapter:
    return build(voice.protocol, voice.settings)


def sent(of: Payment, told: Submission) -> Payment:
    """The payment after an attempt in that message."""
    return replace(of, attempts=(attempt(of, message_reference=told.message_reference),))


def words(outcomes: tuple[Outcome, ...]) -> dict[str, Word]:
    assert len({one.wire_reference for one in outcomes}) == len(outcomes)
    return {one.wire_reference: one.word for one in outcomes}


def test_every_protocol_is_held_to_the_contract() -> None:
    """An adapter that is in the registry and not here has promised nothing."""
    assert {voice.protocol for voice in VOICES.values()} == set(PROTOCOLS)


def test_the_declaration_is_complete(adapter: Adapter) -> None:
    """The resend rules rest on it: its values are in range, and no proof is promised that cannot be asked for."""
    told = adapter.declaration
    assert isinstance(adapter, Adapter)
    assert told.duplicate_window_s >= 0
    assert told.visibility_s >= 0
    assert 1 <= told.bulk_lines_max <= limits.BULK_LINES_MAX
    assert told.inquiry or not told.not_found_is_proof
    assert bool(told.duplicate_key) or told.duplicate_window_s == 0
    assert adapter.declaration == told


def test_what_is_sent_is_a_function_of_the_submission(adapter: Adapter, voice: Voice) -> None:
    """The payload's hash is committed before the first byte leaves: composing again gives the same bytes."""
    again = build(voice.protocol, voice.settings)
    assert adapter.compose(BULK) == adapter.compose(BULK) == again.compose(BULK)
    assert adapter.compose(BULK) != adapter.compose(replace(BULK, created_at=NOW + timedelta(seconds=1)))


def test_every_payment_goes_out_under_its_wire_reference(adapter: Adapter) -> None:
    """Each reference once, so that the bank's word and our record meet."""
    request = adapter.compose(BULK)
    assert request.method.isupper()
    assert request.path.startswith("/")
    assert all(name == name.lower() and not name.startswith(":") for name, _ in request.headers)
    for one in PAYMENTS:
        assert request.body.count(one.wire_reference.encode()) == 1


def test_labels_and_internal_names_stay_in_the_house(adapter: Adapter) -> None:
    """Neither the idempotency key, the tenant nor free labels reach a bank."""
    told = payment(idempotency_key="KEY-SECRET", labels=(("team", "LABEL-SECRET"),), tenant="TENANT-SECRET")
    body = adapter.compose(submission([told])).body
    assert b"SECRET" not in body


def test_what_cannot_be_said_is_a_value_error(adapter: Adapter) -> None:
    """Before anything is sent, and without the client's data in the text."""
    for told in (payment(creditor=Party("Nobody\x00", Account(IBAN_FR))), payment(remittance="a\x1fb")):
        with pytest.raises(ValueError, match=r".") as refused:
            adapter.compose(submission([told]))
        assert "Nobody" not in str(refused.value)


def test_more_lines_than_declared_are_refused(adapter: Adapter) -> None:
    most = adapter.declaration.bulk_lines_max
    adapter.compose(submission([payment(number) for number in range(1, most + 1)]))
    with pytest.raises(ValueError, match=r"."):
        adapter.compose(submission([payment(number) for number in range(1, most + 2)]))


def test_every_payment_of_a_bulk_gets_its_word(adapter: Adapter, voice: Voice) -> None:
    """One taken, one settled, one rejected, each as the bank said, with a status and evidence."""
    told = {one.wire_reference: ENDS[index % 3] for index, one in enumerate(PAYMENTS)}
    outcomes = adapter.read(BULK, voice.says(BULK, told))
    assert words(outcomes) == told
    assert all(one.bank_status and one.evidence for one in outcomes)


@pytest.mark.parametrize("word", ENDS)
def test_a_word_for_the_whole_message_is_each_payments(adapter: Adapter, voice: Voice, word: Word) -> None:
    outcomes = adapter.read(BULK, voice.says_of_all(BULK, word))
    assert words(outcomes) == {one.wire_reference: word for one in PAYMENTS}


@pytest.mark.parametrize("word", ENDS)
def test_who_is_not_mentioned_gets_no_word(adapter: Adapter, voice: Voice, word: Word) -> None:
    told = {PAYMENTS[2].wire_reference: word}
    assert words(adapter.read(BULK, voice.says(BULK, told))) == told


@pytest.mark.parametrize("word", ENDS)
def test_an_answer_about_others_touches_nothing(adapter: Adapter, voice: Voice, word: Word) -> None:
    """A bank that answers about another message has said nothing about ours, in a submission or an inquiry."""
    foreign = {one.wire_reference: word for one in FOREIGN.payments}
    for answer in (voice.says(FOREIGN, foreign), voice.says_of_all(FOREIGN, word)):
        with pytest.raises(Unreadable):
            adapter.read(BULK, answer)
        with pytest.raises(Unreadable):
            adapter.read_inquiry(sent(PAYMENTS[0], BULK), answer)


@pytest.mark.parametrize("word", ENDS)
def test_an_inquiry_hears_its_own_payment_only(adapter: Adapter, voice: Voice, word: Word) -> None:
    """The report of a whole bulk answers an inquiry with one word, and with none where the payment is not in it."""
    if not adapter.declaration.inquiry:
        pytest.skip("this bank offers no inquiry")
    asked, other = PAYMENTS[0], PAYMENTS[1]
    assert asked.wire_reference in adapter.inquire(sent(asked, BULK)).path
    told = {asked.wire_reference: word, other.wire_reference: Word.REJECTED}
    outcomes = adapter.read_inquiry(sent(asked, BULK), voice.says(BULK, told))
    assert words(outcomes) == {asked.wire_reference: word}
    assert adapter.read_inquiry(sent(asked, BULK), voice.says(BULK, {other.wire_reference: word})) == ()


def test_not_found_needs_a_definite_answer(adapter: Adapter, voice: Voice) -> None:
    """Only the bank's own "not found" clears a way for a second send, and only in an inquiry."""
    [outcome] = adapter.read_inquiry(sent(PAYMENTS[0], BULK), voice.not_found)
    assert (outcome.word, outcome.wire_reference) == (Word.NOT_FOUND, PAYMENTS[0].wire_reference)
    with pytest.raises(Unreadable):
        adapter.read(BULK, voice.not_found)
    for status in (200, 204, 301, 400, 401, 403, 500, 502, 503, 504):
        try:
            outcomes = adapter.read_inquiry(sent(PAYMENTS[0], BULK), WireAnswer(status))
        except Unreadable:
            continue
        assert all(one.word is not Word.NOT_FOUND for one in outcomes)


@pytest.mark.parametrize("status", [100, 204, 301, 400, 401, 403, 404, 409, 500, 502, 503, 504])
def test_a_bare_failure_is_no_word(adapter: Adapter, status: int) -> None:
    """A status line alone neither takes nor rejects a payment: it is in doubt."""
    for body in (b"", b"<html><body>Service unavailable</body></html>", b'{"error":"x"}'):
        with pytest.raises(Unreadable):
            adapter.read(BULK, WireAnswer(status, body=body))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(status=st.integers(100, 599), body=st.binary(min_size=1, max_size=200), header=st.text(max_size=20))
def test_garbage_is_unreadable_and_nothing_else(adapter: Adapter, status: int, body: bytes, header: str) -> None:
    """No answer raises anything but Unreadable, and none that is garbage settles or rejects."""
    answer = WireAnswer(status, (("content-type", header), ("retry-after", header), ("date", header)), body)
    reads: list[Callable[[], tuple[Outcome, ...]]] = [
        lambda: adapter.read(BULK, answer),
        lambda: adapter.read_inquiry(PAYMENTS[0], answer),
    ]
    if isinstance(adapter, Collects):
        collects = adapter
        reads.append(lambda: collects.read_collection("1", answer).outcomes)
    for read in reads:
        try:
            outcomes = read()
        except Unreadable:
            continue
        assert not {one.word for one in outcomes} & {Word.SETTLED, Word.REJECTED, Word.RETURNED}


def test_a_mailbox_gives_words_under_wire_references(adapter: Adapter, voice: Voice) -> None:
    """Without the submission at hand, each mentioned payment gets its word, and the cursor moves on."""
    if not isinstance(adapter, Collects) or voice.collected is None:
        pytest.skip("this bank has no mailbox")
    told = {one.wire_reference: ENDS[index % 3] for index, one in enumerate(PAYMENTS[:4])}
    collection = adapter.read_collection("", voice.collected(BULK, told, "next-7"))
    assert words(collection.outcomes) == told
    assert (collection.cursor, collection.unreadable) == ("next-7", ())
    request = adapter.collect(collection.cursor)
    assert "next-7" in request.path
