"""One instruction as people write it, flat: the flags of `pay` and the columns of a file, by the same names."""

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation

from google.protobuf.json_format import ParseDict, ParseError

from causeway.v1 import payment_pb2

COLUMNS = (
    "key", "amount", "debtor", "debtor_name", "creditor_name", "creditor", "bic", "street", "building", "postal_code",
    "town", "country", "remittance", "reference", "end_to_end_id", "purpose", "date", "charge_bearer", "rail", "bank",
)  # fmt: skip
"""Columns of a file; beside them any number of `label.NAME`."""

REQUIRED = ("amount", "debtor", "creditor_name", "creditor")
LABEL = "label."

_AMOUNT = re.compile(r"([0-9][0-9_' ]*(?:\.[0-9]+)?)\s*([A-Za-z]{3})")
_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{0,30}")
_NANOS = Decimal(1_000_000_000)


class Faulty(Exception):
    """A row that is no instruction. Each problem is (column, what is wrong and what is allowed)."""

    def __init__(self, *problems: tuple[str, str]) -> None:
        super().__init__("; ".join(f"{column}: {text}" for column, text in problems))
        self.problems = problems


def to_instruction(row: Mapping[str, str]) -> payment_pb2.Instruction:
    """The instruction in a flat row; empty cells count as absent. Only what the API cannot carry is refused here.

    Business rules (check digits, dates, limits) are the daemon's: it names all violations at once.
    """
    cells = {name: text.strip() for name, text in row.items() if text and text.strip()}
    problems = [(name, "no such column") for name in cells if name not in COLUMNS and not name.startswith(LABEL)]
    problems += [(name, "is required") for name in REQUIRED if name not in cells]
    if "remittance" in cells and "reference" in cells:
        problems.append(("reference", "a payment has a remittance text or a reference, not both"))
    order = payment_pb2.Instruction(idempotency_key=cells.get("key", ""), end_to_end_id=cells.get("end_to_end_id", ""))
    for name, fill in (("amount", _amount), ("date", _date), ("rail", _rail), ("charge_bearer", _charge_bearer)):
        try:
            if name in cells:
                fill(order, cells[name])
        except Faulty as fault:
            problems += fault.problems
    if problems:
        raise Faulty(*problems)
    _parties(order, cells)
    order.purpose_code, order.bank = cells.get("purpose", "").upper(), cells.get("bank", "")
    if "remittance" in cells:
        order.unstructured_remittance = cells["remittance"]
    if "reference" in cells:
        order.creditor_reference = cells["reference"].replace(" ", "").upper()
    order.labels.update({name.removeprefix(LABEL): text for name, text in cells.items() if name.startswith(LABEL)})
    return order


def from_protobuf_json(document: Mapping[str, object]) -> payment_pb2.Instruction:
    """The instruction in protobuf's own JSON form (`idempotencyKey`, nested parties)."""
    try:
        return ParseDict(dict(document), payment_pb2.Instruction())
    except ParseError as error:
        text = str(error).splitlines()[0].removesuffix(".")  # then follows a list of every field there is
        raise Faulty(("instruction", f"is not in protobuf's JSON form: {text}")) from error


def _amount(order: payment_pb2.Instruction, text: str) -> None:
    found = _AMOUNT.fullmatch(text)
    if found is None:
        raise Faulty(("amount", f"{text!r} is no amount; write it like 100.00 EUR"))
    try:
        value = Decimal(re.sub("[_' ]", "", found[1]))
    except InvalidOperation as error:
        raise Faulty(("amount", f"{text!r} is no amount")) from error
    units = int(value)
    nanos = (value - units) * _NANOS
    if nanos != int(nanos) or units >= 2**63:
        raise Faulty(("amount", "at most 9 decimals, and below 2^63"))
    order.amount.currency_code, order.amount.units, order.amount.nanos = found[2].upper(), units, int(nanos)


def _date(order: payment_pb2.Instruction, text: str) -> None:
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise Faulty(("date", f"{text!r} is no date; write it like 2026-12-31")) from error
    wanted = order.requested_execution_date
    wanted.year, wanted.month, wanted.day = day.year, day.month, day.day


def _rail(order: payment_pb2.Instruction, text: str) -> None:
    try:
        order.MergeFrom(payment_pb2.Instruction(rail=f"RAIL_{text.upper()}"))
    except ValueError as error:
        raise Faulty(("rail", f"{text!r} is none of normal, instant, urgent")) from error


def _charge_bearer(order: payment_pb2.Instruction, text: str) -> None:
    try:
        order.MergeFrom(payment_pb2.Instruction(charge_bearer=f"CHARGE_BEARER_{text.upper()}"))
    except ValueError as error:
        raise Faulty(("charge_bearer", f"{text!r} is none of SLEV, SHAR, DEBT, CRED")) from error


def _parties(order: payment_pb2.Instruction, cells: Mapping[str, str]) -> None:
    order.debtor.name, order.creditor.name = cells.get("debtor_name", ""), cells["creditor_name"]
    order.creditor.agent_bic = cells.get("bic", "").upper()
    _account(order.debtor.account, cells["debtor"])
    _account(order.creditor.account, cells["creditor"])
    address = {
        "street_name": "street",
        "building_number": "building",
        "postal_code": "postal_code",
        "town_name": "town",
        "country_code": "country",
    }
    for name, column in address.items():
        if column in cells:
            setattr(order.creditor.address, name, cells[column])


def _account(account: payment_pb2.Account, text: str) -> None:
    """An IBAN by its looks (its check digits are the daemon's business), else a bank's own account number."""
    compact = text.replace(" ", "").upper()
    if _IBAN.fullmatch(compact):
        account.iban = compact
    else:
        account.other = text
