"""From a draft to a checked instruction: normalize, fingerprint, choose the bank, apply every rule."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from gateway.core.errors import BankUnknown, InvalidInstruction
from gateway.core.payment import Instruction, Money, Party
from gateway.intake.bank import BankBook
from gateway.intake.draft import Draft
from gateway.intake.fingerprint import content, fingerprint
from gateway.intake.known import KnownParty, compact, known
from gateway.intake.places import DECIMALS
from gateway.intake.rule import Case
from gateway.intake.rules import rest_holds, violations
from gateway.intake.standing import Combination, Standing, standing


@dataclass(frozen=True, slots=True)
class Prepared:
    """What intake makes of a draft."""

    instruction: Instruction
    """Normalized; checked and complete (but for the end-to-end id) where `refusal` is None."""
    fingerprint: bytes
    """SHA-256 of what the client sent. Always there: a replay is recognised even where today's rules refuse it."""
    refusal: InvalidInstruction | BankUnknown | None


def prepare(draft: Draft, *, today: date, banks: BankBook) -> Prepared:
    """Never raises for what a client sent. `today` is the date in UTC."""
    came = draft.instruction
    debtor, creditor = _parties(draft)
    amount = _money(came.amount)
    common = standing(
        Combination(
            debtor,
            creditor.written.account.iban[:2],
            amount.currency,
            came.bank,
            came.requested_execution_date,
            came.purpose,
            None if draft.charge_bearer_open else came.charge_bearer,
            came.rail,
            today,
            banks,
        )
    )
    told = _written(came, amount, debtor.written, creditor.written, common)
    said = content(told, (debtor.said, creditor.said), common.what, common.how, draft.broken)
    case = Case(told, today, common.sepa, common.profile, len(said))
    found = fingerprint(said)
    if not (common.sound and debtor.sound and creditor.payable and rest_holds(case)) or draft.broken:
        broken = (*draft.broken, *violations(case))
        if broken:
            return Prepared(told, found, InvalidInstruction(broken))
    return Prepared(told, found, None if common.profile else _unknown(told, banks))


def _parties(draft: Draft) -> tuple[KnownParty, KnownParty]:
    """As the translator knows them, if it does; debtor and creditor."""
    came, seen = draft.instruction, draft.seen
    if seen is not None and seen[0].came is came.debtor and seen[1].came is came.creditor:
        return seen
    return known(came.debtor), known(came.creditor)


def _written(came: Instruction, amount: Money, debtor: Party, creditor: Party, common: Standing) -> Instruction:
    """The same content in the one way we write it: trimmed, IBANs without blanks, codes in upper case, the amount
    with its currency's decimals, labels by key; and with what the client left to us. The idempotency key is taken as
    it came."""
    return Instruction(
        came.idempotency_key,
        came.end_to_end_id.strip(),
        amount,
        debtor,
        creditor,
        common.bank,
        came.requested_execution_date,
        common.purpose,
        came.remittance.strip(),
        compact(came.creditor_reference),
        common.charge_bearer,
        came.rail,
        tuple(sorted(came.labels)) if came.labels else (),
    )


def _unknown(told: Instruction, banks: BankBook) -> BankUnknown:
    """Made for each: an error that is raised twice would hold on to both its callers."""
    bank = banks.choose(told.bank, told.debtor.account.number)
    assert isinstance(bank, BankUnknown), "a bank that could not be chosen a moment ago"
    return bank


def _money(amount: Money) -> Money:
    """With the currency's decimals where that loses nothing; an amount that has more is left for the rules."""
    currency = amount.currency.strip().upper()
    decimals = DECIMALS.get(currency)
    if decimals is None or not amount.value.is_finite() or amount.value.adjusted() >= _DIGITS_MAX:
        return Money(currency, amount.value)
    exact = amount.value.quantize(_UNIT[decimals])
    return Money(currency, exact if exact == amount.value else amount.value)


_DIGITS_MAX = 20
"""Digits before the point up to which an amount is rewritten; the rules allow fewer. Nobody writes out 1E+900000."""
_UNIT = {decimals: Decimal(1).scaleb(-decimals) for decimals in set(DECIMALS.values())}
