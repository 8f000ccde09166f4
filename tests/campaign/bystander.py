"""Another client of the same edge: asks for one payment again and again, with stock grpcio."""

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

import grpc

from causeway.v1 import payment_service_pb2, payment_service_pb2_grpc

CALL_S: Final = 20.0
CALLS_MAX: Final = 200_000


@dataclass
class Bystander:
    """`seconds` of each call, and how the failed ones failed."""

    address: str
    payment_id: str
    seconds: list[float] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)
    leaving: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Until `leaving` is set; always at least one call after it began."""
        with grpc.insecure_channel(self.address) as channel:
            stub = payment_service_pb2_grpc.PaymentServiceStub(channel)
            for _ in range(CALLS_MAX):
                began = time.perf_counter()
                try:
                    stub.GetPayment(payment_service_pb2.GetPaymentRequest(id=self.payment_id), timeout=CALL_S)
                    self.seconds.append(time.perf_counter() - began)
                except grpc.RpcError as error:
                    self.failures[error.code().name] += 1
                if self.leaving.is_set():
                    return

    def percentile(self, share: float) -> float:
        """Seconds; of no calls, 0."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
