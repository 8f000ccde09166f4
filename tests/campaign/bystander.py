"""Another client of the same edge: asks for one payment again and again, with stock grpcio.

`python -m tests.campaign.bystander HOST:PORT PAYMENT_ID SERVER_PID` does so in a process of its own until its input
ends, and prints what it met: its waits must be the server's, not those of a harness that shares a thread with the
attacker. Beside the time it notes what the server has *worked* between question and answer: strangers' processes that
take the core from it cannot falsify that.
"""

import json
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

import grpc

from causeway.v1 import payment_service_pb2, payment_service_pb2_grpc

CALL_S: Final = 20.0
CALLS_MAX: Final = 200_000
PACE_S: Final = 0.004
"""Between two calls of the process: many enough for a p99, and the core it shares with the attacker stays his."""


@dataclass
class Bystander:
    """`calls`: when each began (time.monotonic, one clock for all processes), how many seconds it took, and how many
    of them `server_clock` ran. `failures`: how the others ended."""

    address: str
    payment_id: str
    pace_s: float = 0.0
    server_clock: int = time.CLOCK_MONOTONIC
    calls: list[tuple[float, float, float]] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)
    leaving: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Until `leaving` is set; always at least one call after it began."""
        with grpc.insecure_channel(self.address) as channel:
            stub = payment_service_pb2_grpc.PaymentServiceStub(channel)
            for _ in range(CALLS_MAX):
                began, worked = time.monotonic(), time.clock_gettime(self.server_clock)
                try:
                    stub.GetPayment(payment_service_pb2.GetPaymentRequest(id=self.payment_id), timeout=CALL_S)
                    worked = time.clock_gettime(self.server_clock) - worked
                    self.calls.append((began, time.monotonic() - began, worked))
                except grpc.RpcError as error:
                    self.failures[error.code().name] += 1
                if self.leaving.wait(self.pace_s):
                    return


def percentile(seconds: list[float], share: float) -> float:
    """Of no calls, 0."""
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def _clock_of(pid: int) -> int:
    """The clock of a process's time on a core, as clock_getcpuclockid(3) of glibc makes it on Linux; elsewhere one that
    says no more than the wall's."""
    return (~pid << 3) | 2 if sys.platform == "linux" else time.CLOCK_MONOTONIC


def main(address: str, payment_id: str, server_pid: str) -> None:
    one = Bystander(address, payment_id, PACE_S, _clock_of(int(server_pid)))
    thread = threading.Thread(target=one.run)
    thread.start()
    sys.stdin.read()
    one.leaving.set()
    thread.join()
    print(json.dumps({"calls": one.calls, "failures": one.failures}))


if __name__ == "__main__":
    main(*sys.argv[1:])
