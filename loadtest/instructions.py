"""Ready-made messages: one instruction, encoded once, with a place for the number.

The number is the idempotency key *and* the end-to-end id, so that the bank's ledger can be held against what was
acknowledged without asking the gateway how it names payments.
"""

from dataclasses import dataclass
from typing import Any

from causeway.v1 import payment_pb2, payment_service_pb2

DEBTOR = "DE89370400440532013000"  # the IBAN registry's examples
CREDITOR = "NL91ABNA0417164300"
RUN_CHARS = 8
DIGITS = 10
PLACE = "R" * RUN_CHARS + "-" + "N" * DIGITS
"""What the key is in the encoded message before it is filled in: as long as every key."""


def key_of(run: str, number: int) -> str:
    """The idempotency key and end-to-end id of a request."""
    return f"{run}-{number:0{DIGITS}d}"


def instruction(key: str, debtor: str = DEBTOR) -> Any:
    """A plain SEPA payment, about 215 bytes when encoded."""
    made = payment_pb2.Instruction(idempotency_key=key, end_to_end_id=key)
    made.amount.currency_code, made.amount.units, made.amount.nanos = "EUR", 125, 500_000_000
    made.debtor.name, made.debtor.account.iban = "Musterfirma GmbH", debtor
    made.creditor.name, made.creditor.account.iban = "Tulp Logistiek BV", CREDITOR
    made.unstructured_remittance = "Rechnung 2026-0042"
    return made


@dataclass(frozen=True, slots=True)
class Messages:
    """`message(n)` is the request with number n, encoded."""

    run: str
    parts: tuple[bytes, ...]

    @classmethod
    def submitting(cls, run: str, debtor: str = DEBTOR) -> "Messages":
        """SubmitPaymentRequest and SubmitPaymentsRequest are encoded alike. `run`: RUN_CHARS letters and digits."""
        if len(run) != RUN_CHARS:
            raise ValueError(f"a run's name has {RUN_CHARS} characters, not {run!r}")
        request = payment_service_pb2.SubmitPaymentRequest(instruction=instruction(PLACE, debtor))
        return cls(run, tuple(request.SerializeToString().split(PLACE.encode())))

    def message(self, number: int) -> bytes:
        return key_of(self.run, number).encode().join(self.parts)


def number_in_stream(body: bytes) -> int:
    """Which request a SubmitPaymentsResponse answers."""
    return int(payment_service_pb2.SubmitPaymentsResponse.FromString(body).idempotency_key[-DIGITS:])


def refused_in_stream(body: bytes) -> int:
    """The gRPC status in a SubmitPaymentsResponse; 0 where the instruction was admitted."""
    answer = payment_service_pb2.SubmitPaymentsResponse.FromString(body)
    return int(answer.error.code) if answer.HasField("error") else 0
