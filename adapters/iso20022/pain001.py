"""pain.001: payments → the bytes of a customer credit transfer initiation, the same bytes for the same submission.

Texts are put together as strings, not as a tree: this is on the hot path, and the order of the elements is easier to
compare with the schema. What elements.py makes is well-formed and within the schema's bounds, or it is refused before
anything was sent.
"""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC
from typing import NamedTuple

from adapters.iso20022 import elements
from adapters.iso20022.codes import SEPA_COUNTRIES
from adapters.iso20022.config import Iso20022Config
from adapters.iso20022.form import Form
from gateway.core.payment import (
    REFERENCE_CHARS,
    ChargeBearer,
    Instruction,
    Party,
    Payment,
    Rail,
)
from gateway.core.ports import Submission


def compose(config: Iso20022Config, form: Form, submission: Submission) -> bytes:
    """The message. ValueError where a payment cannot be said."""
    _check(config, submission)
    payments = submission.payments
    count, total = len(payments), elements.total(payments)
    created = submission.created_at.astimezone(UTC).isoformat(timespec="seconds")[: len("2026-11-24T10:00:00")]
    message = "".join(
        (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<Document xmlns="{form.namespace}"><CstmrCdtTrfInitn><GrpHdr>',
            elements.reference(form, "MsgId", submission.message_reference),
            f"<CreDtTm>{created}Z</CreDtTm><NbOfTxs>{count}</NbOfTxs><CtrlSum>{total}</CtrlSum>",
            elements.initiating_party(form, config.initiating_party_name, config.initiating_party_id),
            "</GrpHdr>",
            *_batches(config, form, submission, total),
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
    return "CP" + hashlib.sha256(shared.encode()).hexdigest()[: REFERENCE_CHARS - 2].upper()


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


def uetr(wire_reference: str) -> str:
    """The payment's UETR: 122 bits of its wire reference's hash in the form of a UUID version 4, the same on every
    resend to the same bank and another at another bank."""
    digest = hashlib.sha256(b"UETR\x00" + wire_reference.encode()).digest()
    text = digest.hex()
    variant = "89ab"[digest[8] & 3]  # RFC 9562 section 4.1
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{variant}{text[17:20]}-{text[20:32]}"


def _check(config: Iso20022Config, submission: Submission) -> None:
    payments = submission.payments
    if not 1 <= len(payments) <= config.bulk_lines_max:
        raise ValueError(f"{len(payments)} payments in one message; allowed are 1 to {config.bulk_lines_max}")
    if submission.created_at.tzinfo is None:
        raise ValueError("created_at has no time zone")
    if len(payments) > 1:
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
    return (
        instruction.charge_bearer is ChargeBearer.SLEV
        and instruction.debtor.account.iban[:2] in SEPA_COUNTRIES
        and instruction.creditor.account.iban[:2] in SEPA_COUNTRIES
    )


def _shared(payment: Payment) -> tuple[str, ...]:
    """What the payments of one PmtInf have in common beside account, date and payment type."""
    debtor, address = payment.instruction.debtor, payment.instruction.debtor.address
    place = (address.street, address.building, address.postal_code, address.town, address.country)
    return (payment.instruction.charge_bearer.value, debtor.name, debtor.agent_bic, *place)


class Block(NamedTuple):
    """The payments of one PmtInf."""

    kind: str
    """Their payment_type."""
    payments: list[Payment]


def blocks_of(config: Iso20022Config, payments: Sequence[Payment]) -> list[Block]:
    """One PmtInf per debtor as the clients named it, payment type and charge bearer; usually that is one."""
    if len(payments) == 1:
        return [Block(payment_type(config, payments[0].instruction), list(payments))]
    blocks: dict[tuple[str, ChargeBearer, Party], Block] = {}
    block: Block | None = None
    for payment in payments:
        told, kind = payment.instruction, payment_type(config, payment.instruction)
        if block is None or not _alike(block, kind, told):
            key = (kind, told.charge_bearer, told.debtor)
            block = blocks.get(key)
            if block is None:
                block = blocks[key] = Block(kind, [])
        block.payments.append(payment)
    return list(blocks.values())


def _alike(block: Block, kind: str, told: Instruction) -> bool:
    """Whether it goes into the block of the one before, seen without comparing debtors that are one object, as a
    house's own are."""
    before = block.payments[-1].instruction
    return told.debtor is before.debtor and told.charge_bearer is before.charge_bearer and kind == block.kind


def _batches(config: Iso20022Config, form: Form, submission: Submission, total: str) -> Iterable[str]:
    blocks = blocks_of(config, submission.payments)
    for block in blocks:
        sum_of_it = total if len(blocks) == 1 else elements.total(block.payments)
        yield _batch(config, form, submission, block, sum_of_it)


def _batch(config: Iso20022Config, form: Form, submission: Submission, block: Block, total: str) -> str:
    first = block.payments[0].instruction
    batch_id = payment_information_id(submission.message_reference, block.payments[0], block.kind)
    booking = "" if config.batch_booking is None else f"<BtchBookg>{str(config.batch_booking).lower()}</BtchBookg>"
    count = len(block.payments)
    date = submission.execution_date.isoformat()
    debtor = first.debtor
    name = debtor.name or config.company_name or config.initiating_party_name
    return "".join(
        (
            "<PmtInf>",
            elements.reference(form, "PmtInfId", batch_id),
            f"<PmtMtd>TRF</PmtMtd>{booking}<NbOfTxs>{count}</NbOfTxs><CtrlSum>{total}</CtrlSum>",
            block.kind,
            f"<ReqdExctnDt><Dt>{date}</Dt></ReqdExctnDt>"
            if form.date_is_choice
            else f"<ReqdExctnDt>{date}</ReqdExctnDt>",
            elements.party(form, "Dbtr", name, debtor.address or config.company_address),
            elements.account(form, "DbtrAcct", debtor.account),
            elements.agent(form, "DbtrAgt", debtor.agent_bic or config.debtor_agent_bic)
            or "<DbtrAgt><FinInstnId><Othr><Id>NOTPROVIDED</Id></Othr></FinInstnId></DbtrAgt>",
            f"<ChrgBr>{first.charge_bearer.value}</ChrgBr>",
            *[_transaction(form, payment) for payment in block.payments],
            "</PmtInf>",
        )
    )


def _transaction(form: Form, payment: Payment) -> str:
    told, wire_reference = payment.instruction, payment.wire_reference
    return "".join(
        (
            "<CdtTrfTxInf><PmtId>",
            elements.reference(form, "InstrId", wire_reference),
            elements.reference(form, "EndToEndId", told.end_to_end_id),
            f"<UETR>{uetr(wire_reference)}</UETR>" if form.uetr else "",
            "</PmtId>",
            elements.instructed_amount(told.amount),
            elements.agent(form, "CdtrAgt", told.creditor.agent_bic),
            elements.party(form, "Cdtr", told.creditor.name, told.creditor.address),
            elements.account(form, "CdtrAcct", told.creditor.account),
            f"<Purp>{elements.text(form, 'Cd', told.purpose, 4)}</Purp>" if told.purpose else "",
            elements.remittance(form, told),
            "</CdtTrfTxInf>",
        )
    )
