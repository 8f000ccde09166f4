"""Which payments a filter means, and where in the order of ids they can be."""

from typing import Final

from gateway.core.payment import Payment
from gateway.core.ports import PaymentFilter

ID_SLACK_NS: Final = 60_000_000_000
"""How far the moment in a payment's id may be from its `received_at_ns`: both are taken at admission."""


def matches(which: PaymentFilter, payment: Payment) -> bool:
    instruction = payment.instruction
    if which.tenant and payment.tenant != which.tenant:
        return False
    if which.states and payment.state not in which.states:
        return False
    if which.bank and instruction.bank != which.bank:
        return False
    if which.end_to_end_id and instruction.end_to_end_id != which.end_to_end_id:
        return False
    if payment.received_at_ns < which.received_from_ns:
        return False
    if which.received_before_ns and payment.received_at_ns >= which.received_before_ns:
        return False
    if which.labels:
        labels = dict(instruction.labels)
        return all(labels.get(key) == value for key, value in which.labels.items())
    return True


def first_id(which: PaymentFilter) -> bytes:
    """An id at or below every payment the filter means."""
    return _bound(which.received_from_ns - ID_SLACK_NS) if which.received_from_ns else b""


def last_id(which: PaymentFilter) -> bytes:
    """An id above every payment the filter means."""
    return _bound(which.received_before_ns + ID_SLACK_NS) if which.received_before_ns else b"\xff" * 17


def _bound(moment_ns: int) -> bytes:
    # A UUID version 7 begins with its moment in milliseconds.
    return max(0, moment_ns // 1_000_000).to_bytes(6, "big")
