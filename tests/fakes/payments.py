"""Valid payments for tests. Accounts are the IBAN registry's examples; nobody's real data."""

import hashlib
from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

from gateway.core.payment import (
    Account,
    Attempt,
    Instruction,
    Money,
    Party,
    Payment,
    message_reference,
    new_id,
)
from gateway.core.ports import Submission
from gateway.core.states import State

IBAN_DE: Final = "DE89370400440532013000"
IBAN_FR: Final = "FR1420041010050500013M02606"
IBAN_CH: Final = "CH9300762011623852957"
IBAN_GB: Final = "GB29NWBK60161331926819"

NOW: Final = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
NOW_NS: Final = int(NOW.timestamp()) * 1_000_000_000
"""The moment at which test payments are received, a Monday."""

_INSTRUCTION_FIELDS: Final = frozenset(field.name for field in fields(Instruction))


def euros(value: str) -> Money:
    return Money("EUR", Decimal(value))


def instruction(number: int = 1, **overrides: Any) -> Instruction:
    """A checked instruction: EUR 100.00 from a German to a French account through "northbank"."""
    whole = Instruction(
        idempotency_key=f"key-{number}",
        end_to_end_id=f"E2E-{number}",
        amount=euros("100.00"),
        debtor=Party(name="Example Debtor GmbH", account=Account(iban=IBAN_DE)),
        creditor=Party(name="Exemple Creancier SA", account=Account(iban=IBAN_FR)),
        bank="northbank",
        remittance=f"Invoice {number}",
    )
    return replace(whole, **overrides)


def payment(number: int = 1, **overrides: Any) -> Payment:
    """A QUEUED payment, the same for the same arguments and another one for each `number`.

    `overrides` are fields of Payment, or of its Instruction: `payment(2, state=State.HELD, bank="southbank")`.
    """
    of_instruction = {name: overrides.pop(name) for name in _INSTRUCTION_FIELDS & overrides.keys()}
    told = instruction(number, **of_instruction)
    whole = Payment(
        id=new_id(NOW_NS, number.to_bytes(10, "big")),
        tenant="tenant-a",
        principal="client-a",
        instruction=told,
        fingerprint=hashlib.sha256(repr(told).encode()).digest(),
        state=State.QUEUED,
        version=2,
        received_at_ns=NOW_NS,
        updated_at_ns=NOW_NS,
    )
    return replace(whole, **overrides)


def attempt(of: Payment, number: int = 1, **overrides: Any) -> Attempt:
    """An open attempt of a payment that travels alone, with ten seconds to its deadline."""
    whole = Attempt(
        number=number,
        bank=of.instruction.bank,
        wire_reference=of.wire_reference,
        message_reference=message_reference((of.wire_reference,)),
        payload_sha256=hashlib.sha256(of.id).digest(),
        marked_at_ns=NOW_NS,
        deadline_ns=NOW_NS + 10_000_000_000,
    )
    return replace(whole, **overrides)


def submission(payments: Sequence[Payment], execution_date: date | None = None) -> Submission:
    """One message that carries these payments."""
    return Submission(
        message_reference=message_reference(tuple(one.wire_reference for one in payments)),
        payments=tuple(payments),
        created_at=NOW,
        execution_date=execution_date or NOW.date(),
    )
