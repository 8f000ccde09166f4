"""Claims about which instructions may be admitted: good ones, and for each rule those that break it alone."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import limits
from gateway.core.errors import InvalidInstruction, Violation
from gateway.core.payment import Account, Address, ChargeBearer, Instruction, Money, Party, Rail
from gateway.intake.draft import Draft
from gateway.intake.rules import RULES
from tests.fakes.payments import IBAN_CH, IBAN_DE, IBAN_FR, IBAN_GB
from tests.intake.drafts import TODAY, account, broken, creditor, debtor, draft, prepared

PARIS = Address("Rue de l'Exemple", "1", "75001", "Paris", "FR")
ELSEWHERE: dict[str, Any] = {"charge_bearer": ChargeBearer.SHAR}
ABROAD = Party("Example Inc", Account(other="000123456789"), "CHASUS33")


def to(iban: str) -> dict[str, Any]:
    return {"creditor": creditor(account=account(iban=iban))}


def abroad(other: str) -> dict[str, Any]:
    return {"creditor": replace(ABROAD, account=account(other=other)), **ELSEWHERE}


def at(**changes: str) -> dict[str, Any]:
    return {"creditor": creditor(address=replace(PARIS, **changes))}


OF_SOUTH = {"debtor": debtor(account=account(iban=IBAN_FR))}

GOOD: list[dict[str, Any]] = [
    {},
    {"amount": Money("EUR", Decimal("0.01"))},
    {"amount": Money("EUR", Decimal("999999999.99"))},
    {"amount": Money("JPY", Decimal("100")), **ELSEWHERE},
    {"amount": Money("KWD", Decimal("1.234")), **ELSEWHERE},
    {"end_to_end_id": ""},
    {"end_to_end_id": "A/B-1?:().,'+ x"},
    {"idempotency_key": "~" * 128},
    {"creditor": creditor(name="Žofie Müller-Škoda & Søn ÿ €")},
    {"creditor": creditor(name="N" * 70)},
    {"creditor": creditor(name="N" * 140), "amount": Money("USD", Decimal(1)), **ELSEWHERE},
    {"creditor": creditor(agent_bic="bnpafrpp xxx")},
    {"creditor": creditor(address=PARIS)},
    {"creditor": creditor(address=Address(town="Paris", country="fr"))},
    {"creditor": ABROAD, **ELSEWHERE},
    {"creditor": creditor(account=account(iban=" gb29 nwbk 6016 1331 9268 19 "))},
    {"purpose": "sala"},
    {"purpose": "B112"},
    {"remittance": "R" * 140},
    {"remittance": "", "creditor_reference": "RF18 5390 0754 7034"},
    {"requested_execution_date": TODAY},
    {"requested_execution_date": TODAY + timedelta(days=limits.EXECUTION_DATE_DAYS_AHEAD_MAX)},
    {"charge_bearer": ChargeBearer.CRED},
    {"rail": Rail.INSTANT},
    {"labels": tuple((f"key-{number:02}", "v" * 255) for number in range(limits.LABELS_MAX))},
]

KEY, E2E, AMOUNT, IBAN = "idempotency_key", "end_to_end_id", "amount", "creditor.account.iban"
BAD: list[tuple[str, str, dict[str, Any]]] = [
    ("IDEMPOTENCY_KEY_LENGTH", KEY, {KEY: ""}),
    ("IDEMPOTENCY_KEY_LENGTH", KEY, {KEY: "k" * 129}),
    ("IDEMPOTENCY_KEY_CHARACTERS", KEY, {KEY: "schlüssel"}),
    ("IDEMPOTENCY_KEY_CHARACTERS", KEY, {KEY: "a\nb"}),
    ("END_TO_END_ID_LENGTH", E2E, {E2E: "E" * 36}),
    ("END_TO_END_ID_CHARACTERS", E2E, {E2E: "a_b"}),
    ("END_TO_END_ID_CHARACTERS", E2E, {E2E: "/a"}),
    ("END_TO_END_ID_CHARACTERS", E2E, {E2E: "a/"}),
    ("END_TO_END_ID_CHARACTERS", E2E, {E2E: "a//b"}),
    ("CURRENCY_UNKNOWN", "amount.currency_code", {AMOUNT: Money("", Decimal(1)), **ELSEWHERE}),
    ("CURRENCY_UNKNOWN", "amount.currency_code", {AMOUNT: Money("EURO", Decimal(1)), **ELSEWHERE}),
    ("CURRENCY_UNKNOWN", "amount.currency_code", {AMOUNT: Money("DEM", Decimal(1)), **ELSEWHERE}),
    ("CURRENCY_UNKNOWN", "amount.currency_code", {AMOUNT: Money("XAU", Decimal(1)), **ELSEWHERE}),
    ("AMOUNT_NOT_POSITIVE", AMOUNT, {AMOUNT: Money("EUR", Decimal(0))}),
    ("AMOUNT_NOT_POSITIVE", AMOUNT, {AMOUNT: Money("EUR", Decimal("-0.01"))}),
    ("AMOUNT_DECIMALS", AMOUNT, {AMOUNT: Money("EUR", Decimal("0.001"))}),
    ("AMOUNT_DECIMALS", AMOUNT, {AMOUNT: Money("JPY", Decimal("100.5")), **ELSEWHERE}),
    ("AMOUNT_TOO_LARGE", AMOUNT, {AMOUNT: Money("EUR", Decimal("1000000000"))}),
    ("AMOUNT_TOO_LARGE", AMOUNT, {AMOUNT: Money("USD", Decimal(10**17)), **ELSEWHERE}),
    ("NAME_REQUIRED", "creditor.name", {"creditor": creditor(name="  ")}),
    ("NAME_LENGTH", "creditor.name", {"creditor": creditor(name="N" * 71)}),
    ("NAME_LENGTH", "debtor.name", {"debtor": debtor(name="N" * 71)}),
    ("NAME_CHARACTERS", "creditor.name", {"creditor": creditor(name="Иван")}),
    ("NAME_CHARACTERS", "creditor.name", {"creditor": creditor(name="a\tb")}),
    ("ACCOUNT_REQUIRED", "debtor.account", {"debtor": debtor(account=account()), **ELSEWHERE}),
    ("ACCOUNT_REQUIRED", "creditor.account", {"creditor": creditor(account=account()), **ELSEWHERE}),
    ("IBAN_INVALID", IBAN, to("DE88" + IBAN_DE[4:])),
    ("IBAN_INVALID", IBAN, to(IBAN_DE[:-1])),
    ("IBAN_INVALID", IBAN, to("DE8937040044053201300٠")),
    ("IBAN_INVALID", IBAN, to("DE89-3704-0044-0532-0130-00")),
    ("IBAN_INVALID", "debtor.account.iban", {"debtor": debtor(account=account(iban="XX00" * 300)), **ELSEWHERE}),
    ("ACCOUNT_LENGTH", "creditor.account.other", abroad("1" * 35)),
    ("ACCOUNT_CHARACTERS", "creditor.account.other", abroad("№1")),
    ("BIC_INVALID", "creditor.agent_bic", {"creditor": creditor(agent_bic="BNPAFRP")}),
    ("BIC_INVALID", "creditor.agent_bic", {"creditor": creditor(agent_bic="BNPAZZPP")}),
    ("AGENT_REQUIRED", "creditor.agent_bic", {"creditor": replace(ABROAD, agent_bic=""), **ELSEWHERE}),
    ("ADDRESS_LENGTH", "creditor.address", at(town="T" * 36)),
    ("ADDRESS_CHARACTERS", "creditor.address", at(street="Улица")),
    ("ADDRESS_INCOMPLETE", "creditor.address", at(town="")),
    ("COUNTRY_UNKNOWN", "creditor.address.country_code", at(country="ZZ")),
    ("PURPOSE_INVALID", "purpose_code", {"purpose": "SAL"}),
    ("PURPOSE_INVALID", "purpose_code", {"purpose": "SA-A"}),
    ("REMITTANCE_LENGTH", "unstructured_remittance", {"remittance": "R" * 141}),
    ("REMITTANCE_CHARACTERS", "unstructured_remittance", {"remittance": "Rechnung für März"}),
    ("CREDITOR_REFERENCE_INVALID", "creditor_reference", {"remittance": "", "creditor_reference": "RF190"}),
    ("REMITTANCE_AMBIGUOUS", "creditor_reference", {"creditor_reference": "RF18539007547034"}),
    ("EXECUTION_DATE_PAST", "requested_execution_date", {"requested_execution_date": TODAY - timedelta(days=1)}),
    ("EXECUTION_DATE_TOO_FAR", "requested_execution_date", {"requested_execution_date": TODAY + timedelta(days=366)}),
    ("CHARGE_BEARER_NOT_OFFERED", "charge_bearer", {AMOUNT: Money("USD", Decimal(1))}),
    ("DEBTOR_ACCOUNT_NOT_AT_BANK", "debtor.account", {**OF_SOUTH, "bank": "northbank"}),
    ("RAIL_NOT_OFFERED", "rail", {"rail": Rail.URGENT}),
    ("LABELS_TOO_MANY", "labels", {"labels": tuple((f"k{number}", "v") for number in range(17))}),
    ("LABEL_LENGTH", "labels", {"labels": (("", "v"),)}),
    ("LABEL_LENGTH", "labels", {"labels": (("k" * 64, "v"),)}),
    ("LABEL_LENGTH", "labels", {"labels": (("k", "v" * 256),)}),
    ("INSTRUCTION_TOO_LARGE", "", {"labels": tuple((f"{number:063}", "😀" * 255) for number in range(16))}),
]  # fmt: skip


@pytest.mark.parametrize("changes", GOOD, ids=[str(number) for number in range(len(GOOD))])
def test_a_good_instruction_breaks_nothing(changes: dict[str, Any]) -> None:
    """The limits themselves are allowed."""
    assert broken(**changes) == {}


@pytest.mark.parametrize(("reason", "field", "changes"), BAD, ids=[f"{n}-{bad[0]}" for n, bad in enumerate(BAD)])
def test_a_bad_instruction_breaks_its_rule_and_no_other(reason: str, field: str, changes: dict[str, Any]) -> None:
    """One mistake is one violation, at its own field path."""
    assert broken(**changes) == {reason: f"instruction.{field}".rstrip(".")}


def test_every_rule_is_broken_somewhere_above() -> None:
    """No rule without its bad instruction (an account that is both is no message of the API, but is caught too)."""
    both = broken(creditor=creditor(account=account(iban=IBAN_FR, other="1"), agent_bic="BNPAFRPP"))
    assert "ACCOUNT_AMBIGUOUS" in both
    assert {rule.reason for rule in RULES} == {reason for reason, _, _ in BAD} | {"ACCOUNT_AMBIGUOUS"}


def test_all_violations_come_back_at_once_in_the_tables_order() -> None:
    """A client repairs everything in one go; what could not be translated stands first."""
    untranslated = Violation("instruction.rail", "RAIL_UNKNOWN", "NORMAL, INSTANT or URGENT")
    one = draft(idempotency_key="", amount=Money("EUR", Decimal(0)), purpose="?", remittance="ü")
    refusal = prepared(replace(one, broken=(untranslated,))).refusal
    assert isinstance(refusal, InvalidInstruction)
    assert [violation.reason for violation in refusal.violations] == [
        "RAIL_UNKNOWN",
        "IDEMPOTENCY_KEY_LENGTH",
        "AMOUNT_NOT_POSITIVE",
        "PURPOSE_INVALID",
        "REMITTANCE_CHARACTERS",
    ]


def test_descriptions_never_repeat_what_was_sent() -> None:
    """Account data and names stay out of errors (law 11)."""
    secret = "GB99SECRETACCOUNT"
    one = draft(
        creditor=Party(secret * 20, Account(iban=secret), secret, Address(secret, secret, secret, secret, secret)),
        debtor=Party("Ж" + secret, Account(iban=secret)),
        remittance=secret + "_",
        amount=Money(secret, Decimal("0.001")),
        end_to_end_id=secret + "_",
    )
    refusal = prepared(one).refusal
    assert isinstance(refusal, InvalidInstruction)
    assert "SECRET" not in repr(refusal.violations)


texts = st.text(max_size=40)
numbers = st.decimals(allow_nan=True, allow_infinity=True)


@given(
    key=texts, currency=texts, value=numbers, name=texts, iban=texts, other=texts, bic=texts, purpose=texts,
    reference=texts, bank=texts, country=texts, day=st.none() | st.dates(), label=st.tuples(texts, texts),
    bearer=st.booleans(),
)  # fmt: skip
def test_nothing_a_client_sends_is_an_accident(
    key: str, currency: str, value: Decimal, name: str, iban: str, other: str, bic: str, purpose: str,
    reference: str, bank: str, country: str, day: date | None, label: tuple[str, str], bearer: bool,
) -> None:  # fmt: skip
    """prepare() answers with a refusal or an instruction, and always with a fingerprint; it never raises."""
    party = Party(name, Account(iban, other), bic, Address(name, name, name, name, country))
    told = Instruction(
        key, name, Money(currency, value), party, party, bank, day, purpose, name, reference, labels=(label,)
    )
    answer = prepared(Draft(told, charge_bearer_open=bearer))
    assert len(answer.fingerprint) == 32


@pytest.mark.parametrize(
    ("debtor_iban", "creditor_iban", "currency", "bearer"),
    [
        (IBAN_DE, IBAN_FR, "EUR", ChargeBearer.SLEV),
        (IBAN_DE, IBAN_CH, "EUR", ChargeBearer.SLEV),
        (IBAN_DE, IBAN_GB, "GBP", ChargeBearer.SHAR),
        (IBAN_DE, "AE070331234567890123456", "EUR", ChargeBearer.SHAR),
    ],
)
def test_an_open_charge_bearer_follows_sepa(
    debtor_iban: str, creditor_iban: str, currency: str, bearer: ChargeBearer
) -> None:
    """SLEV for euros between SEPA accounts, SHAR elsewhere, as the API promises."""
    one = draft(
        open_bearer=True,
        amount=Money(currency, Decimal(1)),
        debtor=debtor(account=account(iban=debtor_iban)),
        creditor=creditor(account=account(iban=creditor_iban)),
    )
    answer = prepared(one)
    assert answer.refusal is None
    assert answer.instruction.charge_bearer is bearer


def test_an_instruction_is_written_in_one_way() -> None:
    """Blanks and case of numbers and codes do not matter, decimals are the currency's, labels are in order."""
    one = draft(
        debtor=debtor(account=account(iban="de89 3704 0044 0532 0130 00")),
        creditor=creditor(name=" Exemple SA ", agent_bic=" bnpafrpp "),
        amount=Money("eur", Decimal("1E+2")),
        labels=(("b", "2"), ("a", "1")),
    )
    told = prepared(one).instruction
    assert told.debtor.account.iban == IBAN_DE
    assert (told.creditor.name, told.creditor.agent_bic) == ("Exemple SA", "BNPAFRPP")
    assert str(told.amount) == "100.00 EUR"
    assert told.labels == (("a", "1"), ("b", "2"))
