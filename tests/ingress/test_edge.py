"""Claims about the door itself: who gets in over TLS, what plaintext grants, what health and reflection say.

Real sockets, real TLS, stock grpcio on the other side.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import grpc
import pytest
import trio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from causeway.v1 import bank_service_pb2, bank_service_pb2_grpc
from gateway.config import Config, GrpcSettings, Listen, PlaintextListener, PrincipalConfig, StoreSettings, TlsListen
from gateway.events.feed import Feed
from gateway.events.watch import watch
from gateway.ingress.edge import Edge
from tests.fakes.certificates import Authority
from tests.fakes.house import house, trail

CALL_S = 20.0
PRINCIPALS = {
    "erp": PrincipalConfig(tenant="treasury", certificates=("uri:spiffe://example.org/erp",)),
    "probe": PrincipalConfig(tenant="probes"),
}


def configured(folder: Path, authority: Authority, *, reflection: bool = True, plaintext: bool = False) -> Config:
    certificate, key = authority.issue("server", dns=["localhost"], ips=["127.0.0.1"])
    tls = TlsListen(port=0, certificate_file=certificate, key_file=key, client_ca_file=authority.path)
    local = PlaintextListener(port=0, principal="probe") if plaintext else None
    listen = Listen(tls=tls, plaintext=local, reflection=reflection)
    return Config.model_construct(
        listen=listen, principals=PRINCIPALS, grpc=GrpcSettings(), store=StoreSettings(), data_dir=folder, banks={}
    )


@asynccontextmanager
async def served(config: Config) -> AsyncIterator[Edge]:
    gate = house()
    edge = Edge(config, gate, partial(watch, Feed(gate.store)), lambda _: "CLOSED")
    await edge.open()
    async with trio.open_nursery() as nursery:
        await nursery.start(edge.serve)
        yield edge
        nursery.cancel_scope.cancel()


def secure(address: str, trusted: Authority, identity: tuple[Path, Path] | None) -> grpc.Channel:
    certificate, key = (path.read_bytes() for path in identity) if identity else (None, None)
    credentials = grpc.ssl_channel_credentials(trusted.path.read_bytes(), key, certificate)
    return grpc.secure_channel(address, credentials)


def banks_seen(channel: grpc.Channel) -> list[str]:
    with channel:
        stub = bank_service_pb2_grpc.BankServiceStub(channel)
        answer = stub.ListBanks(bank_service_pb2.ListBanksRequest(), timeout=CALL_S)
        return [bank.name for bank in answer.banks]


def refusal(channel: grpc.Channel) -> grpc.StatusCode:
    with pytest.raises(grpc.RpcError) as caught:
        banks_seen(channel)
    code: grpc.StatusCode = caught.value.code()  # type: ignore[attr-defined]
    return code


async def test_a_known_certificate_is_let_in(tmp_path: Path) -> None:
    """A client whose certificate our authority signed and a principal claims is answered, and the call is traced."""
    authority = Authority(tmp_path)
    client = authority.issue("erp", uri="spiffe://example.org/erp", client=True)
    async with served(configured(tmp_path, authority)) as edge:
        channel = secure(edge.addresses["tls"], authority, client)
        assert await trio.to_thread.run_sync(banks_seen, channel) == ["northbank"]
        calls = trail(edge._house).named("causeway.call")
    assert [span.attributes["status"] for span in calls] == ["OK"]


async def test_no_certificate_is_refused_at_tls(tmp_path: Path) -> None:
    """Without a certificate no call is ever seen: the connection fails."""
    authority = Authority(tmp_path)
    async with served(configured(tmp_path, authority)) as edge:
        channel = secure(edge.addresses["tls"], authority, None)
        assert await trio.to_thread.run_sync(refusal, channel) is grpc.StatusCode.UNAVAILABLE
        assert trail(edge._house).named("causeway.call") == []


async def test_a_strangers_certificate_is_refused_at_tls(tmp_path: Path) -> None:
    """A certificate of another authority, however like ours its name is, does not get in."""
    authority, stranger = Authority(tmp_path), Authority(tmp_path, "stranger")
    client = stranger.issue("erp", uri="spiffe://example.org/erp", client=True)
    async with served(configured(tmp_path, authority)) as edge:
        channel = secure(edge.addresses["tls"], authority, client)
        assert await trio.to_thread.run_sync(refusal, channel) is grpc.StatusCode.UNAVAILABLE
        assert trail(edge._house).named("causeway.call") == []


async def test_a_certificate_nobody_claims_is_denied(tmp_path: Path) -> None:
    """Signed by our authority, but of no configured principal: PERMISSION_DENIED, and nothing is shown."""
    authority = Authority(tmp_path)
    client = authority.issue("other", uri="spiffe://example.org/other", client=True)
    async with served(configured(tmp_path, authority)) as edge:
        channel = secure(edge.addresses["tls"], authority, client)
        assert await trio.to_thread.run_sync(refusal, channel) is grpc.StatusCode.PERMISSION_DENIED


async def test_plaintext_is_off_unless_asked_for(tmp_path: Path) -> None:
    """The default has one listener, and it wants a certificate."""
    async with served(configured(tmp_path, Authority(tmp_path))) as edge:
        assert list(edge.addresses) == ["tls"]


async def test_plaintext_acts_as_its_principal_and_tls_never_does(tmp_path: Path) -> None:
    """On the plaintext listener one is the configured principal; an unknown certificate on TLS stays unknown."""
    authority = Authority(tmp_path)
    client = authority.issue("other", uri="spiffe://example.org/other", client=True)
    async with served(configured(tmp_path, authority, plaintext=True)) as edge:
        local = grpc.insecure_channel(edge.addresses["plaintext"])
        assert await trio.to_thread.run_sync(banks_seen, local) == ["northbank"]
        channel = secure(edge.addresses["tls"], authority, client)
        assert await trio.to_thread.run_sync(refusal, channel) is grpc.StatusCode.PERMISSION_DENIED


async def test_health_knows_the_house_and_each_bank(tmp_path: Path) -> None:
    """`live`, `ready`, the services and every bank have a status of their own; others are unknown."""
    async with served(configured(tmp_path, Authority(tmp_path), plaintext=True)) as edge:

        def asked() -> list[int]:
            with grpc.insecure_channel(edge.addresses["plaintext"]) as channel:
                stub = health_pb2_grpc.HealthStub(channel)
                names = ("", "live", "ready", "northbank", "causeway.v1.PaymentService")
                return [
                    stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=CALL_S).status for name in names
                ]

        assert await trio.to_thread.run_sync(asked) == [health_pb2.HealthCheckResponse.SERVING] * 5


@pytest.mark.parametrize("on", [True, False])
async def test_reflection_can_be_switched_off(tmp_path: Path, on: bool) -> None:
    """With reflection a stranger to our protos can list the services; without it nobody can."""
    async with served(configured(tmp_path, Authority(tmp_path), plaintext=True, reflection=on)) as edge:

        def listed() -> bool:
            with grpc.insecure_channel(edge.addresses["plaintext"]) as channel:
                try:
                    return "causeway.v1.PaymentService" in ProtoReflectionDescriptorDatabase(channel).get_services()
                except grpc.RpcError as error:
                    assert error.code() is grpc.StatusCode.UNIMPLEMENTED
                    return False

        assert await trio.to_thread.run_sync(listed) is on
