"""pain.001: payments → the bytes of a customer credit transfer initiation, the same bytes for the same submission.

Texts are put together as strings, not as a tree: this is on the hot path, and the order of the elements is easier to
compare with the schema. Every text passes `_text`, so what leaves here is well-formed and within the schema's bounds
or is refused with ValueError before anything was sent.
"""

import hashlib
import re
import uuid
from base64 import b32encode
from collections.abc import Iterable
from datetime import UTC
from decimal import Decimal
from typing import Final

from adapters.iso20022.codes import SEPA_COUNTRIES
from adapters.iso20022.config import Iso20022Config
from adapters.iso20022.messages import Form
from gateway.core.payment import (
    REFERENCE_CHARS,
    Account,
    Address,
    ChargeBearer,
    Instruction,
    Money,
    Party,
    Payment,
    Rail,
)
from gateway.core.ports import Submission

_ISO = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.{}"
_SWISS_03 = "http://www.six-interbank-clearing.com/de/pain.001.001.03.ch.02.xsd"
_BIC_2009 = re.compile(r"[A-Z]{6}[A-Z2-9][A-NP-Z0-9](?:[A-Z0-9]{3})?")
_BIC_2014 = re.compile(r"[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}(?:[A-Z0-9]{3})?")
_REFERENCE = re.compile(r"[A-Za-z0-9+?/\-:().,' ]*")  # the SWIFT character set, of ids in SEPA and Switzerland
_SWISS_TEXT_03 = re.compile(  # Swiss Implementation Guidelines 1, "Swiss Character Set"
    r"[a-zA-Z0-9.,;:'+\-/()?*\[\]{}\\`´~ !\"#%&<>÷=@_$£àáâäçèéêëìíîïñòóôöùúûüýßÀÁÂÄÇÈÉÊËÌÍÎÏÒÓÔÖÙÚÛÜÑ]*"
)
_SWISS_TEXT_09 = re.compile("[\x20-\x7e\xa0-\xac\xae-\u017f€ȘșȚț]*")  # SPS 2021: Latin without the C categories
_PLAIN = re.compile(r"[A-Za-z0-9 .,:/()+?'\-]*")  # needs neither escaping nor a look at what XML allows
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, production 2
_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Za-z0-9]{1,30}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_COUNTRY = re.compile(r"[A-Z]{2}")
_DIGITS_MAX: Final = 18  # ISO 20022 amounts and sums: totalDigits
_DECIMALS_MAX: Final = 5  # … and fractionDigits of an amount


def form_of(config: Iso20022Config) -> Form:
    """The kind of pain.001 that a bank with this configuration takes."""
    newer = config.pain001_version == "001.09"
    swiss = config.dialect == "swiss"
    text = (_SWISS_TEXT_09 if newer else _SWISS_TEXT_03) if swiss else None
    return Form(
        namespace=_ISO.format(config.pain001_version[-2:]) if newer or not swiss else _SWISS_03,
        bic_tag="BICFI" if newer else "BIC",
        bic=_BIC_2014 if newer else _BIC_2009,
        date_is_choice=newer,
        # The EPC's customer-to-bank guidelines do not list a UETR; elsewhere it follows the payment across banks.
        uetr=newer and config.dialect != "sepa",
        name_chars_max=140 if config.dialect == "generic" else 70,
        reference=None if config.dialect == "generic" else _REFERENCE,
        text=text,
    )


def compose(config: Iso20022Config, form: Form, submission: Submission) -> bytes:
    """The message. ValueError where a payment cannot be said."""
    _check(config, submission)
    payments = submission.payments
    count, total = len(payments), _total(payments)
    created = submission.created_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    message = "".join(
        (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<Document xmlns="{form.namespace}"><CstmrCdtTrfInitn><GrpHdr>',
            _reference(form, "MsgId", submission.message_reference),
            f"<CreDtTm>{created}</CreDtTm><NbOfTxs>{count}</NbOfTxs><CtrlSum>{total}</CtrlSum>",
            _initiating_party(config, form),
            "</GrpHdr>",
            *_batches(config, form, submission),
            "</CstmrCdtTrfInitn></Document>",
        )
    )
    return message.encode()


def payment_information_id(message_reference: str, payment: Payment, kind: str) -> str:
    """The PmtInfId of the block this payment is in; `kind` is its payment_type.

    It is a function of the message and of what the block's payments share, so a status of the block is understood
    with the one payment at hand. In a message of one payment it is the message's own reference.
    """
    if message_reference == payment.wire_reference:
        return message_reference
    shared = "\x00".join((message_reference, kind, *_shared(payment)))
    return "CP" + b32encode(hashlib.sha256(shared.encode()).digest()).decode()[: REFERENCE_CHARS - 2]


def payment_type(config: Iso20022Config, instruction: Instruction) -> str:
    """PmtTpInf of an instruction as XML, or empty where nothing needs to be said."""
    euro = instruction.amount.currency == "EUR"
    match instruction.rail:
        case Rail.INSTANT:
            level = "<SvcLvl><Cd>SEPA</Cd></SvcLvl>" if euro else ""
            return f"<PmtTpInf>{level}<LclInstrm><Cd>INST</Cd></LclInstrm></PmtTpInf>"
        case Rail.URGENT:
            return "<PmtTpInf><InstrPrty>HIGH</InstrPrty><SvcLvl><Cd>URGP</Cd></SvcLvl></PmtTpInf>"
        case Rail.NORMAL:
            sepa = config.dialect == "sepa" or (euro and _is_sepa(instruction))
            return "<PmtTpInf><SvcLvl><Cd>SEPA</Cd></SvcLvl></PmtTpInf>" if sepa else ""


def uetr(payment: Payment) -> str:
    """The payment's UETR: 122 bits of its wire reference's hash in the form of a UUID version 4, the same on every
    resend to the same bank and another at another bank."""
    digest = hashlib.sha256(b"UETR\x00" + payment.wire_reference.encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))


def _check(config: Iso20022Config, submission: Submission) -> None:
    payments = submission.payments
    if not 1 <= len(payments) <= config.bulk_lines_max:
        raise ValueError(f"{len(payments)} payments in one message; allowed are 1 to {config.bulk_lines_max}")
    if submission.created_at.tzinfo is None:
        raise ValueError("created_at has no time zone")
    if len({payment.instruction.debtor.account for payment in payments}) > 1:
        raise ValueError("the payments of one message have several debtor accounts")
    if len({payment.id for payment in payments}) < len(payments):
        raise ValueError("a payment is in the message twice")
    if config.dialect == "sepa":
        for payment in payments:
            _check_sepa(payment.instruction)


def _check_sepa(instruction: Instruction) -> None:
    """What the EPC customer-to-bank guidelines demand beyond the schema."""
    if instruction.amount.currency != "EUR":
        raise ValueError("a SEPA payment is in EUR")
    if not instruction.creditor.account.iban or not instruction.debtor.account.iban:
        raise ValueError("a SEPA payment needs the IBANs of both sides")
    if instruction.charge_bearer is not ChargeBearer.SLEV:
        raise ValueError("the charge bearer of a SEPA payment is SLEV")
    if instruction.rail is Rail.URGENT:
        raise ValueError("there is no urgent SEPA credit transfer")


def _is_sepa(instruction: Instruction) -> bool:
    sides = (instruction.debtor.account.iban, instruction.creditor.account.iban)
    return instruction.charge_bearer is ChargeBearer.SLEV and all(iban[:2] in SEPA_COUNTRIES for iban in sides)


def _shared(payment: Payment) -> tuple[str, ...]:
    """What the payments of one PmtInf have in common beside account, date and payment type."""
    debtor, address = payment.instruction.debtor, payment.instruction.debtor.address
    place = (address.street, address.building, address.postal_code, address.town, address.country)
    return (payment.instruction.charge_bearer.value, debtor.name, debtor.agent_bic, *place)


def _batches(config: Iso20022Config, form: Form, submission: Submission) -> Iterable[str]:
    """One PmtInf per debtor as the clients named it, payment type and charge bearer; usually that is one."""
    blocks: dict[tuple[str, ...], list[Payment]] = {}
    for payment in submission.payments:
        kind = payment_type(config, payment.instruction)
        blocks.setdefault((kind, *_shared(payment)), []).append(payment)
    for payments in blocks.values():
        yield _batch(config, form, submission, payments)


def _batch(config: Iso20022Config, form: Form, submission: Submission, payments: list[Payment]) -> str:
    first = payments[0].instruction
    kind = payment_type(config, first)
    date = submission.execution_date.isoformat()
    booking = "" if config.batch_booking is None else f"<BtchBookg>{str(config.batch_booking).lower()}</BtchBookg>"
    debtor = Party(
        name=first.debtor.name or config.company_name or config.initiating_party_name,
        address=first.debtor.address or config.company_address,
    )
    return "".join(
        (
            "<PmtInf>",
            _reference(form, "PmtInfId", payment_information_id(submission.message_reference, payments[0], kind)),
            f"<PmtMtd>TRF</PmtMtd>{booking}<NbOfTxs>{len(payments)}</NbOfTxs><CtrlSum>{_total(payments)}</CtrlSum>",
            kind,
            f"<ReqdExctnDt><Dt>{date}</Dt></ReqdExctnDt>"
            if form.date_is_choice
            else f"<ReqdExctnDt>{date}</ReqdExctnDt>",
            _party(form, "Dbtr", debtor),
            _account(form, "DbtrAcct", first.debtor.account),
            _agent(form, "DbtrAgt", first.debtor.agent_bic or config.debtor_agent_bic)
            or "<DbtrAgt><FinInstnId><Othr><Id>NOTPROVIDED</Id></Othr></FinInstnId></DbtrAgt>",
            f"<ChrgBr>{first.charge_bearer.value}</ChrgBr>",
            *(_transaction(form, payment) for payment in payments),
            "</PmtInf>",
        )
    )


def _transaction(form: Form, payment: Payment) -> str:
    told = payment.instruction
    return "".join(
        (
            "<CdtTrfTxInf><PmtId>",
            _reference(form, "InstrId", payment.wire_reference),
            _reference(form, "EndToEndId", told.end_to_end_id),
            f"<UETR>{uetr(payment)}</UETR>" if form.uetr else "",
            "</PmtId>",
            _instructed_amount(told.amount),
            _agent(form, "CdtrAgt", told.creditor.agent_bic),
            _party(form, "Cdtr", told.creditor),
            _account(form, "CdtrAcct", told.creditor.account),
            f"<Purp>{_text(form, 'Cd', told.purpose, 4)}</Purp>" if told.purpose else "",
            _remittance(form, told),
            "</CdtTrfTxInf>",
        )
    )


def _initiating_party(config: Iso20022Config, form: Form) -> str:
    """Name and id only: a postal address or a SchmeNm here is what national profiles refuse."""
    name = _text(form, "Nm", config.initiating_party_name, form.name_chars_max)
    if not config.initiating_party_id:
        return f"<InitgPty>{name}</InitgPty>"
    number = _text(form, "Id", config.initiating_party_id, 35)
    return f"<InitgPty>{name}<Id><OrgId><Othr>{number}</Othr></OrgId></Id></InitgPty>"


def _party(form: Form, tag: str, party: Party) -> str:
    return f"<{tag}>{_text(form, 'Nm', party.name, form.name_chars_max)}{_address(form, party.address)}</{tag}>"


def _address(form: Form, address: Address) -> str:
    if not address:
        return ""
    if address.country and not _COUNTRY.fullmatch(address.country):
        raise ValueError("Ctry: no country code")
    parts = (
        ("StrtNm", address.street, 70),
        ("BldgNb", address.building, 16),
        ("PstCd", address.postal_code, 16),
        ("TwnNm", address.town, 35),
        ("Ctry", address.country, 2),
    )
    return f"<PstlAdr>{''.join(_text(form, tag, value, most) for tag, value, most in parts if value)}</PstlAdr>"


def _account(form: Form, tag: str, account: Account) -> str:
    if account.iban:
        if not _IBAN.fullmatch(account.iban):
            raise ValueError(f"{tag}: no IBAN")
        return f"<{tag}><Id><IBAN>{account.iban}</IBAN></Id></{tag}>"
    return f"<{tag}><Id><Othr>{_text(form, 'Id', account.other, 34)}</Othr></Id></{tag}>"


def _agent(form: Form, tag: str, bic: str) -> str:
    if not bic:
        return ""
    if not form.bic.fullmatch(bic):
        raise ValueError(f"{tag}: no BIC")
    return f"<{tag}><FinInstnId><{form.bic_tag}>{bic}</{form.bic_tag}></FinInstnId></{tag}>"


def _remittance(form: Form, told: Instruction) -> str:
    if told.creditor_reference:
        reference = _text(form, "Ref", told.creditor_reference, 35)
        kind = "<Tp><CdOrPrtry><Cd>SCOR</Cd></CdOrPrtry></Tp>"
        return f"<RmtInf><Strd><CdtrRefInf>{kind}{reference}</CdtrRefInf></Strd></RmtInf>"
    return f"<RmtInf>{_text(form, 'Ustrd', told.remittance, 140)}</RmtInf>" if told.remittance else ""


def _instructed_amount(amount: Money) -> str:
    if not _CURRENCY.fullmatch(amount.currency):
        raise ValueError("Ccy: no currency code")
    return f'<Amt><InstdAmt Ccy="{amount.currency}">{_amount(amount.value)}</InstdAmt></Amt>'


def _amount(value: Decimal, decimals_max: int = _DECIMALS_MAX) -> str:
    if not value.is_finite() or value <= 0:
        raise ValueError("an amount must be above zero")
    text = f"{value:f}"
    whole, _, decimals = text.partition(".")
    if len(decimals) > decimals_max or len(whole) + len(decimals) > _DIGITS_MAX:
        raise ValueError(f"an amount has at most {_DIGITS_MAX} digits, {decimals_max} of them decimals")
    return text


def _total(payments: Iterable[Payment]) -> str:
    """CtrlSum: the sum of all amounts, whatever their currency; exact within its 18 digits, refused beyond."""
    return _amount(sum((payment.instruction.amount.value for payment in payments), Decimal()))


def _reference(form: Form, tag: str, value: str) -> str:
    if form.reference and not form.reference.fullmatch(value):
        raise ValueError(f"{tag}: a character that this bank does not take")
    return _text(form, tag, value, 35)


def _text(form: Form, tag: str, value: str, chars_max: int) -> str:
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
