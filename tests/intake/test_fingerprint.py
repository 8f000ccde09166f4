"""Claims about the fingerprint: the same content has one, any other content another (law 2)."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import BankUnknown, InvalidInstruction, Violation
from gateway.core.payment import Account, Address, ChargeBearer, Money, Party, Rail
from gateway.intake.bank import BankBook
from tests.fakes.payments import IBAN_CH, IBAN_DE
from tests.intake.drafts import TODAY, creditor, draft, prepared

CHANGES: list[dict[str, Any]] = [
    {"end_to_end_id": "E2E-2"},
    {"end_to_end_id": ""},
    {"amount": Money("EUR", Decimal("100.01"))},
    {"amount": Money("CHF", Decimal(100))},
    {"bank": "southbank"},
    {"bank": ""},
    {"requested_execution_date": date(2026, 3, 9)},
    {"purpose": "SALA"},
    {"remittance": "Invoice 2"},
    {"remittance": "", "creditor_reference": "RF18539007547034"},
    {"charge_bearer": ChargeBearer.SHAR},
    {"rail": Rail.INSTANT},
    {"labels": (("a", "b"),)},
    *(
        {side: Party(**{**whole, **changed})}
        for side in ("debtor", "creditor")
        for whole in (
            {"name": "N", "account": Account(IBAN_DE), "agent_bic": "BNPAFRPP", "address": Address(town="T")},
        )
        for changed in (
            {},
            {"name": "M"},
            {"account": Account(IBAN_CH)},
            {"account": Account(other=IBAN_DE)},
            {"agent_bic": "COBADEFF"},
            {"address": Address(street="T")},
            {"address": Address(building="T")},
            {"address": Address(postal_code="T")},
            {"address": Address(country="T")},
        )
    ),
]


def test_any_changed_field_changes_it() -> None:
    """All variants of an instruction, each different in one place, have different fingerprints."""
    prints = [prepared(draft(**changes)).fingerprint for changes in [{}, *CHANGES]]
    prints.append(prepared(draft(open_bearer=True)).fingerprint)
    prints.append(prepared(replace(draft(), broken=(Violation("instruction.rail", "RAIL_UNKNOWN", ""),))).fingerprint)
    assert len(set(prints)) == len(prints)


def test_the_key_names_the_content_and_is_no_part_of_it() -> None:
    """Two keys with one content have one fingerprint: that is how a suspected duplicate will be found."""
    assert prepared(draft(idempotency_key="a")).fingerprint == prepared(draft(idempotency_key="b")).fingerprint


labels = st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=8), max_size=6)


@given(pairs=labels, seed=st.randoms(use_true_random=False))
def test_the_order_of_labels_does_not_matter(pairs: dict[str, str], seed: Any) -> None:
    """A map has no order, so a client's library may send it in any."""
    shuffled = list(pairs.items())
    seed.shuffle(shuffled)
    one, other = draft(labels=tuple(pairs.items())), draft(labels=tuple(shuffled))
    assert prepared(one).fingerprint == prepared(other).fingerprint


parts = st.tuples(st.text(max_size=6), st.text(max_size=6), labels)


@given(one=parts, other=parts)
def test_no_two_contents_share_an_encoding(
    one: tuple[str, str, dict[str, str]], other: tuple[str, str, dict[str, str]]
) -> None:
    """Text moved from one field to its neighbour is other content."""

    def of(content: tuple[str, str, dict[str, str]]) -> tuple[bytes, object]:
        answer = prepared(draft(remittance=content[0], creditor_reference=content[1], labels=tuple(content[2].items())))
        told = answer.instruction
        return answer.fingerprint, (told.remittance, told.creditor_reference, told.labels)

    (print_one, said_one), (print_other, said_other) = of(one), of(other)
    assert (print_one == print_other) == (said_one == said_other)


@pytest.mark.parametrize(
    "same",
    [
        {"amount": Money("EUR", Decimal(100))},
        {"amount": Money(" eur", Decimal("100.000"))},
        {"remittance": " Invoice 1 "},
        {"creditor": creditor(account=Account("fr14 2004 1010 0505 0001 3M02 606"))},
    ],
)
def test_another_way_of_writing_is_the_same_content(same: dict[str, Any]) -> None:
    """A client whose library formats differently after an upgrade still gets its replay."""
    assert prepared(draft(**same)).fingerprint == prepared(draft()).fingerprint


def test_an_old_instruction_is_recognised_whatever_the_rules_say_today() -> None:
    """A date that has passed, a bank that has closed, a currency that has ended: the print stays (law 2)."""
    one = draft(requested_execution_date=TODAY)
    late = prepared(one, today=date(2027, 1, 1))
    assert isinstance(late.refusal, InvalidInstruction)
    nowhere = prepared(one, banks=BankBook([]))
    assert isinstance(nowhere.refusal, BankUnknown)
    assert prepared(one).fingerprint == late.fingerprint == nowhere.fingerprint


def test_an_amount_is_the_same_when_its_currency_is_no_longer_known() -> None:
    """100 and 100.00 of a currency that left the list have one print."""
    one, other = (draft(amount=Money("DEM", Decimal(value))) for value in ("100", "100.00"))
    assert prepared(one).fingerprint == prepared(other).fingerprint


def test_it_is_the_same_forever() -> None:
    """Golden value: a changed encoding would turn every client's retry into KEY_REUSED."""
    assert prepared(draft()).fingerprint.hex()[:16] == "96f67f665be33439"
