"""Claims about what instructions have in common: looking at it once changes nothing but the time it takes."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import BankUnknown, InvalidInstruction
from gateway.core.payment import Account, ChargeBearer, Instruction, Money, Party, Rail
from gateway.intake import standing as standings
from gateway.intake.fingerprint import Said
from gateway.intake.known import known
from gateway.intake.places import within_sepa
from gateway.intake.prepare import prepare
from gateway.intake.rule import Case
from gateway.intake.rules import RECURRING, RULES, rest_holds, violations
from gateway.intake.standing import STANDING_CHARS_KEPT_MAX, STANDINGS_KEPT_MAX, Combination, standing
from tests.fakes.payments import IBAN_CH, IBAN_DE, IBAN_FR, IBAN_GB
from tests.fills import fills
from tests.intake.drafts import BOOK, TODAY, draft, prepared

ibans = st.sampled_from((IBAN_DE, IBAN_FR, IBAN_CH, IBAN_GB, "XX00", ""))
changes = st.fixed_dictionaries(
    {},
    optional={
        "idempotency_key": st.sampled_from(("key", "", "k" * 300)),
        "end_to_end_id": st.sampled_from(("E2E", "/E2E", "E" * 40)),
        "amount": st.builds(
            Money,
            currency=st.sampled_from(("EUR", "JPY", "CHF", "XXX", " eur")),
            value=st.sampled_from([Decimal(one) for one in ("1", "0", "0.001", "1E+12", "123456789012345678.9")]),
        ),
        "debtor": st.builds(Party, name=st.just("D"), account=st.builds(Account, iban=ibans)),
        "creditor": st.builds(
            Party, name=st.sampled_from(("C", "")), account=st.builds(Account, iban=ibans, other=st.just("7"))
        ),
        "bank": st.sampled_from(("", "northbank", "southbank ", "closed", "b" * 200)),
        "requested_execution_date": st.sampled_from([TODAY + timedelta(days) for days in (-1, 0, 1, 1_000)]),
        "purpose": st.sampled_from(("", "SALA", "sala", "toolong", "p" * 300)),
        "remittance": st.sampled_from(("", "x", "x" * 141)),
        "creditor_reference": st.sampled_from(("", "RF18539007547034", "RF00")),
        "charge_bearer": st.sampled_from(ChargeBearer),
        "rail": st.sampled_from(Rail),
        "labels": st.sampled_from(((), (("a", "b"),), (("", "b"),))),
    },
)


def whole(told: Instruction, size: int) -> tuple[object, ...]:
    """The verdict without any memory: every rule of the table, asked about the prepared instruction."""
    bank = BOOK.choose(told.bank, told.debtor.account.number)
    profile = None if isinstance(bank, BankUnknown) else bank
    sepa = within_sepa(told.debtor.account.iban, told.creditor.account.iban, told.amount.currency)
    return tuple(violations(Case(told, TODAY, sepa, profile, size)))


@given(changed=changes, open_bearer=st.booleans())
def test_the_short_way_judges_as_the_whole_table(changed: dict[str, Any], open_bearer: bool) -> None:
    """Whatever is wrong, with whatever else: the same violations, on first sight and ever after."""
    asked = draft(open_bearer=open_bearer, **changed)
    standings._kept.cache_clear()
    first, again = prepared(asked), prepared(asked)
    assert (first.instruction, first.fingerprint) == (again.instruction, again.fingerprint)
    for found in (first, again):
        said = found.refusal.violations if isinstance(found.refusal, InvalidInstruction) else ()
        assert said == whole(found.instruction, 0)


def test_every_rule_is_asked_somewhere() -> None:
    """Those of the table are those for parties, those that recur, and those that are asked of each."""
    recurring = {rule.reason for rule in RECURRING}
    assert recurring == {rule.reason for rule in RULES if rule.recurs}
    assert len(recurring) == 7
    bad = Instruction("", "/", Money("EUR", Decimal(0)), Party(), Party(), "")
    assert not rest_holds(Case(bad, TODAY, True, None, 0))


def test_an_unknown_bank_is_an_error_of_its_own_each_time() -> None:
    """An exception that two calls raised would hold on to both."""
    asked = draft(bank="nowhere")
    first, again = prepared(asked).refusal, prepared(asked).refusal
    assert isinstance(first, BankUnknown)
    assert first is not again
    assert str(first) == str(again)


def test_parties_of_another_instruction_are_not_believed() -> None:
    """A draft whose parties were changed after translation is looked at anew."""
    asked = draft()
    seen = (known(asked.instruction.debtor), known(asked.instruction.creditor))
    other = replace(asked.instruction, creditor=replace(asked.instruction.creditor, name="Another SA"))
    mixed = prepare(replace(asked, instruction=other, seen=seen), today=TODAY, banks=BOOK)
    assert mixed.instruction.creditor.name == "Another SA"
    assert mixed == prepared(replace(asked, instruction=other))


@pytest.mark.parametrize("parts", [("",), ("a",), ("a", "", "bc")])
def test_parts_are_joined_as_one_by_one(parts: tuple[str, ...]) -> None:
    """Lengths and texts, each in order."""
    assert Said.of(parts) == Said(",".join(str(len(part)) for part in parts), "".join(parts))


@fills("STANDINGS_KEPT_MAX", "STANDING_CHARS_KEPT_MAX")
def test_combinations_fill_no_memory() -> None:
    """However many purposes are named, so many combinations are remembered, and none with long texts."""

    def combination(purpose: str) -> Combination:
        return Combination(debtor, "FR", "EUR", "northbank", None, purpose, None, Rail.NORMAL, TODAY, BOOK)

    debtor = known(draft().instruction.debtor)
    standings._kept.cache_clear()
    for number in range(STANDINGS_KEPT_MAX + 10):
        standing(combination(f"{number}"))
    assert standings._kept.cache_info().currsize == STANDINGS_KEPT_MAX
    misses = standings._kept.cache_info().misses
    assert not standing(combination("p" * (STANDING_CHARS_KEPT_MAX + 1))).sound
    assert standings._kept.cache_info().misses == misses
    standings._kept.cache_clear()


def test_a_debtor_of_any_size_is_not_remembered() -> None:
    """Who breaks a rule is kept nowhere: messages of 4 MiB, each with another name, would fill the memory."""
    standings._kept.cache_clear()
    for number in range(10):
        debtor = Party(name=f"{number}" * 10_000, account=Account(iban=IBAN_DE))
        assert prepared(draft(debtor=debtor)).refusal is not None
    assert standings._kept.cache_info().currsize == 0
