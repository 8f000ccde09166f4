"""Single questions to the daemon over its plaintext listener: queue lengths, and what has become of payments."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from causeway.v1 import bank_service_pb2, payment_pb2, payment_service_pb2
from loadtest.http2 import GrpcWire, PeerBroke, request_block

ANSWER_S_MAX = 30.0
READ_BYTES = 1 << 18
PAGE = 1_000
PAGES_MAX = 100_000


@dataclass(frozen=True, slots=True)
class Queues:
    """Payments of the bank by where they stand."""

    queued: int
    sending: int
    in_doubt: int
    accepted: int

    @property
    def under_way(self) -> int:
        return self.queued + self.sending + self.in_doubt


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a payment. Times are Unix seconds; `updated_s` is when its last fact was recorded."""

    key: str
    state: str
    received_s: float
    updated_s: float


class Asker:
    """One connection, one call at a time."""

    def __init__(self, host: str, port: int) -> None:
        """Raises OSError."""
        self._socket = socket.create_connection((host, port), timeout=ANSWER_S_MAX)
        self._wire = GrpcWire()

    def close(self) -> None:
        self._socket.close()

    def queues(self, bank: str) -> Queues:
        """Raises PeerBroke, OSError."""
        body = self._call("/causeway.v1.BankService/GetBank", bank_service_pb2.GetBankRequest(name=bank))
        found = bank_service_pb2.GetBankResponse.FromString(body).bank
        return Queues(found.queued_count, found.sending_count, found.in_doubt_count, found.accepted_count)

    def fates(self) -> Iterator[Fate]:
        """All payments, oldest first. Raises PeerBroke, OSError."""
        request = payment_service_pb2.ListPaymentsRequest(page_size=PAGE)
        for _ in range(PAGES_MAX):
            body = self._call("/causeway.v1.PaymentService/ListPayments", request)
            answer = payment_service_pb2.ListPaymentsResponse.FromString(body)
            yield from map(_fate, answer.payments)
            if not answer.next_page_token:
                return
            request.page_token = answer.next_page_token

    def _call(self, path: str, request: Any) -> bytes:
        while not self._wire.ready:
            self._turn()
        self._wire.unary(request_block(path, "http"), 0, request.SerializeToString())
        while True:
            for answer in self._turn():
                if answer.status:
                    raise PeerBroke(f"{path} ended with status {answer.status}")
                return bytes(answer.body)

    def _turn(self) -> list[Any]:
        self._socket.sendall(self._wire.take())
        data = self._socket.recv(READ_BYTES)
        if not data:
            raise PeerBroke("the daemon closed the connection")
        return list(self._wire.receive(data))


def _fate(payment: Any) -> Fate:
    state = payment_pb2.State.Name(payment.state).removeprefix("STATE_")
    key = payment.instruction.idempotency_key
    return Fate(key, state, _seconds(payment.receive_time), _seconds(payment.update_time))


def _seconds(stamp: Any) -> float:
    return float(stamp.seconds) + float(stamp.nanos) / 1e9
