"""Claims about the listener's certificate: it is replaced while calls go on. Real sockets, real TLS, stock grpcio."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
import trio

from causeway.v1 import bank_service_pb2, bank_service_pb2_grpc
from gateway.ingress.edge import CERTIFICATE_LOOK_S, Edge
from gateway.telemetry import names
from tests.fakes.certificates import Authority
from tests.fakes.house import trail
from tests.ingress.test_edge import CALL_S, banks_seen, configured, secure, served

CLIENT_URI = "spiffe://example.org/erp"


class Caller:
    """A client with one connection of its own, which it keeps."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._channel = channel
        self._stub = bank_service_pb2_grpc.BankServiceStub(channel)

    def calls(self) -> str:
        """Its status: "OK", or that of the refusal."""
        try:
            self._stub.ListBanks(bank_service_pb2.ListBanksRequest(), timeout=CALL_S)
        except grpc.RpcError as error:
            return str(error.code().name)  # type: ignore[attr-defined]
        return "OK"

    def hangs_up(self) -> None:
        self._channel.close()


def renewals(edge: Edge) -> list[str]:
    counted = trail(edge._house).counts.elements()
    return [str(dict(about)["result"]) for name, about in counted if name == names.RENEWALS]


async def test_running_connections_go_on_and_new_ones_see_the_new_certificate(tmp_path: Path) -> None:
    """The listener moves to another authority's certificate: the connection of before answers as ever; a new client
    that trusts only the new authority gets in, one that trusts only the old does not."""
    old, new = Authority(tmp_path), Authority(tmp_path, "new")
    client = old.issue("erp", uri=CLIENT_URI, client=True)
    async with served(configured(tmp_path, old)) as edge:
        address = edge.addresses["tls"]
        early = Caller(secure(address, old, client))
        assert await trio.to_thread.run_sync(early.calls) == "OK"
        new.issue("server", dns=["localhost"], ips=["127.0.0.1"])
        assert edge.renew_certificates()
        assert await trio.to_thread.run_sync(early.calls) == "OK"
        assert await trio.to_thread.run_sync(banks_seen, secure(address, new, client)) == ["northbank"]
        late = Caller(secure(address, old, client))
        assert await trio.to_thread.run_sync(late.calls) == "UNAVAILABLE"
        for caller in (early, late):
            caller.hangs_up()
        assert renewals(edge) == ["taken"]


async def test_a_broken_certificate_keeps_the_old_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """New clients still get in with what was there before; the log names the key of the file, the count says it."""
    authority = Authority(tmp_path)
    client = authority.issue("erp", uri=CLIENT_URI, client=True)
    async with served(configured(tmp_path, authority)) as edge:
        until = edge.certificate_expires_at()
        (tmp_path / "server.key").write_text("half a fi")
        assert not edge.renew_certificates()
        channel = secure(edge.addresses["tls"], authority, client)
        assert await trio.to_thread.run_sync(banks_seen, channel) == ["northbank"]
        assert edge.certificate_expires_at() == until
        assert renewals(edge) == ["refused"]
    (told,) = [record for record in caplog.records if "stay in use" in record.message]
    assert (told.levelname, told.cause) == ("ERROR", "key_file")  # type: ignore[attr-defined]


async def test_an_expired_certificate_does_not_replace_a_good_one(tmp_path: Path) -> None:
    """An old file copied into place by mistake would shut every client out: it is refused like a broken one."""
    authority = Authority(tmp_path)
    async with served(configured(tmp_path, authority)) as edge:
        edge._house.clock.set(int(datetime.now(UTC).timestamp() * 1e9))  # type: ignore[attr-defined]
        authority.issue("server", dns=["localhost"], not_after=datetime.now(UTC) - timedelta(hours=1))
        assert not edge.renew_certificates()
        until = edge.certificate_expires_at()
        assert until is not None
        assert until > datetime.now(UTC)


async def test_a_changed_file_is_seen_without_a_signal(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    """Where an orchestrator replaces the files and sends no signal, two looks later they are in use."""
    authority = Authority(tmp_path)
    async with served(configured(tmp_path, authority)) as edge:
        before = edge.certificate_expires_at()
        authority.issue("server", dns=["localhost"], not_after=datetime.now(UTC) + timedelta(days=7))
        await trio.sleep(2 * CERTIFICATE_LOOK_S + 1)
        after = edge.certificate_expires_at()
    assert before is not None
    assert after is not None
    assert after - before > timedelta(days=4)
