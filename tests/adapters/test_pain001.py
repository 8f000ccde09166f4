"""What we send: valid by the official and the national schemas, exact, the same every time, or refused beforehand."""

import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, date, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from adapters.iso20022.adapter import Iso20022Adapter
from adapters.iso20022.config import LINES_MAX, from_settings
from gateway import limits
from gateway.core.payment import Account, Address, ChargeBearer, Money, Party, Rail
from gateway.core.ports import Submission
from tests.adapters.shared_data import needed, schema
from tests.fakes.payments import IBAN_CH, IBAN_DE, IBAN_FR, IBAN_GB, NOW, euros, payment, submission
from tests.fills import fills

BASE = {"initiating_party_name": "Example Debtor GmbH", "debtor_agent_bic": "COBADEFFXXX", "bulk_lines_max": 100}
ADDRESS = Address("Rue de l'Exemple", "12b", "75001", "Paris", "FR")

KINDS = [(version, dialect) for version in ("001.09", "001.03") for dialect in ("generic", "sepa", "swiss")]
SCHEMAS = {
    ("001.09", "swiss"): ["xsd/pain.001.001.09.xsd", "profiles/sps/pain.001.001.09.ch.03.xsd"],
    ("001.03", "swiss"): ["profiles/sps/pain.001.001.03.ch.02.xsd"],
}

LIVES = {
    "plain": [payment()],
    "addresses": [payment(creditor=Party("Café & Söhne", Account(IBAN_FR), "BNPAFRPPXXX", ADDRESS))],
    "reference": [payment(creditor_reference="RF18539007547034", remittance="")],
    "purpose": [payment(purpose="SALA", remittance="")],
    "instant": [payment(rail=Rail.INSTANT)],
    "cents": [payment(amount=euros("0.01")), payment(2, amount=euros("999999999.99"))],
    "bulk": [payment(number) for number in range(1, 21)],
    "two debtors": [payment(), payment(2, debtor=Party("Another Name", Account(IBAN_DE), "", ADDRESS))],
}
BEYOND_SEPA = {
    "urgent": [payment(rail=Rail.URGENT)],
    "francs": [payment(amount=Money("CHF", Decimal("12.35")), creditor=Party("Muster AG", Account(IBAN_CH)))],
    "yen": [payment(amount=Money("JPY", Decimal(12000)), creditor=Party("Example KK", Account(other="1234567")))],
    "dinar": [payment(amount=Money("KWD", Decimal("1.234")), charge_bearer=ChargeBearer.SHAR)],
    "mixed": [payment(), payment(2, rail=Rail.URGENT), payment(3, charge_bearer=ChargeBearer.DEBT)],
}


def adapter(**more: object) -> Iso20022Adapter:
    return Iso20022Adapter(from_settings({**BASE, **more}))


def tree(of: Iso20022Adapter, told: Submission) -> etree._Element:
    return etree.fromstring(of.compose(told).body)


def texts(root: etree._Element, path: str) -> list[str]:
    """By local names: `PmtInf/PmtInfId`."""
    steps = "/".join(f"*[local-name()='{name}']" for name in path.split("/"))
    found: Any = root.xpath(f"//{steps}")
    return [element.text or "" for element in found]


@pytest.mark.parametrize(("version", "dialect"), KINDS)
@pytest.mark.parametrize("life", [*LIVES, *BEYOND_SEPA])
def test_every_message_is_valid_by_every_schema_of_its_kind(version: str, dialect: str, life: str) -> None:
    """A bank that checks against the official or the Swiss schema finds nothing to refuse."""
    payments = {**LIVES, **BEYOND_SEPA}[life]
    bank = adapter(
        pain001_version=version,
        dialect=dialect,
        initiating_party_id="CH-4711",
        batch_booking=True,
        company_address={"street": "Hauptstrasse", "town": "Basel", "country": "CH"},
    )
    if dialect == "sepa" and life in BEYOND_SEPA:
        with pytest.raises(ValueError, match=r"SEPA|EUR"):
            bank.compose(submission(payments))
        return
    root = tree(bank, submission(payments))
    for name in SCHEMAS.get((version, dialect), [f"xsd/pain.001.{version}.xsd"]):
        schema(name).assertValid(root)


@pytest.mark.parametrize("version", ["001.09", "001.03"])
def test_xmllint_agrees(version: str, tmp_path: Path) -> None:
    """A validator that is not lxml says the same."""
    xmllint = shutil.which("xmllint")
    if xmllint is None:
        pytest.skip("xmllint is not installed")
    where = tmp_path / "pain001.xml"
    where.write_bytes(adapter(pain001_version=version).compose(submission(LIVES["bulk"])).body)
    xsd = needed(f"iso20022/xsd/pain.001.{version}.xsd")
    done = subprocess.run([xmllint, "--noout", "--schema", xsd, where], capture_output=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr.decode()


def test_the_names_of_a_payment_are_where_a_bank_looks() -> None:
    """MsgId is the submission's, InstrId the wire reference, EndToEndId the client's."""
    told = submission([payment(), payment(2)])
    root = tree(adapter(), told)
    assert texts(root, "GrpHdr/MsgId") == [told.message_reference]
    assert texts(root, "PmtId/InstrId") == [one.wire_reference for one in told.payments]
    assert texts(root, "PmtId/EndToEndId") == ["E2E-1", "E2E-2"]
    assert len(set(texts(root, "PmtId/UETR"))) == 2


def test_a_resend_says_the_same_names() -> None:
    """A second attempt, minutes later, differs in its creation time only: the bank can see that it is a repeat."""
    first = submission([payment()])
    again = replace(first, created_at=NOW + timedelta(minutes=5))
    one, two = adapter().compose(first).body, adapter().compose(again).body
    assert one == adapter().compose(first).body
    assert one.replace(b"09:30:00Z", b"09:35:00Z") == two


def test_sums_and_counts_are_exact() -> None:
    """A thousand tenths are a hundred, to the cent."""
    told = submission([payment(number, amount=euros("0.10")) for number in range(1, 1001)])
    root = tree(adapter(bulk_lines_max=1000), told)
    assert texts(root, "GrpHdr/CtrlSum") == texts(root, "PmtInf/CtrlSum") == ["100.00"]
    assert texts(root, "GrpHdr/NbOfTxs") == texts(root, "PmtInf/NbOfTxs") == ["1000"]


def test_an_amount_has_no_exponent() -> None:
    assert texts(tree(adapter(), submission([payment(amount=Money("JPY", Decimal("1E+4")))])), "InstdAmt") == ["10000"]


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ({}, {"SvcLvl/Cd": ["SEPA"], "LclInstrm/Cd": [], "PmtTpInf/InstrPrty": []}),
        ({"rail": Rail.INSTANT}, {"SvcLvl/Cd": ["SEPA"], "LclInstrm/Cd": ["INST"]}),
        ({"rail": Rail.URGENT}, {"SvcLvl/Cd": ["URGP"], "PmtTpInf/InstrPrty": ["HIGH"]}),
        ({"amount": Money("GBP", Decimal("1.00"))}, {"SvcLvl/Cd": []}),
        ({"charge_bearer": ChargeBearer.SHAR}, {"SvcLvl/Cd": []}),
        ({"creditor": Party("X", Account(other="42"))}, {"SvcLvl/Cd": []}),
        ({"rail": Rail.INSTANT, "amount": Money("GBP", Decimal(1))}, {"SvcLvl/Cd": [], "LclInstrm/Cd": ["INST"]}),
        ({"creditor": Party("X", Account(IBAN_GB))}, {"SvcLvl/Cd": ["SEPA"]}),
    ],
)
def test_the_rail_is_told(overrides: dict[str, Any], expected: dict[str, list[str]]) -> None:
    """Instant, urgent and SEPA are said where they apply and nowhere else."""
    root = tree(adapter(), submission([payment(**overrides)]))
    assert {path: texts(root, path) for path in expected} == expected


def test_payments_that_share_nothing_but_the_account_get_blocks_of_their_own() -> None:
    """No payment travels under another's debtor name, rail or charge bearer; each block counts its own."""
    root = tree(adapter(), submission(BEYOND_SEPA["mixed"]))
    assert texts(root, "PmtInf/NbOfTxs") == ["1", "1", "1"]
    assert len(set(texts(root, "PmtInf/PmtInfId"))) == 3
    root = tree(adapter(), submission([*LIVES["two debtors"], payment(3)]))
    assert texts(root, "Dbtr/Nm") == ["Example Debtor GmbH", "Another Name"]
    assert texts(root, "PmtInf/NbOfTxs") == ["2", "1"]
    shared = [payment(1, charge_bearer=ChargeBearer.SHAR), payment(2, charge_bearer=ChargeBearer.DEBT)]
    assert texts(tree(adapter(), submission(shared)), "PmtInf/ChrgBr") == ["SHAR", "DEBT"]


def test_the_debtor_is_the_instructions_then_the_companys() -> None:
    """An instruction without a debtor's name is paid in the company's."""
    nameless = submission([payment(debtor=Party(account=Account(IBAN_DE)))])
    assert texts(tree(adapter(company_name="Firm"), nameless), "Dbtr/Nm") == ["Firm"]
    assert texts(tree(adapter(), nameless), "Dbtr/Nm") == ["Example Debtor GmbH"]
    assert texts(tree(adapter(company_name="Firm"), submission([payment()])), "Dbtr/Nm") == ["Example Debtor GmbH"]


def test_a_bank_without_a_bic_is_not_provided() -> None:
    root = tree(adapter(debtor_agent_bic=""), submission([payment()]))
    assert texts(root, "DbtrAgt/FinInstnId/Othr/Id") == ["NOTPROVIDED"]


def test_times_are_utc() -> None:
    """The same moment in another zone gives the same bytes."""
    told = submission([payment()])
    elsewhere = replace(told, created_at=NOW.astimezone(timezone(timedelta(hours=9))))
    assert adapter().compose(told) == adapter().compose(elsewhere)
    assert told.created_at.tzinfo is UTC


REFUSED: dict[str, Submission] = {
    "nobody": submission([]),
    "too many": submission([payment(number) for number in range(1, 102)]),
    "twice": submission([payment(), payment()]),
    "two accounts": submission([payment(), payment(2, debtor=Party("D", Account(IBAN_FR)))]),
    "no time zone": replace(submission([payment()]), created_at=NOW.replace(tzinfo=None)),
    "zero": submission([payment(amount=euros("0"))]),
    "negative": submission([payment(amount=euros("-1"))]),
    "no number": submission([payment(amount=euros("NaN"))]),
    "signalling": submission([payment(amount=euros("sNaN"))]),
    "six decimals": submission([payment(amount=euros("0.000001"))]),
    "nineteen digits": submission([payment(amount=euros("12345678901234567.89"))]),
    "sum of nineteen digits": submission([payment(n, amount=euros("9999999999999999.99")) for n in (1, 2)]),
    "control character": submission([payment(remittance="a\x00b")]),
    "line break": submission([payment(remittance="a\nb")]),
    "lone surrogate": submission([payment(remittance="a\ud800b")]),
    "no creditor name": submission([payment(creditor=Party("", Account(IBAN_FR)))]),
    "long name": submission([payment(creditor=Party("n" * 141, Account(IBAN_FR)))]),
    "long reference": submission([payment(end_to_end_id="x" * 36)]),
    "long remittance": submission([payment(remittance="x" * 141)]),
    "no account": submission([payment(creditor=Party("C"))]),
    "broken iban": submission([payment(creditor=Party("C", Account("de89")))]),
    "broken bic": submission([payment(creditor=Party("C", Account(IBAN_FR), "BNP"))]),
    "broken currency": submission([payment(amount=Money("eur", Decimal(1)))]),
    "broken country": submission([payment(creditor=Party("C", Account(IBAN_FR), "", Address(country="fr")))]),
    "long building": submission([payment(creditor=Party("C", Account(IBAN_FR), "", Address(building="1" * 17)))]),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_said_is_refused_before_it_is_sent(what: str) -> None:
    """ValueError, never a message that a bank would refuse or, worse, read otherwise."""
    with pytest.raises(ValueError, match=r"."):
        adapter().compose(REFUSED[what])


def test_a_refusal_shows_no_names_and_no_accounts() -> None:
    """What a client sent stays out of error texts (law 11)."""
    with pytest.raises(ValueError, match="Nm") as refused:
        adapter().compose(submission([payment(creditor=Party("Secret Person\x01", Account(IBAN_FR)))]))
    assert "Secret" not in str(refused.value)


@pytest.mark.parametrize("end_to_end_id", ["ü", "/x", "x/", "a//b", "a_b"])
@pytest.mark.parametrize("dialect", ["sepa", "swiss"])
def test_ids_keep_to_the_characters_of_the_dialect(dialect: str, end_to_end_id: str) -> None:
    with pytest.raises(ValueError, match="EndToEndId"):
        adapter(dialect=dialect).compose(submission([payment(end_to_end_id=end_to_end_id)]))


_names = st.text(min_size=1, max_size=20)


@settings(max_examples=150, deadline=None)
@given(name=_names, remittance=_names, end_to_end_id=_names, kind=st.sampled_from(KINDS))
def test_no_text_makes_invalid_xml(name: str, remittance: str, end_to_end_id: str, kind: tuple[str, str]) -> None:
    """Whatever a client may write is either refused or arrives at the bank as it was, in a valid message."""
    version, dialect = kind
    told = payment(creditor=Party(name, Account(IBAN_FR)), remittance=remittance, end_to_end_id=end_to_end_id)
    bank = adapter(pain001_version=version, dialect=dialect)
    try:
        root = tree(bank, submission([told]))
    except ValueError:
        return
    for path in SCHEMAS.get((version, dialect), [f"xsd/pain.001.{version}.xsd"]):
        schema(path).assertValid(root)
    assert texts(root, "Cdtr/Nm") == [name]
    assert texts(root, "RmtInf/Ustrd") == [remittance]
    assert texts(root, "PmtId/EndToEndId") == [end_to_end_id]


@fills("BULK_LINES_MAX", "LINES_MAX")
def test_a_full_bulk_is_said() -> None:
    """As many lines as the house allows in one message, and the adapter's bound is the house's."""
    assert LINES_MAX == limits.BULK_LINES_MAX
    told = submission([payment(number) for number in range(1, LINES_MAX + 1)], date(2026, 3, 3))
    root = tree(adapter(bulk_lines_max=LINES_MAX), told)
    assert len(texts(root, "CdtTrfTxInf/PmtId")) == LINES_MAX
    assert texts(root, "ReqdExctnDt/Dt") == ["2026-03-03"]
