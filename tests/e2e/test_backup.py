"""Backup at load and restore in real processes, judged by the banks' own ledgers (law 6)."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from causeway.v1 import bank_service_pb2, payment_pb2, payment_service_pb2
from causeway.v1 import quarantine_service_pb2 as quarantine
from gateway.cli.door import Stubs, door_from, read_profile
from gateway.cli.refusal import from_call
from gateway.demo.oracle import read_ledgers
from gateway.store.environment import opened_for_reading
from gateway.store.reads import View
from tests.e2e.stage import House, instructions, running_house, watch_until_settled

COMMAND_S_MAX = 60
PAYMENTS_MAX = 600
BEFORE_BACKUP = 60
"""Acknowledged before the backup begins."""
PACE_S = 0.005
LOOK_EVERY_FACTS = 20


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with running_house(tmp_path / "house") as running:
        yield running


def causeway(*words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "gateway", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_S_MAX)


class Load:
    """A stream of admissions in a thread of its own. `acked` maps keys to payment ids, in the order of the answers."""

    def __init__(self, house: House) -> None:
        self.acked: dict[str, str] = {}
        self.warm = threading.Event()
        self._house = house
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Load":
        self._thread.start()
        assert self.warm.wait(COMMAND_S_MAX)
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        self._thread.join(COMMAND_S_MAX)
        assert not self._thread.is_alive()

    def _orders(self) -> Iterator[payment_service_pb2.SubmitPaymentsRequest]:
        for order in instructions(PAYMENTS_MAX, "load"):
            if self._enough.wait(PACE_S):
                return
            yield payment_service_pb2.SubmitPaymentsRequest(instruction=order)

    def _run(self) -> None:
        with self._house.stubs() as stubs:
            for answer in stubs.payments.SubmitPayments(self._orders(), timeout=COMMAND_S_MAX):
                assert answer.payment_id, answer
                self.acked[answer.idempotency_key] = answer.payment_id
                if len(self.acked) >= BEFORE_BACKUP:
                    self.warm.set()


def backed_up(load: Load, data: Path, to: Path) -> dict[str, Any]:
    """The manifest of a backup taken now; whatever was acknowledged before is in it."""
    before = dict(load.acked)
    done = causeway("backup", str(data), str(to), "--json")
    assert done.returncode == 0, done.stderr
    assert len(load.acked) > len(before), "the load went on meanwhile"
    with opened_for_reading(to) as maps, maps.env.begin() as txn:
        view = View(maps, txn, lambda _: None)
        missing = [key for key, id_ in before.items() if (found := view.by_key("demo", key)) is None or not id_]
        assert not missing
        assert found is not None
    (to / "lock.mdb").unlink()
    manifest: dict[str, Any] = json.loads(done.stdout)
    return manifest


def wait_for(stubs: Stubs, true: Any) -> None:
    """Returns when `true()` is; asks whenever some facts have gone by, and at each heartbeat."""
    stream = stubs.payments.WatchPayments(payment_service_pb2.WatchPaymentsRequest(), timeout=COMMAND_S_MAX)
    try:
        for seen, _ in enumerate(stream):
            if seen % LOOK_EVERY_FACTS == 0 and true():
                return
    finally:
        stream.cancel()


def nothing_left(stubs: Stubs) -> bool:
    banks = stubs.banks.ListBanks(bank_service_pb2.ListBanksRequest(), timeout=20).banks
    return not any(bank.queued_count + bank.sending_count + bank.in_doubt_count for bank in banks)


def payments_of(stubs: Stubs) -> list[payment_pb2.Payment]:
    return list(stubs.payments.ListPayments(payment_service_pb2.ListPaymentsRequest(page_size=1000)).payments)


def seen(stubs: Stubs) -> quarantine.Quarantine:
    answer: quarantine.Quarantine = stubs.quarantine.GetQuarantine(quarantine.GetQuarantineRequest(), timeout=20)
    return answer.quarantine  # type: ignore[attr-defined,no-any-return]


def health(house: House, service: str) -> int:
    door = door_from(read_profile(house.folder.profile))
    credentials = grpc.ssl_channel_credentials(
        door.ca.read_bytes(), door.private_key.read_bytes(), door.cert.read_bytes()
    )
    with grpc.secure_channel(door.address, credentials) as channel:
        asked = health_pb2.HealthCheckRequest(service=service)
        status: int = health_pb2_grpc.HealthStub(channel).Check(asked, timeout=20).status
        return status


def refused_with(call: Any, request: Any) -> str:
    with pytest.raises(grpc.RpcError) as caught:
        call(request, timeout=20)
    return from_call(caught.value).reason


def restart_on(house: House, data: Path) -> None:
    """A daemon on the restored directory, whose principal may end quarantines."""
    text = house.folder.config.read_text()
    text = text.replace('data_dir = "data"', f'data_dir = "{data.name}"')
    house.folder.config.write_text(text.replace("[principals.demo]", '[principals.demo]\nroles = ["quarantine"]'))
    house.start_daemon()


def test_what_was_sent_after_the_backup_is_not_sent_again(house: House, tmp_path: Path) -> None:
    """A backup taken at load holds every acknowledgement before it. Its payments are sent and booked, the disk is lost,
    the backup restored: in quarantine nothing is admitted or sent, the banks' words find every payment that they have,
    and when it has ended nothing was booked twice; what the disk has lost goes out under the reference that its
    bank knows already, when it is handed in again (these banks book it again: they refuse no repetition)."""
    folder = house.folder
    with Load(house) as load:
        manifest = backed_up(load, folder.data, tmp_path / "backup")
    with house.stubs() as stubs:
        wait_for(stubs, lambda: nothing_left(stubs))
        sent = {one.id: one.wire_reference for one in payments_of(stubs)}
    house.kill_daemon()

    done = causeway("restore", str(tmp_path / "backup"), str(folder.root / "restored"), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["suspected"] > 0, "payments were under way when the backup was taken"
    restart_on(house, folder.root / "restored")
    assert house.daemon.ready["quarantine"] is True
    assert health(house, "live") == health_pb2.HealthCheckResponse.SERVING
    assert health(house, "ready") == health_pb2.HealthCheckResponse.NOT_SERVING
    with house.stubs() as stubs:
        lost = next(order for order in instructions(PAYMENTS_MAX, "load") if order.idempotency_key not in load.acked)
        order = payment_service_pb2.SubmitPaymentRequest(instruction=lost)
        assert refused_with(stubs.payments.SubmitPayment, order) == "QUARANTINED"
        wait_for(stubs, lambda: nothing_left(stubs) and all(b.mailbox != 2 for b in seen(stubs).banks))
        unknown = {found.wire_reference for found in seen(stubs).unknown_references}
        ending = quarantine.EndQuarantineRequest(note="compared with the ledgers")
        assert not stubs.quarantine.EndQuarantine(ending, timeout=20).quarantine.active
        assert refused_with(stubs.quarantine.EndQuarantine, ending) == "NOT_QUARANTINED"
        assert health(house, "ready") == health_pb2.HealthCheckResponse.SERVING
        known = payments_of(stubs)
        assert len(known) == manifest["payments"] < len(load.acked)
        assert not watch_until_settled(stubs, {payment.id for payment in known})
        ledgers = read_ledgers(house.control_ports)
        forgotten = {reference for id_, reference in sent.items() if id_ not in {payment.id for payment in known}}
        lost_key = next(key for key, id_ in load.acked.items() if sent.get(id_) in forgotten)
        order.instruction.CopyFrom(
            next(one for one in instructions(PAYMENTS_MAX, "load") if one.idempotency_key == lost_key)
        )
        made = stubs.payments.SubmitPayment(order, timeout=20).payment
        assert made.id not in sent
        assert made.wire_reference == sent[load.acked[lost_key]]

    booked = {reference: count for bank in ledgers.values() for reference, count in bank.items()}
    assert set(booked.values()) == {1}
    assert {payment.wire_reference for payment in known} <= booked.keys()
    assert unknown == forgotten & ledgers["alpenbank"].keys() != set()
    verified = causeway("verify", str(folder.root / "restored"))
    assert verified.returncode == 0, verified.stdout
