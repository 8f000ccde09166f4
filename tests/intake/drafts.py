"""Drafts for the tests of intake, and what intake makes of them."""

from dataclasses import replace
from datetime import date
from typing import Any, Final

from gateway.core.errors import InvalidInstruction
from gateway.core.payment import Account, Party, Rail
from gateway.intake.bank import BankBook
from gateway.intake.draft import Draft
from gateway.intake.prepare import Prepared, prepare
from tests.fakes import payments
from tests.fakes.house import profile

TODAY: Final = date(2026, 3, 2)
BOOK: Final = BankBook(
    [
        profile("northbank", accounts=[payments.IBAN_DE], rails=[Rail.NORMAL, Rail.INSTANT]),
        profile("southbank", accounts=[payments.IBAN_FR, payments.IBAN_CH]),
        profile("westbank", accounts=[payments.IBAN_CH]),
        profile("closed", accounts=[payments.IBAN_GB], enabled=False),
    ]
)


def draft(*, open_bearer: bool = False, **changes: Any) -> Draft:
    """A draft that breaks no rule; `changes` replace fields of its instruction."""
    return Draft(payments.instruction(1, **changes), charge_bearer_open=open_bearer)


def prepared(of: Draft, today: date = TODAY, banks: BankBook = BOOK) -> Prepared:
    return prepare(of, today=today, banks=banks)


def broken(**changes: Any) -> dict[str, str]:
    """Rule → field path of every rule that a draft with these changes breaks."""
    refusal = prepared(draft(**changes)).refusal
    if refusal is None:
        return {}
    assert isinstance(refusal, InvalidInstruction), refusal
    return {violation.reason: violation.field for violation in refusal.violations}


def creditor(**changes: Any) -> Party:
    return replace(payments.instruction().creditor, **changes)


def debtor(**changes: Any) -> Party:
    return replace(payments.instruction().debtor, **changes)


def account(*, iban: str = "", other: str = "") -> Account:
    return Account(iban=iban, other=other)
