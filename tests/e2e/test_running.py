"""What an operator does to a running daemon: certificates renewed by a signal, an end that no collector delays."""

import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest

from causeway.v1 import bank_service_pb2, payment_service_pb2
from gateway.cli.door import Stubs
from tests.e2e.stage import House, instructions, running_house
from tests.fakes.certificates import Authority

LOOKS_MAX = 200
LOOK_S = 0.05
END_S = 4.0
"""What the drain, and telemetry, may take each."""
STREAM_S_MAX = 30.0


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with running_house(tmp_path / "house") as running:
        yield running


def told(house: House, words: str) -> bool:
    """Whether its log comes to say so within ten seconds: the process itself is waited for, so its end is seen too."""
    for _ in range(LOOKS_MAX):
        if words in house.folder.log("causeway").read_text():
            return True
        if _ended(house, LOOK_S):
            return False
    return False


def _ended(house: House, within_s: float) -> bool:
    try:
        house.daemon.process.wait(within_s)
    except subprocess.TimeoutExpired:
        return False
    return True


def banks(stubs: Stubs) -> int:
    return len(stubs.banks.ListBanks(bank_service_pb2.ListBanksRequest(), timeout=20).banks)


def test_sighup_renews_the_listeners_certificate(house: House) -> None:
    """A client that was connected goes on; one that comes later gets in only if it trusts the new certificate's
    authority; a broken file after that changes nothing and is told."""
    tls = house.folder.tls
    with house.stubs() as early:
        assert banks(early) == 2
        new = Authority(tls, "new")
        certificate, key = new.issue(
            "renewed", dns=["localhost"], ips=["127.0.0.1"], not_after=datetime.now(UTC) + timedelta(days=30)
        )
        key.replace(tls / "causeway.key")
        certificate.replace(tls / "causeway.pem")
        house.daemon.process.send_signal(signal.SIGHUP)
        assert told(house, "new connections get the listener's new certificate")
        assert banks(early) == 2
        with house.stubs() as late, pytest.raises(grpc.RpcError):
            banks(late)
        old_roots = (tls / "ca.pem").read_text()
        house.folder.profile.write_text(house.folder.profile.read_text().replace("tls/ca.pem", "tls/new.pem"))
        with house.stubs() as late:
            assert banks(late) == 2
        (tls / "causeway.pem").write_text(old_roots[:200])
        house.daemon.process.send_signal(signal.SIGHUP)
        assert told(house, "those of before stay in use")
        with house.stubs() as later:
            assert banks(later) == 2


@pytest.fixture
def dead_collector() -> Iterator[str]:
    """An OTLP endpoint that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_the_last_export_and_the_drain_pass_side_by_side(house: House, dead_collector: str) -> None:
    """A call that does not end uses the whole drain, a collector that does not answer all the time telemetry may take:
    together they take no longer than one of them (and half a second for what the drain itself had to tell)."""
    house.kill_daemon()
    wanted = f'traces = "otlp"\nmetrics = "otlp"\nshutdown_s_max = {END_S}\notlp_endpoint = "{dead_collector}"'
    text = house.folder.config.read_text().replace("drain_s = 2.0", f"drain_s = {END_S}")
    house.folder.config.write_text(text.replace('traces = "file:spans.jsonl"', wanted))
    house.start_daemon()
    forever = threading.Event()

    def orders() -> Iterator[payment_service_pb2.SubmitPaymentsRequest]:
        yield payment_service_pb2.SubmitPaymentsRequest(instruction=instructions(1)[0])
        forever.wait(STREAM_S_MAX)

    with house.stubs() as stubs:
        answers = stubs.payments.SubmitPayments(orders(), timeout=STREAM_S_MAX)
        assert next(answers).payment_id
        began_s = time.monotonic()
        house.daemon.process.terminate()
        assert house.daemon.process.wait(STREAM_S_MAX) == 0
        took_s = time.monotonic() - began_s
        forever.set()
    assert END_S - 0.5 < took_s < 2 * END_S - 0.5
