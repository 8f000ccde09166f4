"""The shape rules of an instruction, as one ordered table. All that are broken come back at once.

A rule that cannot apply holds: a missing account breaks ACCOUNT_REQUIRED and not also the rule on check digits. The
texts say what is allowed and never repeat account data or names (law 11).
"""

from datetime import timedelta
from typing import Final

from gateway import limits
from gateway.core.errors import Violation
from gateway.core.payment import ChargeBearer
from gateway.intake.charset import SEPA_TEXT, is_printable_ascii, is_sepa, is_sepa_reference
from gateway.intake.parties import CREDITOR_RULES, party_rules
from gateway.intake.places import is_creditor_reference, is_iban
from gateway.intake.rule import (
    AMOUNT_DIGITS_MAX,
    AMOUNT_MAX_SEPA,
    PURPOSE_CHARS,
    REMITTANCE_CHARS_MAX,
    Case,
    Rule,
)


def violations(case: Case) -> list[Violation]:
    """Every rule that does not hold, in the table's order."""
    return [
        Violation(f"instruction.{rule.field}".rstrip("."), rule.reason, rule.says.format(case=case))
        for holds, rule in _CHECKS
        if not holds(case)
    ]


def rest_holds(case: Case) -> bool:
    """Whether every rule holds but those for parties and those that recur: what must be asked of each instruction."""
    for holds in _OF_EACH:  # noqa: SIM110 (a generator costs as much as the rules)
        if not holds(case):
            return False
    return True


def _amount_fits(case: Case) -> bool:
    value = case.told.amount.value
    if not value.is_finite():
        return False
    return value <= AMOUNT_MAX_SEPA if case.sepa else value.adjusted() + 1 + case.decimals_used <= AMOUNT_DIGITS_MAX


def _date_in_reach(case: Case) -> bool:
    asked = case.told.requested_execution_date
    return asked is None or asked <= case.today + timedelta(days=limits.EXECUTION_DATE_DAYS_AHEAD_MAX)


def _held_at_bank(case: Case) -> bool:
    """A profile lists IBANs; an account without one is the bank's own affair."""
    iban = case.told.debtor.account.iban
    return case.bank is None or not is_iban(iban) or iban in case.bank.accounts


def _purpose_shaped(case: Case) -> bool:
    purpose = case.told.purpose
    return not purpose or (len(purpose) == PURPOSE_CHARS and purpose.isascii() and purpose.isalnum())


def _labels_fit(case: Case) -> bool:
    return all(
        0 < len(key) <= limits.LABEL_KEY_CHARS_MAX and len(value) <= limits.LABEL_VALUE_CHARS_MAX
        for key, value in case.told.labels
    )


_INSTRUCTION: Final = (
    Rule(
        "IDEMPOTENCY_KEY_LENGTH",
        "idempotency_key",
        lambda case: 0 < len(case.told.idempotency_key) <= limits.IDEMPOTENCY_KEY_CHARS_MAX,
        f"required: 1 to {limits.IDEMPOTENCY_KEY_CHARS_MAX} characters",
    ),
    Rule(
        "IDEMPOTENCY_KEY_CHARACTERS",
        "idempotency_key",
        lambda case: is_printable_ascii(case.told.idempotency_key),
        "only printable ASCII characters",
    ),
    Rule(
        "END_TO_END_ID_LENGTH",
        "end_to_end_id",
        lambda case: len(case.told.end_to_end_id) <= limits.END_TO_END_ID_CHARS_MAX,
        f"at most {limits.END_TO_END_ID_CHARS_MAX} characters",
    ),
    Rule(
        "END_TO_END_ID_CHARACTERS",
        "end_to_end_id",
        lambda case: is_sepa_reference(case.told.end_to_end_id),
        f"only {SEPA_TEXT}; no / at either end and no // within (EPC217-08)",
    ),
    Rule(
        "CURRENCY_UNKNOWN",
        "amount.currency_code",
        lambda case: case.decimals is not None,
        "required: the code of an active currency (ISO 4217), e.g. EUR",
        recurs=True,
    ),
    Rule(
        "AMOUNT_NOT_POSITIVE",
        "amount",
        lambda case: not case.told.amount.value.is_nan() and case.told.amount.value > 0,
        "must be above zero",
    ),
    Rule(
        "AMOUNT_DECIMALS",
        "amount",
        lambda case: case.decimals is None or case.decimals_used <= case.decimals,
        "{case.currency} has {case.decimals} decimals",
    ),
    Rule(
        "AMOUNT_TOO_LARGE",
        "amount",
        _amount_fits,
        f"at most EUR {AMOUNT_MAX_SEPA:,} within SEPA, and {AMOUNT_DIGITS_MAX} digits elsewhere",
    ),
)


_REST: Final = (
    Rule(
        "PURPOSE_INVALID",
        "purpose_code",
        _purpose_shaped,
        f"must be {PURPOSE_CHARS} letters or digits (ISO 20022 ExternalPurpose1Code)",
        recurs=True,
    ),
    Rule(
        "REMITTANCE_LENGTH",
        "unstructured_remittance",
        lambda case: len(case.told.remittance) <= REMITTANCE_CHARS_MAX,
        f"at most {REMITTANCE_CHARS_MAX} characters",
    ),
    Rule(
        "REMITTANCE_CHARACTERS",
        "unstructured_remittance",
        lambda case: is_sepa(case.told.remittance),
        f"only {SEPA_TEXT} (EPC217-08)",
    ),
    Rule(
        "CREDITOR_REFERENCE_INVALID",
        "creditor_reference",
        lambda case: not case.told.creditor_reference or is_creditor_reference(case.told.creditor_reference),
        "must be an RF creditor reference with its check digits (ISO 11649)",
    ),
    Rule(
        "REMITTANCE_AMBIGUOUS",
        "creditor_reference",
        lambda case: not (case.told.remittance and case.told.creditor_reference),
        "either an unstructured remittance text or a creditor reference, not both",
    ),
    Rule(
        "EXECUTION_DATE_PAST",
        "requested_execution_date",
        lambda case: (case.told.requested_execution_date or case.today) >= case.today,
        "must not be in the past (today is {case.today} UTC)",
        recurs=True,
    ),
    Rule(
        "EXECUTION_DATE_TOO_FAR",
        "requested_execution_date",
        _date_in_reach,
        f"at most {limits.EXECUTION_DATE_DAYS_AHEAD_MAX} days ahead",
        recurs=True,
    ),
    Rule(
        "CHARGE_BEARER_NOT_OFFERED",
        "charge_bearer",
        lambda case: case.sepa or case.told.charge_bearer is not ChargeBearer.SLEV,
        "SLEV is for euros between SEPA accounts; elsewhere SHAR, DEBT or CRED",
        recurs=True,
    ),
    Rule(
        "DEBTOR_ACCOUNT_NOT_AT_BANK",
        "debtor.account",
        _held_at_bank,
        "the bank's profile does not list this account: name the bank that holds it, or leave the bank open",
        recurs=True,
    ),
    Rule(
        "RAIL_NOT_OFFERED",
        "rail",
        lambda case: case.bank is None or case.told.rail in case.bank.rails,
        "the bank offers {case.rails}",
        recurs=True,
    ),
    Rule(
        "LABELS_TOO_MANY",
        "labels",
        lambda case: len(case.told.labels) <= limits.LABELS_MAX,
        f"at most {limits.LABELS_MAX} labels",
    ),
    Rule(
        "LABEL_LENGTH",
        "labels",
        _labels_fit,
        f"keys of 1 to {limits.LABEL_KEY_CHARS_MAX} characters, values of at most {limits.LABEL_VALUE_CHARS_MAX}",
    ),
    Rule(
        "INSTRUCTION_TOO_LARGE",
        "",
        lambda case: case.size <= limits.INSTRUCTION_BYTES_MAX,
        f"at most {limits.INSTRUCTION_BYTES_MAX:,} bytes in all",
    ),
)

RULES: Final[tuple[Rule, ...]] = (
    *_INSTRUCTION,
    *party_rules("debtor", lambda case: case.told.debtor),
    *party_rules("creditor", lambda case: case.told.creditor),
    *CREDITOR_RULES,
    *_REST,
)
"""Every rule, in the order in which violations are listed."""
_CHECKS: Final = tuple((rule.holds, rule) for rule in RULES)
_OF_EACH: Final = tuple(rule.holds for rule in (*_INSTRUCTION, *_REST) if not rule.recurs)
RECURRING: Final = tuple(rule for rule in (*_INSTRUCTION, *_REST) if rule.recurs)
"""Those that recur: they hold for all instructions of one intake.standing.Standing, or for none."""
