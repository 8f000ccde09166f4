"""From a draft to a checked instruction: normalize, fingerprint, choose the bank, apply every rule."""

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from gateway.config import BankProfile
from gateway.core.errors import BankUnknown, InvalidInstruction
from gateway.core.payment import ChargeBearer, Instruction, Money, Party
from gateway.intake.bank import BankBook
from gateway.intake.draft import Draft
from gateway.intake.fingerprint import content, fingerprint
from gateway.intake.known import compact, known
from gateway.intake.places import DECIMALS, within_sepa
from gateway.intake.rule import Case
from gateway.intake.rules import violations


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
    debtor, creditor = known(draft.instruction.debtor), known(draft.instruction.creditor)
    told = _normalized(draft.instruction, debtor.written, creditor.written)
    said = content(told, debtor.parts + creditor.parts, draft)
    bank = banks.choose(told.bank, told.debtor.account.number)
    profile = None if isinstance(bank, BankUnknown) else bank
    sepa = within_sepa(told.debtor.account.iban, told.creditor.account.iban, told.amount.currency)
    told = _completed(told, draft, sepa, profile)
    case = Case(told, today, sepa, profile, len(said))
    broken = (*draft.broken, *violations(case, parties_sound=debtor.sound and creditor.sound))
    if broken:
        return Prepared(told, fingerprint(said), InvalidInstruction(broken))
    if profile is None:
        assert isinstance(bank, BankUnknown)
        return Prepared(told, fingerprint(said), bank)
    return Prepared(told, fingerprint(said), None)


def _completed(told: Instruction, draft: Draft, sepa: bool, bank: BankProfile | None) -> Instruction:
    """With what the client left to us: the charge bearer and the bank."""
    ours = ChargeBearer.SLEV if sepa else ChargeBearer.SHAR
    charge_bearer = ours if draft.charge_bearer_open else told.charge_bearer
    name = bank.name if bank else told.bank
    if charge_bearer is told.charge_bearer and name == told.bank:
        return told  # the usual case, and a copy is dear
    return replace(told, charge_bearer=charge_bearer, bank=name)


def _normalized(told: Instruction, debtor: Party, creditor: Party) -> Instruction:
    """The same content in the one way we write it: trimmed, IBANs without blanks, codes in upper case, the amount
    with its currency's decimals, labels by key. The idempotency key is taken as it came."""
    return Instruction(
        idempotency_key=told.idempotency_key,
        end_to_end_id=told.end_to_end_id.strip(),
        amount=_money(told.amount),
        debtor=debtor,
        creditor=creditor,
        bank=told.bank.strip(),
        requested_execution_date=told.requested_execution_date,
        purpose=told.purpose.strip().upper(),
        remittance=told.remittance.strip(),
        creditor_reference=compact(told.creditor_reference),
        charge_bearer=told.charge_bearer,
        rail=told.rail,
        labels=tuple(sorted(told.labels)),
    )


def _money(amount: Money) -> Money:
    """With the currency's decimals where that loses nothing; an amount that has more is left for the rules."""
    currency = amount.currency.strip().upper()
    decimals = DECIMALS.get(currency)
    if decimals is None or not amount.value.is_finite() or amount.value.adjusted() > _DIGITS_MAX:
        return Money(currency, amount.value)
    exact = amount.value.quantize(_UNIT[decimals])
    return Money(currency, exact if exact == amount.value else amount.value)


_DIGITS_MAX = 20
"""Digits before the point up to which an amount is rewritten; the rules allow fewer."""
_UNIT = {decimals: Decimal(1).scaleb(-decimals) for decimals in set(DECIMALS.values())}
