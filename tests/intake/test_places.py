"""Claims about IBANs, BICs, countries and currencies, held against the published registries where they are there."""

import json
import os
import random
import re
import string
from pathlib import Path
from xml.etree import ElementTree

import pytest
from stdnum.iso7064 import mod_97_10

from gateway.intake.places import (
    BIC_CHARS_MAX,
    COUNTRIES,
    DECIMALS,
    IBAN_CHARS_MAX,
    SEPA_COUNTRIES,
    is_bic,
    is_creditor_reference,
    is_iban,
    within_sepa,
)
from tests.fills import fills

DATA = Path(os.environ.get("CAUSEWAY_TEST_DATA", Path(__file__).resolve().parents[2] / ".." / "shared" / "data"))
CODESETS = DATA / "codesets"
needs_codesets = pytest.mark.skipif(not CODESETS.is_dir(), reason=f"no published code sets in {CODESETS}")

_EXAMPLES = """
    AD1200012030200359100100 AE070331234567890123456 AL47212110090000000235698741 AT611904300234573201
    BA391290079401028494 BE68539007547034 BG80BNBG96611020345678 BH67BMAG00001299123456
    BR1800360305000010009795493C1 CH9300762011623852957 CR05015202001026284066 CY17002001280000001200527600
    CZ6508000000192000145399 DE89370400440532013000 DK5000400440116243 DO28BAGR00000001212453611324
    EE382200221020145685 ES9121000418450200051332 FI2112345600000785 FO6264600001631634
    FR1420041010050500013M02606 GB29NWBK60161331926819 GE29NB0000000101904917 GI75NWBK000000007099453
    GL8964710001000206 GR1601101250000000012300695 GT82TRAJ01020000001210029690 HR1210010051863000160
    HU42117730161111101800000000 IE29AIBK93115212345678 IL620108000000099999999 IS140159260076545510730339
    IT60X0542811101000000123456 JO94CBJO0010000000000131000302 KW81CBKU0000000000001234560101
    KZ86125KZT5004100100 LB62099900000001001901229114 LI21088100002324013AA LT121000011101001000
    LU280019400644750000 LV80BANK0000435195001 MC5811222000010123456789030 MD24AG000225100013104168
    ME25505000012345678951 MK07250120000058984 MR1300020001010000123456753 MT84MALT011000012345MTLCAST001S
    MU17BOMM0101101030300200000MUR NL91ABNA0417164300 NO9386011117947 PK36SCBL0000001123456702
    PL61109010140000071219812874 PS92PALS000000000400123456702 PT50000201231234567890154
    QA58DOHB00001234567890ABCDEFG RO49AAAA1B31007593840000 RS35260005601001611379 SA0380000000608010167519
    SE4550000000058398257466 SI56263300012039086 SK3112000000198742637541 SM86U0322509800000000270100
    TN5910006035183598478831 TR330006100519786457841326 UA213223130000026007233566001 VA59001123000012345678
    VG96VPVG0000012345678901 XK051212012345678906
"""
EXAMPLES = _EXAMPLES.split()
EXAMPLE_COUNTRIES = {number[:2] for number in EXAMPLES}


@pytest.mark.parametrize("number", EXAMPLES)
def test_the_registrys_examples_are_accepted_and_one_wrong_digit_is_not(number: str) -> None:
    """ISO 13616: each country's published example; its check digits find a single mistake."""
    assert is_iban(number)
    wrong = "0" if number[-1] != "0" else "1"
    assert not is_iban(number[:-1] + wrong)
    assert not is_iban(number + "0")


@needs_codesets
def test_every_country_of_the_registry_is_accepted_with_its_structure() -> None:
    """For each line of the IBAN registry, numbers of that structure with right check digits are IBANs, also of banks
    that no list knows yet."""
    dice = random.Random(7)
    lines = (CODESETS / "iban-registry" / "stdnum-iban.dat").read_text().splitlines()
    found = [match.groups() for match in map(re.compile(r'([A-Z]{2}) .*bban="([^"]+)"').match, lines) if match]
    assert len(found) > 80
    for country, structure in found:
        assert country in COUNTRIES
        assert all(is_iban(_numbered(country, structure, dice)) for _ in range(20)), country


def _numbered(country: str, structure: str, dice: random.Random) -> str:
    signs = {"n": string.digits, "a": string.ascii_uppercase, "c": string.digits + string.ascii_uppercase}
    bban = "".join(
        "".join(dice.choices(signs[kind], k=int(length))) for length, kind in re.findall(r"(\d+)!([nac])", structure)
    )
    return country + mod_97_10.calc_check_digits(bban + country) + bban


@needs_codesets
def test_sepa_is_at_least_what_the_registry_says() -> None:
    """Every country the registry marks as SEPA whose IBANs carry its own code is in our list."""
    registry = json.loads((CODESETS / "iban-registry" / "schwifty-generated.json").read_text())
    marked = {code for code, entry in registry.items() if entry["in_sepa_zone"] and entry["iban_spec"][:2] == code}
    territories = {code for code in marked if code not in EXAMPLE_COUNTRIES}
    assert marked - territories <= SEPA_COUNTRIES
    assert SEPA_COUNTRIES <= COUNTRIES


@needs_codesets
def test_currencies_are_those_of_iso_4217_list_one() -> None:
    """Code and decimals as published; what has no decimals of its own (metals, test codes) is no currency here."""
    tree = ElementTree.parse(CODESETS / "iso4217" / "list-one-20260101.xml")
    listed = {
        entry.findtext("Ccy"): entry.findtext("CcyMnrUnts")
        for entry in tree.iter("CcyNtry")
        if entry.findtext("Ccy") is not None
    }
    published = {code: int(units) for code, units in listed.items() if code and units and units.isdigit()}
    assert {code: decimals for code, decimals in DECIMALS.items() if code in published} == published
    assert set(DECIMALS) - set(published) <= {"BGN"}  # left the list with 2026


@fills("IBAN_CHARS_MAX", "BIC_CHARS_MAX")
def test_lengths_are_looked_at_before_anything_is_remembered() -> None:
    """A long text cannot fill the caches."""
    assert not is_iban("DE" + "0" * IBAN_CHARS_MAX)
    assert not is_bic("A" * (BIC_CHARS_MAX + 1))
    assert not is_creditor_reference("RF18" + "0" * 100_000)


def test_bics_and_references() -> None:
    """ISO 9362 with a country of ISO 3166; ISO 11649 with its check digits."""
    assert is_bic("COBADEFF")
    assert is_bic("COBADEFFXXX")
    assert not is_bic("COBAZZFF")
    assert not is_bic("")
    assert is_creditor_reference("RF18539007547034")
    assert not is_creditor_reference("RF17539007547034")


def test_sepa_is_euros_between_two_accounts_of_the_schemes() -> None:
    """Another currency, or one side outside, is none."""
    assert within_sepa("DE1", "FR1", "EUR")
    assert not within_sepa("DE1", "FR1", "CHF")
    assert not within_sepa("DE1", "US1", "EUR")
    assert not within_sepa("DE1", "", "EUR")
