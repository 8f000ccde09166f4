"""What a campaign believes: acknowledgements kept as a client would keep them, and what stands against them."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gateway.demo.folder import Folder
from gateway.store.envelope import CorruptRecord
from gateway.store.environment import opened_for_reading
from gateway.store.reads import View
from loadtest.bank.ledger import Ledger

TENANT: Final = "demo"  # gateway.demo.settings
LOST: Final = "was acknowledged and is lost"


class AckBook:
    """Key → payment id of everything acknowledged, each line flushed to the device before the next answer is read."""

    def __init__(self, path: Path) -> None:
        self.acked: dict[str, str] = {}
        self.complaints: list[str] = []
        self._file = path.open("a")

    def record(self, key: str, payment_id: str) -> None:
        known = self.acked.setdefault(key, payment_id)
        if known != payment_id:
            self.complaints.append(f"{key} was acknowledged as {known}, then as {payment_id}")
        self._file.write(json.dumps([key, payment_id]) + "\n")
        self._file.flush()
        os.fdatasync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


def lost(data: Path, acked: dict[str, str]) -> Iterator[str]:
    """Complaints: what was acknowledged and is not in the store of a dead daemon, or under another id (law 1)."""
    unreadable: list[CorruptRecord] = []
    with opened_for_reading(data) as maps, maps.env.begin() as txn:
        view = View(maps, txn, unreadable.append)
        for key, payment_id in acked.items():
            payment = view.by_key(TENANT, key)
            if payment is None:
                yield f"{key} {LOST}"
            elif payment.id.hex() != payment_id.replace("-", ""):
                yield f"{key} was acknowledged as {payment_id} and is {payment.id.hex()}"


def booked_twice(folder: Folder, banks: list[str]) -> Iterator[str]:
    """Complaints: wire references with more than one booking (laws 3 to 6)."""
    for bank in banks:
        for reference, count in Ledger(folder.ledger(bank)).booked_twice().items():
            yield f"{bank} booked {reference} {count} times"
