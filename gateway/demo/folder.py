"""The demo's working folder: what lies where in it. Made anew for each demo, unless it is to be kept."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from gateway.cli.complaint import Complaint

MARK = ".causeway-demo"
"""Lies in every folder that a demo made: only such a folder is ever deleted."""


@dataclass(frozen=True, slots=True)
class Folder:
    """Paths in the working folder."""

    root: Path

    @property
    def tls(self) -> Path:
        return self.root / "tls"

    @property
    def banks(self) -> Path:
        """The daemon's bank profiles, one NAME.toml each."""
        return self.root / "banks"

    @property
    def config(self) -> Path:
        return self.root / "causeway.toml"

    @property
    def profile(self) -> Path:
        """How client commands find the daemon."""
        return self.root / "profile.toml"

    @property
    def payments(self) -> Path:
        return self.root / "payments.jsonl"

    @property
    def data(self) -> Path:
        """The daemon's data directory."""
        return self.root / "data"

    @property
    def spans(self) -> Path:
        """The daemon's spans, one JSON object a line."""
        return self.root / "spans.jsonl"

    @property
    def client_spans(self) -> Path:
        """Our own spans, in the same form."""
        return self.root / "client-spans.jsonl"

    def ledger(self, bank: str) -> Path:
        return self.root / "ledgers" / bank

    def log(self, child: str) -> Path:
        return self.root / "logs" / f"{child}.log"


def lay(root: Path, *, keep: bool) -> Folder:
    """The folder, ready for a demo. Raises Complaint rather than delete what no demo made."""
    if root.exists() and not keep:
        if any(root.iterdir()) and not (root / MARK).exists():
            raise Complaint(
                f"{root} is not empty and no demo made it; it is left alone",
                advice=["name another folder: causeway demo --folder DIR"],
            )
        shutil.rmtree(root)
    folder = Folder(root)
    for part in (root, folder.tls, folder.banks, folder.log("x").parent, folder.ledger("x").parent):
        part.mkdir(parents=True, exist_ok=True)
    (root / MARK).write_text("Made by `causeway demo`, which deletes it when it starts again.\n")
    return folder
