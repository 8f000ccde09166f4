"""The running daemon on a device that fails: it ends, soon, and has acknowledged nothing that is not there."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import grpc
import pytest

from causeway.v1 import payment_service_pb2
from gateway.cli.house import verified
from gateway.daemon import EXIT_FAILED
from gateway.demo.oracle import control
from gateway.limits import STORE_FAILED_EXIT_S_MAX
from tests.campaign.ledgers import lost
from tests.campaign.strace import Fault, attached, missing, read_log
from tests.e2e.stage import House, instructions, running_house
from tests.fills import fills

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())

END_S_MAX = 20.0
CPU_S = 0.5
"""What a busy machine, and the tracing of each call, may add to the promised second."""


@pytest.fixture
def dead_collector() -> Iterator[str]:
    """An OTLP endpoint that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with running_house(tmp_path / "house") as running:
        yield running


def acknowledged_until_the_end(house: House) -> dict[str, str]:
    acked: dict[str, str] = {}
    requests = (
        payment_service_pb2.SubmitPaymentsRequest(instruction=order) for order in instructions(400, "until-the-end")
    )
    with house.stubs() as stubs, suppress(grpc.RpcError):  # the stream breaks when the daemon ends
        for answer in stubs.payments.SubmitPayments(requests, timeout=END_S_MAX):
            if not answer.HasField("error"):
                acked[answer.idempotency_key] = answer.payment_id
    return acked


@fills("STORE_FAILED_EXIT_S_MAX")
@pytest.mark.parametrize("hindered", [False, True], ids=["free", "collector-and-bank-hang"])
def test_the_daemon_ends_when_a_flush_fails(house: House, tmp_path: Path, hindered: bool, dead_collector: str) -> None:
    """EIO from fdatasync in the middle of traffic: exit code 1 within a second, though neither the telemetry's
    collector nor a bank answers any more; everything acknowledged is in the store."""
    if hindered:
        house.kill_daemon()
        otlp = f'"otlp"\notlp_endpoint = "{dead_collector}"'
        house.folder.config.write_text(house.folder.config.read_text().replace('"file:spans.jsonl"', otlp))
        for port in house.control_ports.values():
            control(port, "PUT", "/sins", [{"kind": "silent"}])
        house.start_daemon()
    log = tmp_path / "strace.log"
    with attached(house.daemon.process.pid, house.folder.data, log, Fault("fdatasync", "EIO", 4)):
        acked = acknowledged_until_the_end(house)
        assert house.daemon.process.wait(END_S_MAX) == EXIT_FAILED
    events = read_log(log)
    failed = next(event for event in events if event.injected)
    assert events[-1].at_s - failed.at_s <= STORE_FAILED_EXIT_S_MAX + CPU_S
    assert list(lost(house.folder.data, acked)) == []
    assert verified(house.folder.data).whole
