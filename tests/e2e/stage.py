"""The demo's stage for tests: two simulated banks and a daemon, real processes that a test may kill and restart."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from causeway.v1 import payment_pb2, payment_service_pb2
from gateway.cli.door import Stubs, door_from, opened, read_profile
from gateway.cli.row import to_instruction
from gateway.demo import settings
from gateway.demo.children import Child, Children
from gateway.demo.command import start_banks, start_daemon
from gateway.demo.folder import Folder, occupied
from gateway.demo.instructions import ALPENBANK_ACCOUNT, NORTHBANK_ACCOUNT
from gateway.demo.oracle import Judgement, judge, read_ledgers

SETTLE_S_MAX = 60.0


@dataclass
class House:
    """Running processes. `daemon` changes when it is started again."""

    folder: Folder
    children: Children
    control_ports: dict[str, int]
    daemon: Child

    def kill_daemon(self) -> None:
        """kill -9: no handler runs, nothing is flushed."""
        self.daemon.process.kill()
        self.daemon.process.wait()
        self.children.stop(self.daemon)

    def start_daemon(self) -> None:
        self.daemon = start_daemon(self.folder, self.children)

    @contextmanager
    def stubs(self) -> Iterator[Stubs]:
        with opened(door_from(read_profile(self.folder.profile))) as stubs:
            yield stubs

    def judge(self, payments: list[payment_pb2.Payment]) -> Judgement:
        return judge(payments, read_ledgers(self.control_ports))


@dataclass(frozen=True)
class Banks:
    """The running banks, and the folder in which a daemon is configured for them but not started."""

    folder: Folder
    children: Children
    control_ports: dict[str, int]


@contextmanager
def running_banks(root: Path) -> Iterator[Banks]:
    with occupied(root, keep=False) as folder, Children(folder.lock) as children:
        ports = start_banks(folder, children)
        settings.write_daemon(folder, {bank: port for bank, (port, _) in ports.items()})
        yield Banks(folder, children, {bank: control for bank, (_, control) in ports.items()})


@contextmanager
def running_house(root: Path) -> Iterator[House]:
    with running_banks(root) as banks:
        daemon = start_daemon(banks.folder, banks.children)
        yield House(banks.folder, banks.children, banks.control_ports, daemon)


def instructions(count: int, name: str = "e2e") -> list[payment_pb2.Instruction]:
    """Payable instructions with keys NAME-1, NAME-2 …, every third to the Swiss bank."""
    euro = {"debtor": NORTHBANK_ACCOUNT, "creditor_name": "Tulp Logistiek BV", "creditor": "NL91ABNA0417164300"}
    franc = {"debtor": ALPENBANK_ACCOUNT, "creditor_name": "Seeblick Hotel AG", "creditor": "CH5604835012345678009"}
    franc |= {"street": "Seestrasse", "building": "1", "postal_code": "8001", "town": "Zürich", "country": "CH"}
    rows = []
    for number in range(1, count + 1):
        row, currency = (franc, "CHF") if number % 3 == 0 else (euro, "EUR")
        rows.append(
            row | {"key": f"{name}-{number}", "amount": f"{number}.00 {currency}", "remittance": f"no {number}"}
        )
    return [to_instruction(row) for row in rows]


def watch_until_settled(stubs: Stubs, ids: set[str]) -> set[str]:
    """The payments among `ids` that were not settled within SETTLE_S_MAX; each fact is seen once or more."""
    left = set(ids)
    request = payment_service_pb2.WatchPaymentsRequest(payment_ids=sorted(ids), states=["STATE_SETTLED"])
    stream = stubs.payments.WatchPayments(request, timeout=SETTLE_S_MAX)
    try:
        for answer in stream:
            left.discard(answer.fact.payment_id)
            if not left:
                break
    finally:
        stream.cancel()
    return left


def payments_by_key(stubs: Stubs, keys: list[str]) -> list[payment_pb2.Payment]:
    requests = (payment_service_pb2.GetPaymentRequest(idempotency_key=key) for key in keys)
    return [stubs.payments.GetPayment(request, timeout=20).payment for request in requests]
