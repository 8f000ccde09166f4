"""The two services on a real gRPC server over loopback, spoken to by stock grpcio stubs."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import grpc
import pytest
import trio

from causeway.v1 import (
    bank_service_pb2_grpc,
    doubt_service_pb2_grpc,
    payment_service_pb2_grpc,
    quarantine_service_pb2_grpc,
)
from gateway.config import PrincipalConfig
from gateway.core.payment import Rail
from gateway.core.roles import Role
from gateway.events.feed import Feed
from gateway.events.watch import watch
from gateway.house import House
from gateway.ingress.banks import BankService
from gateway.ingress.doubts import DoubtService
from gateway.ingress.payments import PaymentService
from gateway.ingress.principals import Principals
from gateway.ingress.quarantine import QuarantineService
from gateway.ingress.shedding import ADMITTING, Submissions
from gateway.ingress.together import SubmittedTogether
from gateway.rpc.server import Listener, Server
from tests.fakes.clock import FakeClock
from tests.fakes.house import bank, house
from tests.ingress.certificates import certificate
from tests.ingress.weary_store import WearyStore

CALL_S = 20.0
"""A call that takes longer has failed: the machine may be busy, but not that busy."""

Answer = TypeVar("Answer")

CONFIGURED = {
    "erp": PrincipalConfig(tenant="treasury", certificates=("uri:spiffe://example.org/erp",)),
    "payroll": PrincipalConfig(tenant="staff", certificates=("dns:payroll.example.org",)),
    "ada": PrincipalConfig(tenant="treasury", certificates=("cn:ada",), roles=(Role.DOUBTS,)),
    "bob": PrincipalConfig(tenant="treasury", certificates=("cn:bob",), roles=(Role.DOUBTS,)),
    "mia": PrincipalConfig(tenant="treasury", certificates=("cn:mia",), roles=(Role.HOLDS,)),
    "ops": PrincipalConfig(tenant="operations", certificates=("cn:ops",), roles=(Role.QUARANTINE,)),
    "eve": PrincipalConfig(tenant="staff", certificates=("cn:eve",), roles=(Role.DOUBTS,)),
}


class Certified(trio.abc.Stream):
    """A connection whose client has shown a certificate; TLS itself is tested where it lives."""

    def __init__(self, peer_certificate: bytes | None, inner: trio.SocketStream) -> None:
        self.peer_certificate = peer_certificate
        self._inner = inner

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._inner.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._inner.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        return await self._inner.receive_some(max_bytes)

    async def aclose(self) -> None:
        await self._inner.aclose()


@dataclass
class Stubs:
    """A client's view of the API."""

    payments: payment_service_pb2_grpc.PaymentServiceStub
    banks: bank_service_pb2_grpc.BankServiceStub
    doubts: doubt_service_pb2_grpc.DoubtServiceStub
    quarantine: quarantine_service_pb2_grpc.QuarantineServiceStub


@dataclass
class Edge:
    """The running services. Callers differ by the port they use: each stands for a certificate."""

    house: House
    feed: Feed
    ports: dict[str, int] = field(default_factory=dict)

    @contextmanager
    def stubs(self, caller: str = "erp") -> Iterator[Stubs]:
        """For use inside `in_thread`."""
        with grpc.insecure_channel(f"127.0.0.1:{self.ports[caller]}") as channel:
            yield Stubs(
                payment_service_pb2_grpc.PaymentServiceStub(channel),
                bank_service_pb2_grpc.BankServiceStub(channel),
                doubt_service_pb2_grpc.DoubtServiceStub(channel),
                quarantine_service_pb2_grpc.QuarantineServiceStub(channel),
            )

    async def call(self, method: str, request: Any, *, caller: str = "erp", **options: Any) -> Any:
        """One unary call by its name, e.g. "payments.GetPayment"; its answer, or grpc.RpcError."""
        service, _, name = method.partition(".")

        def run() -> Any:
            with self.stubs(caller) as stubs:
                return getattr(getattr(stubs, service), name)(request, timeout=CALL_S, **options)

        return await in_thread(run)

    async def refused(self, method: str, request: Any, *, caller: str = "erp") -> grpc.RpcError:
        with pytest.raises(grpc.RpcError) as caught:
            await self.call(method, request, caller=caller)
        return caught.value


async def in_thread(run: Callable[[], Answer]) -> Answer:
    """grpcio's blocking client beside the event loop that serves it."""
    return await trio.to_thread.run_sync(run)


@pytest.fixture
def of_house() -> House:
    """Two banks: northbank keeps the German account, southbank the French one."""
    clock = FakeClock()
    return house(
        bank("northbank", accounts=["DE89370400440532013000"]),
        bank("southbank", accounts=["FR1420041010050500013M02606"], rails=[Rail.NORMAL, Rail.INSTANT]),
        store=WearyStore(clock),
        clock=clock,
    )


@pytest.fixture
async def edge(of_house: House, nursery: trio.Nursery) -> AsyncIterator[Edge]:
    server = Server()
    principals, feed = Principals(CONFIGURED), Feed(of_house.store)
    payments = PaymentService(of_house, principals, partial(watch, feed, heartbeat_s=0.2))
    payment_service_pb2_grpc.add_PaymentServiceServicer_to_server(payments, server)
    server.handle_together(ADMITTING, SubmittedTogether(of_house, principals, Submissions()))
    banks = BankService(of_house, principals, {"northbank": "CLOSED", "southbank": "HALF_OPEN"}.__getitem__)
    bank_service_pb2_grpc.add_BankServiceServicer_to_server(banks, server)
    doubt_service_pb2_grpc.add_DoubtServiceServicer_to_server(DoubtService(of_house, principals), server)
    quarantine = QuarantineService(of_house, principals)
    quarantine_service_pb2_grpc.add_QuarantineServiceServicer_to_server(quarantine, server)
    callers = {
        **{name: certificate(common_name=name) for name in ("ada", "bob", "eve", "mia", "ops")},
        "erp": certificate(uris=["spiffe://example.org/erp"]),
        "payroll": certificate(hosts=["payroll.example.org"]),
        "stranger": certificate(common_name="nobody"),
        "none": None,
    }
    running = Edge(of_house, feed)
    listeners = []
    for caller, shown in callers.items():
        listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
        running.ports[caller] = listener.socket.getsockname()[1]
        listeners.append(Listener(listener, _certified(shown)))
    await nursery.start(server.serve, listeners)
    yield running
    nursery.cancel_scope.cancel()


def _certified(shown: bytes | None) -> Callable[[trio.SocketStream], Any]:
    async def upgrade(stream: trio.SocketStream) -> trio.abc.Stream:
        return Certified(shown, stream)

    return upgrade
