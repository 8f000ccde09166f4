"""The elements of a pain.001 as strings.

What leaves here is well-formed and within the schema's bounds, or is refused with ValueError; the error names the
element, never the value, which may be a name or an account.
"""

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from adapters.iso20022.form import Form
from gateway.core.payment import Account, Address, Instruction, Money, Payment

_PLAIN = re.compile(r"[A-Za-z0-9 .,:/()+?'\-]*")  # needs neither escaping nor a look at what XML allows
_FORBIDDEN = re.compile("[^\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0 Char, without line breaks
_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Za-z0-9]{1,30}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_COUNTRY = re.compile(r"[A-Z]{2}")
_DIGITS_MAX: Final = 18  # ISO 20022 amounts and sums: totalDigits
_DECIMALS_MAX: Final = 5  # … and fractionDigits of an amount


def initiating_party(form: Form, name: str, number: str) -> str:
    """Name and id only: a postal address or a SchmeNm here is what national profiles refuse."""
    named = text(form, "Nm", name, form.name_chars_max)
    if not number:
        return f"<InitgPty>{named}</InitgPty>"
    return f"<InitgPty>{named}<Id><OrgId><Othr>{text(form, 'Id', number, 35)}</Othr></OrgId></Id></InitgPty>"


def party(form: Form, tag: str, name: str, where: Address) -> str:
    """Name, which every bank wants, and address."""
    return f"<{tag}>{text(form, 'Nm', name, form.name_chars_max)}{address(form, where)}</{tag}>"


def address(form: Form, where: Address) -> str:
    if not where:
        return ""
    if where.country and not _COUNTRY.fullmatch(where.country):
        raise ValueError("Ctry: no country code")
    parts = (
        ("StrtNm", where.street, 70),
        ("BldgNb", where.building, 16),
        ("PstCd", where.postal_code, 16),
        ("TwnNm", where.town, 35),
        ("Ctry", where.country, 2),
    )
    return f"<PstlAdr>{''.join(text(form, tag, value, most) for tag, value, most in parts if value)}</PstlAdr>"


def account(form: Form, tag: str, held: Account) -> str:
    if held.iban:
        if not _IBAN.fullmatch(held.iban):
            raise ValueError(f"{tag}: no IBAN")
        return f"<{tag}><Id><IBAN>{held.iban}</IBAN></Id></{tag}>"
    return f"<{tag}><Id><Othr>{text(form, 'Id', held.other, 34)}</Othr></Id></{tag}>"


def agent(form: Form, tag: str, bic: str) -> str:
    if not bic:
        return ""
    if not form.bic.fullmatch(bic):
        raise ValueError(f"{tag}: no BIC")
    return f"<{tag}><FinInstnId><{form.bic_tag}>{bic}</{form.bic_tag}></FinInstnId></{tag}>"


def remittance(form: Form, told: Instruction) -> str:
    if told.creditor_reference:
        kind = "<Tp><CdOrPrtry><Cd>SCOR</Cd></CdOrPrtry></Tp>"
        referred = text(form, "Ref", told.creditor_reference, 35)
        return f"<RmtInf><Strd><CdtrRefInf>{kind}{referred}</CdtrRefInf></Strd></RmtInf>"
    return f"<RmtInf>{text(form, 'Ustrd', told.remittance, 140)}</RmtInf>" if told.remittance else ""


def instructed_amount(money: Money) -> str:
    if not _CURRENCY.fullmatch(money.currency):
        raise ValueError("Ccy: no currency code")
    return f'<Amt><InstdAmt Ccy="{money.currency}">{amount(money.value)}</InstdAmt></Amt>'


def amount(value: Decimal) -> str:
    """As the schema's decimal: no exponent, no rounding."""
    if not value.is_finite() or value <= 0:
        raise ValueError("an amount must be above zero")
    exact = f"{value:f}"
    whole, _, decimals = exact.partition(".")
    if len(decimals) > _DECIMALS_MAX or len(whole) + len(decimals) > _DIGITS_MAX:
        raise ValueError(f"an amount has at most {_DIGITS_MAX} digits, {_DECIMALS_MAX} of them decimals")
    return exact


def total(payments: Sequence[Payment]) -> str:
    """CtrlSum: the sum of all amounts, whatever their currency; exact within its 18 digits, refused beyond."""
    if len(payments) == 1:
        return amount(payments[0].instruction.amount.value)
    try:
        return amount(sum((payment.instruction.amount.value for payment in payments), Decimal()))
    except ArithmeticError as error:
        raise ValueError("an amount must be a number") from error


def reference(form: Form, tag: str, value: str) -> str:
    if form.reference and not form.reference.fullmatch(value):
        raise ValueError(f"{tag}: a character that this bank does not take")
    return text(form, tag, value, 35)


def text(form: Form, tag: str, value: str, chars_max: int) -> str:
    """An element with a text; ValueError where it is empty, too long or has a character that cannot be said. The
    error names the element, never the value: it may be a name or an account."""
    if not value or len(value) > chars_max:
        raise ValueError(f"{tag}: {len(value)} characters; allowed are 1 to {chars_max}")
    if _PLAIN.fullmatch(value):
        return f"<{tag}>{value}</{tag}>"
    if _FORBIDDEN.search(value) or (form.text and not form.text.fullmatch(value)):
        raise ValueError(f"{tag}: a character that this bank does not take")
    escaped = value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f"<{tag}>{escaped}</{tag}>"
