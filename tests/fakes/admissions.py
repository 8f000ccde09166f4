"""Payments for tests: complete, plausible, made of the IBAN registry's example accounts."""

import os
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from gateway.core import happenings
from gateway.core.happenings import Happening
from gateway.core.payment import Account, Address, Attempt, Instruction, Money, Party, Payment, new_id
from gateway.core.ports import Admission
from gateway.core.states import State
from tests.fakes.clock import START_NS

DEBTOR = Party("Muster GmbH", Account("DE89370400440532013000"), "COBADEFFXXX")
CREDITOR = Party(
    "Exemple SA",
    Account("FR1420041010050500013M02606"),
    address=Address("Rue Exemple", "1", "75001", "Paris", "FR"),
)


def a_payment(key: str = "order-1", **changes: Any) -> Payment:
    """A new payment, RECEIVED. `changes` go to the instruction where it has the field, else to the payment."""
    now_ns = changes.pop("now_ns", START_NS)
    instruction = Instruction(
        idempotency_key=key,
        end_to_end_id=f"E2E-{key}",
        amount=Money("EUR", Decimal("100.10")),
        debtor=DEBTOR,
        creditor=CREDITOR,
        bank="northbank",
        requested_execution_date=date(2026, 9, 21),
        remittance="Invoice 4711",
        labels=(("team", "treasury"),),
    )
    of_instruction = {name: changes.pop(name) for name in list(changes) if name in Instruction.__dataclass_fields__}
    payment = Payment(
        id=new_id(now_ns, os.urandom(10)),
        tenant="acme",
        principal="erp.acme",
        instruction=replace(instruction, **of_instruction),
        fingerprint=key.encode().ljust(32, b".")[:32],
        state=State.RECEIVED,
        version=1,
        received_at_ns=now_ns,
        updated_at_ns=now_ns,
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    )
    return replace(payment, **changes)


def queued(key: str = "order-1", **changes: Any) -> Admission:
    """An admission that leads to QUEUED."""
    return Admission(a_payment(key, **changes), (happenings.cleared(),))


def mark(payment: Payment, now_ns: int = START_NS) -> Happening:
    """The payment's next attempt begins."""
    number = payment.attempts[-1].number + 1 if payment.attempts else 1
    return happenings.marked(
        Attempt(
            number=number,
            bank=payment.instruction.bank,
            wire_reference=payment.wire_reference,
            message_reference=payment.wire_reference,
            payload_sha256=bytes(32),
            marked_at_ns=now_ns,
            deadline_ns=now_ns + 30_000_000_000,
        )
    )
