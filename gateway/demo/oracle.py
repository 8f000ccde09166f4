"""What the banks have booked, from their own ledgers, against what we believe: the demo's judge."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any

from causeway.v1 import payment_pb2
from gateway.cli.tables import state_name
from gateway.core.states import State

CONTROL_S_MAX = 10.0

Ledgers = dict[str, dict[str, int]]
"""Bank → wire reference → how often it was booked."""


@dataclass
class Judgement:
    """`complaints` is empty when every payment was booked exactly once and nothing else was."""

    booked: Ledgers
    complaints: list[str] = field(default_factory=list)


def control(port: int, method: str, path: str, body: Any = None) -> Any:
    """One request to a simulated bank's control port (loopback); its JSON answer."""
    connection = HTTPConnection("127.0.0.1", port, timeout=CONTROL_S_MAX)
    try:
        connection.request(method, path, None if body is None else json.dumps(body))
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise OSError(f"{method} {path} got {answer.status}: {text.decode(errors='replace')}")
        return json.loads(text)
    finally:
        connection.close()


def read_ledgers(control_ports: dict[str, int]) -> Ledgers:
    """What the banks behind these control ports have booked."""
    return {bank: dict(control(port, "GET", "/ledger")["bookings"]) for bank, port in control_ports.items()}


def judge(payments: Iterable[payment_pb2.Payment], booked: Ledgers) -> Judgement:
    """Compares all our payments with all that their banks have booked."""
    judgement = Judgement(booked)
    ours: dict[str, set[str]] = {bank: set() for bank in booked}
    for payment in payments:
        bank, reference = payment.instruction.bank, payment.wire_reference
        ours[bank].add(reference)
        count, key = booked[bank].get(reference, 0), payment.instruction.idempotency_key
        if count != 1:
            judgement.complaints.append(f"{key}: {bank} booked it {count} times")
        if state_name(payment.state) != State.SETTLED:
            judgement.complaints.append(f"{key}: is {state_name(payment.state)}, not SETTLED")
    for bank, references in booked.items():
        for stranger in sorted(references.keys() - ours[bank]):
            judgement.complaints.append(f"{bank} booked {stranger}, which is none of our payments")
    return judgement
