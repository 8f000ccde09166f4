"""The rules that hold for debtor and creditor alike, and those for the creditor alone."""

from collections.abc import Callable
from typing import Final

from gateway.core.payment import Party
from gateway.intake.charset import LATIN_TEXT, SEPA_TEXT, is_latin, is_sepa
from gateway.intake.places import COUNTRIES, is_bic, is_iban
from gateway.intake.rule import (
    BUILDING_CHARS_MAX,
    OTHER_ACCOUNT_CHARS_MAX,
    POSTAL_CODE_CHARS_MAX,
    STREET_CHARS_MAX,
    TOWN_CHARS_MAX,
    Case,
    Rule,
)


def party_rules(path: str, party: Callable[[Case], Party]) -> tuple[Rule, ...]:
    """The rules that hold for debtor and creditor alike."""
    return (
        Rule(
            "NAME_LENGTH",
            f"{path}.name",
            lambda case: len(party(case).name) <= case.name_max,
            "at most {case.name_max} characters",
        ),
        Rule("NAME_CHARACTERS", f"{path}.name", lambda case: is_latin(party(case).name), f"only {LATIN_TEXT}"),
        Rule(
            "ACCOUNT_REQUIRED",
            f"{path}.account",
            lambda case: bool(party(case).account.number),
            "required: an IBAN, or another account identification",
        ),
        Rule(
            "ACCOUNT_AMBIGUOUS",
            f"{path}.account",
            lambda case: not (party(case).account.iban and party(case).account.other),
            "either an IBAN or another account identification, not both",
        ),
        Rule(
            "IBAN_INVALID",
            f"{path}.account.iban",
            lambda case: not party(case).account.iban or is_iban(party(case).account.iban),
            "must be an IBAN: its country, length, structure and check digits must fit (ISO 13616)",
        ),
        Rule(
            "ACCOUNT_LENGTH",
            f"{path}.account.other",
            lambda case: len(party(case).account.other) <= OTHER_ACCOUNT_CHARS_MAX,
            f"at most {OTHER_ACCOUNT_CHARS_MAX} characters",
        ),
        Rule(
            "ACCOUNT_CHARACTERS",
            f"{path}.account.other",
            lambda case: is_sepa(party(case).account.other),
            f"only {SEPA_TEXT}",
        ),
        Rule(
            "BIC_INVALID",
            f"{path}.agent_bic",
            lambda case: not party(case).agent_bic or is_bic(party(case).agent_bic),
            "must be a BIC of 8 or 11 characters (ISO 9362)",
        ),
        Rule(
            "ADDRESS_LENGTH",
            f"{path}.address",
            lambda case: _address_fits(party(case)),
            f"at most {STREET_CHARS_MAX} characters of street name, {BUILDING_CHARS_MAX} of building number, "
            f"{POSTAL_CODE_CHARS_MAX} of postal code and {TOWN_CHARS_MAX} of town name",
        ),
        Rule(
            "ADDRESS_CHARACTERS", f"{path}.address", lambda case: _address_readable(party(case)), f"only {LATIN_TEXT}"
        ),
        Rule(
            "ADDRESS_INCOMPLETE",
            f"{path}.address",
            lambda case: not party(case).address or bool(party(case).address.town and party(case).address.country),
            "an address needs a town name and a country code",
        ),
        Rule(
            "COUNTRY_UNKNOWN",
            f"{path}.address.country_code",
            lambda case: not party(case).address.country or party(case).address.country in COUNTRIES,
            "must be a country code (ISO 3166-1 alpha-2)",
        ),
    )


CREDITOR_RULES: Final = (
    Rule(
        "NAME_REQUIRED",
        "creditor.name",
        lambda case: bool(case.told.creditor.name),
        "required: the creditor's name",
    ),
    Rule(
        "AGENT_REQUIRED",
        "creditor.agent_bic",
        lambda case: not case.told.creditor.account.other or bool(case.told.creditor.agent_bic),
        "required where the creditor's account is not an IBAN",
    ),
)


def _address_fits(party: Party) -> bool:
    address = party.address
    return (
        len(address.street) <= STREET_CHARS_MAX
        and len(address.building) <= BUILDING_CHARS_MAX
        and len(address.postal_code) <= POSTAL_CODE_CHARS_MAX
        and len(address.town) <= TOWN_CHARS_MAX
    )


def _address_readable(party: Party) -> bool:
    address = party.address
    return is_latin(f"{address.street}{address.building}{address.postal_code}{address.town}")
