"""The demo's working folder: what lies where in it. Made anew for each demo, unless it is to be kept."""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from gateway.cli.complaint import Complaint

MARK = ".causeway-demo"
"""Lies in every folder that a demo made: only such a folder is ever emptied. Lists the demo's processes."""


@dataclass(frozen=True, slots=True)
class Folder:
    """Paths in the working folder."""

    root: Path
    lock: int
    """File descriptor of the mark, locked: whoever has it open holds the folder."""

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


@contextmanager
def occupied(root: Path, *, keep: bool) -> Iterator[Folder]:
    """The folder, ready for a demo and held against others while the demo or any process it started lives.

    Raises Complaint when another demo's processes are in it, and rather than delete what no demo made.
    """
    if root.exists() and any(root.iterdir()) and not (root / MARK).exists():
        raise Complaint(
            f"{root} is not empty and no demo made it; it is left alone",
            advice=["name another folder: causeway demo --folder DIR"],
        )
    root.mkdir(parents=True, exist_ok=True)
    with (root / MARK).open("a+") as mark:
        _lock(mark, root)
        mark.truncate(0)
        mark.write("Made by `causeway demo`, which deletes this folder's content when it starts again. Processes:\n")
        mark.flush()
        if not keep:
            _empty(root)
        folder = Folder(root, mark.fileno())
        for part in (folder.tls, folder.banks, folder.log("x").parent, folder.ledger("x").parent):
            part.mkdir(parents=True, exist_ok=True)
        yield folder


def _lock(mark: TextIO, root: Path) -> None:
    """The children inherit the lock, so that it outlives a demo that was killed and left them behind."""
    try:
        fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        mark.seek(0)
        raise Complaint(
            f"a demo is running in {root}, or one was killed and left its processes behind",
            advice=[
                *mark.read().splitlines()[1:],
                "end it with Ctrl-C (left processes: kill PID), or name another folder: causeway demo --folder DIR",
            ],
        ) from error


def _empty(root: Path) -> None:
    """Everything but the mark, whose lock is held."""
    for path in root.iterdir():
        if path.name == MARK:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
