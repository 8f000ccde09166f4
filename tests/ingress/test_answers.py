"""Claims about answers to submissions: written by hand, they are what protobuf would have written."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from causeway.v1 import payment_service_pb2 as service
from gateway.core.payment import Account, Address, ChargeBearer, Instruction, Money, Party, Payment, Rail, text_id
from gateway.core.ports import Admitted
from gateway.core.states import State
from gateway.ingress import translate
from gateway.ingress.answers import (
    _PARTIES,
    PARTIES_WRITTEN_MAX,
    SECONDS_KEPT_MAX,
    _seconds,
    submitted,
    submitted_in_stream,
)
from tests.fakes.payments import NOW_NS, attempt, payment
from tests.fills import fills

texts = st.text(max_size=10) | st.just("ü" * 64) | st.just("N" * 127) | st.just("N" * 20_000)
numbers = st.integers(0, 300) | st.integers(0, 2**63 - 1)
moments = numbers | st.just(NOW_NS)
parties = st.builds(
    Party,
    name=texts,
    account=st.builds(Account, iban=texts.filter(bool)) | st.builds(Account, other=texts.filter(bool)),
    agent_bic=texts,
    address=st.just(Address()) | st.builds(Address, *([texts] * 5)),
)
instructions = st.builds(
    Instruction,
    idempotency_key=texts,
    end_to_end_id=texts,
    amount=st.builds(
        Money, currency=texts, value=st.decimals("0.0001", 10**15, places=4) | st.sampled_from((Decimal("1E+3"),))
    ),
    debtor=parties,
    creditor=parties,
    bank=texts,
    requested_execution_date=st.none() | st.dates(),
    purpose=texts,
    remittance=texts,
    charge_bearer=st.sampled_from(ChargeBearer),
    rail=st.sampled_from(Rail),
    labels=st.dictionaries(texts, texts, max_size=3).map(lambda labels: tuple(sorted(labels.items()))),
)
fresh: dict[str, Any] = {
    "instruction": instructions,
    "state": st.sampled_from(State),
    "version": st.integers(1, 2**40),
    "received_at_ns": moments.filter(bool),
    "updated_at_ns": moments.filter(bool),
    "traceparent": texts,
}
gone_on: dict[str, Any] = {
    "holds": st.lists(texts, max_size=2).map(tuple),
    "attempts": st.just((attempt(payment(1)),)),
    "bank_status": texts,
    "bank_reason": texts,
    "contradiction": texts,
    "doubt_since_ns": moments,
    "inquiries": st.integers(0, 5),
    "inquire_at_ns": moments,
    "send_after_ns": moments,
}
payments = st.fixed_dictionaries(fresh, optional=gone_on).map(lambda changes: replace(payment(1), **changes))


@given(record=payments, replay=st.booleans())
def test_an_answer_reads_as_protobuf_would_have_written_it(record: Payment, replay: bool) -> None:
    """Every field of a payment, at any length, fresh or gone on."""
    wanted = service.SubmitPaymentResponse(payment=translate.payment(record), replayed=replay)
    assert service.SubmitPaymentResponse.FromString(submitted(Admitted(record, replay))) == wanted


@given(record=payments, replay=st.booleans())
def test_an_answer_in_a_stream_is_byte_for_byte_protobufs(record: Payment, replay: bool) -> None:
    """All of its fields are simple, so there is one way to write it."""
    wanted = service.SubmitPaymentsResponse(
        idempotency_key=record.instruction.idempotency_key,
        payment_id=text_id(record.id),
        end_to_end_id=record.instruction.end_to_end_id,
        state=translate.STATES[record.state],
        replayed=replay,
    )
    assert submitted_in_stream(Admitted(record, replay)) == wanted.SerializeToString()


def test_a_fresh_payment_is_byte_for_byte_protobufs() -> None:
    """The usual answer is not only read alike: its fields stand in protobuf's own order."""
    record = payment(1)
    wanted = service.SubmitPaymentResponse(payment=translate.payment(record), replayed=False)
    assert submitted(Admitted(record, False)) == wanted.SerializeToString()


@fills("SECONDS_KEPT_MAX")
def test_so_many_seconds_are_remembered() -> None:
    """A moment's encoding is kept for the calls of the same second, and not for ever."""
    _seconds.cache_clear()
    for second in range(NOW_NS, NOW_NS + SECONDS_KEPT_MAX + 5):
        _seconds(second)
    assert _seconds.cache_info().currsize == SECONDS_KEPT_MAX


@fills("PARTIES_WRITTEN_MAX")
def test_so_many_parties_are_remembered() -> None:
    """However many are answered, no more are held, and each is written as it is."""
    for number in range(PARTIES_WRITTEN_MAX + 5):
        record = payment(1, creditor=Party(name=f"Creditor {number}", account=Account(other="7")))
        answer = service.SubmitPaymentResponse.FromString(submitted(Admitted(record, False)))
        assert answer.payment.instruction.creditor.name == f"Creditor {number}"
        assert len(_PARTIES) <= PARTIES_WRITTEN_MAX
