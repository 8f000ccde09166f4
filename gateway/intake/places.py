"""Countries and currencies: what a code is, and who is within SEPA."""

from functools import lru_cache
from typing import Final

from iso4217 import Currency
from stdnum import bic, iban, iso11649

CHECKS_KEPT_MAX: Final = 65_536
"""Results of number checks kept: a house pays the same creditors again and again. About 10 MiB each when full."""

IBAN_CHARS_MAX: Final = 34  # ISO 13616-1
BIC_CHARS_MAX: Final = 11  # ISO 9362
REFERENCE_CHARS_MAX: Final = 25  # ISO 11649

# ISO 3166-1 alpha-2, and XK, which SWIFT and the IBAN registry use for Kosovo.
_COUNTRIES = """
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ
    CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO
    FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE
    JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO
    MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW
    PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM
    TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW
"""
COUNTRIES: Final = frozenset(_COUNTRIES.split())

# EPC409-09, "EPC List of SEPA Scheme Countries": the country codes that begin the IBANs of the schemes' banks. The
# territories that use their mother country's IBAN are reached through it.
_SEPA_COUNTRIES = """
    AD AL AT BE BG CH CY CZ DE DK EE ES FI FR GB GI GR HR HU IE IS IT LI LT LU LV MC MD ME MK MT NL NO PL PT RO RS
    SE SI SK SM VA
"""
SEPA_COUNTRIES: Final = frozenset(_SEPA_COUNTRIES.split())

# ISO 4217 list one without metals, bond units and test codes: those have no minor unit and are no one's money.
DECIMALS: Final[dict[str, int]] = {
    currency.code: currency.exponent for currency in Currency if currency.exponent is not None
}
"""Active currency → its decimals."""


def is_iban(number: str) -> bool:
    """Whether `number` (no blanks, upper case) is an IBAN: country, length, structure, check digits (ISO 13616)."""
    return len(number) <= IBAN_CHARS_MAX and _is_iban(number)


def is_bic(code: str) -> bool:
    """Whether `code` (upper case) has the shape of a BIC with an ISO 3166 country (ISO 9362)."""
    return len(code) <= BIC_CHARS_MAX and _is_bic(code)


# The lengths are checked before the caches are asked: what is kept of a stranger's text is small.
@lru_cache(maxsize=CHECKS_KEPT_MAX)
def _is_iban(number: str) -> bool:
    # Without the library's national checks: some look up the bank's code in a list as old as the library.
    return number.isascii() and number.isalnum() and bool(iban.is_valid(number, check_country=False))


@lru_cache(maxsize=CHECKS_KEPT_MAX)
def _is_bic(code: str) -> bool:
    return code.isascii() and code.isalnum() and bool(bic.is_valid(code))


def is_creditor_reference(reference: str) -> bool:
    """Whether `reference` (no blanks, upper case) is an RF creditor reference with its check digits (ISO 11649)."""
    plain = reference.isascii() and reference.isalnum() and len(reference) <= REFERENCE_CHARS_MAX
    return plain and bool(iso11649.is_valid(reference))


def within_sepa(debtor_iban: str, creditor_iban: str, currency: str) -> bool:
    """Whether a payment between these accounts is a SEPA credit transfer: euros, both banks in the schemes."""
    return currency == "EUR" and debtor_iban[:2] in SEPA_COUNTRIES and creditor_iban[:2] in SEPA_COUNTRIES
