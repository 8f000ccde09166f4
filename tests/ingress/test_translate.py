"""Claims about translation: nothing that is valid changes on the way in and out, and nothing is an accident."""

from dataclasses import replace
from decimal import Decimal

import pytest
from google.type.date_pb2 import Date
from google.type.money_pb2 import Money as MoneyMessage
from hypothesis import given
from hypothesis import strategies as st

from causeway.v1 import payment_pb2 as pb
from gateway.core.payment import Account, Address, ChargeBearer, Ended, Instruction, Money, Party, Rail
from gateway.core.states import State
from gateway.ingress import translate
from tests.fakes.payments import IBAN_DE, NOW_NS, attempt, payment
from tests.ingress.messages import instruction

names = st.text(max_size=10)
parties = st.builds(
    Party,
    name=names,
    account=st.one_of(st.builds(Account, iban=names), st.builds(Account, other=names.filter(bool))),
    agent_bic=names,
    address=st.builds(Address, names, names, names, names, names),
)
instructions = st.builds(
    Instruction,
    idempotency_key=names,
    end_to_end_id=names,
    amount=st.builds(
        Money,
        currency=names,
        value=st.decimals(min_value=-(10**15), max_value=10**15, places=4, allow_nan=False),
    ),
    debtor=parties,
    creditor=parties,
    bank=names,
    requested_execution_date=st.none() | st.dates(),
    purpose=names,
    remittance=names,
    charge_bearer=st.sampled_from(ChargeBearer),
    rail=st.sampled_from(Rail),
    labels=st.dictionaries(names, names, max_size=3).map(lambda labels: tuple(sorted(labels.items()))),
)


@given(told=instructions)
def test_an_instruction_comes_back_as_it_went(told: Instruction) -> None:
    """Ours → the API's → ours is the same instruction, to the last decimal."""
    back = translate.draft(pb.Instruction.FromString(translate.instruction(told).SerializeToString()))
    assert back.broken == ()
    assert replace(back.instruction, labels=tuple(sorted(back.instruction.labels))) == told


@given(units=st.integers(-(2**63), 2**63 - 1), nanos=st.integers(-(2**31), 2**31 - 1))
def test_any_money_is_exact_or_named_as_malformed(units: int, nanos: int) -> None:
    """google.type.Money: units and nanos of one sign, nanos below one unit."""
    draft = translate.draft(instruction(amount=MoneyMessage(currency_code="EUR", units=units, nanos=nanos)))
    well_formed = abs(nanos) < 10**9 and not (units > 0 > nanos) and not (units < 0 < nanos)
    assert (draft.broken == ()) == well_formed
    if well_formed:
        assert draft.instruction.amount.value * 10**9 == Decimal(units) * 10**9 + nanos


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"requested_execution_date": Date(year=2026, month=2, day=30)}, "EXECUTION_DATE_MALFORMED"),
        ({"requested_execution_date": Date()}, "EXECUTION_DATE_MALFORMED"),
        ({"charge_bearer": 99}, "CHARGE_BEARER_UNKNOWN"),
        ({"rail": 99}, "RAIL_UNKNOWN"),
        ({"amount": MoneyMessage(currency_code="EUR", units=1, nanos=-1)}, "AMOUNT_MALFORMED"),
    ],
)
def test_what_has_no_translation_is_named(changes: dict[str, object], reason: str) -> None:
    """A newer client's enum value is refused, never read as if the field had been empty."""
    assert [violation.reason for violation in translate.draft(instruction(**changes)).broken] == [reason]


def test_an_open_charge_bearer_is_told_apart_from_a_chosen_one() -> None:
    """The house chooses only where the client did not."""
    assert translate.draft(instruction()).charge_bearer_open
    assert not translate.draft(instruction(charge_bearer=pb.CHARGE_BEARER_SLEV)).charge_bearer_open


def test_a_payment_shows_its_attempts_and_no_time_that_never_was() -> None:
    """Times that are 0 are absent; results and states carry the API's names."""
    one = payment(1)
    shown = translate.payment(
        payment(1, state=State.IN_DOUBT, attempts=(attempt(one, ended=Ended.MAYBE_SENT),), doubt_since_ns=NOW_NS + 1)
    )
    assert shown.state == pb.STATE_IN_DOUBT
    assert shown.attempts[0].result == pb.ATTEMPT_RESULT_MAYBE_SENT
    assert (shown.doubt_time.seconds, shown.doubt_time.nanos) == (NOW_NS // 10**9, 1)
    assert not shown.HasField("next_inquiry_time")
    assert shown.instruction.debtor.account.iban == IBAN_DE


def test_every_state_of_ours_is_one_of_the_api() -> None:
    """And the other way round, but for UNSPECIFIED."""
    api = set(pb.State.DESCRIPTOR.values_by_number)
    assert set(translate.STATES.values()) == api - {pb.STATE_UNSPECIFIED}
    assert translate.states([pb.STATE_UNSPECIFIED]) is None
    assert translate.states([pb.STATE_HELD, pb.STATE_HELD]) == {State.HELD}
