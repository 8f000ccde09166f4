"""`causeway backup` and `causeway restore`: a store's copy, and a store from a copy, on the daemon's own machine."""

import argparse
import getpass
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from gateway.cli.complaint import Complaint, Exit
from gateway.clock import SystemClock
from gateway.store.backup import BackupFailed, backup
from gateway.store.backup import Progress as Done
from gateway.store.envelope import CorruptRecord
from gateway.store.environment import DataDirectoryInUse, DataDirectoryUnusable
from gateway.store.manifest import BackupUnusable, Manifest
from gateway.store.restore import Restored, restore


def run_backup(chosen: argparse.Namespace) -> int:
    """Copies the store of a running (or stopped) daemon. Exit.REFUSED when there is no backup afterwards."""
    source, destination = Path(chosen.data_dir), Path(chosen.destination)
    with _complaining(), _bar(quiet=chosen.json) as bar:
        task = bar.add_task("copy", total=None, note="")

        def told(done: Done) -> None:
            grown = f"the daemon's file grew by {done.grown_bytes >> 20} MiB" if done.grown_bytes >> 20 else ""
            bar.update(task, description=done.step, total=done.total_bytes, completed=done.done_bytes, note=grown)

        manifest = backup(source, destination, clock=SystemClock(), version=version("causeway"), told=told)
    if chosen.json:
        print(json.dumps({"backup": str(destination), **asdict(manifest)}))
    else:
        print("\n".join(told_of_backup(destination, manifest)))
    return Exit.DONE


def told_of_backup(destination: Path, manifest: Manifest) -> list[str]:
    return [
        f"{destination} is a whole backup: {manifest.payments} payments, {manifest.sequence} facts, "
        f"{manifest.data_bytes / (1 << 20):.1f} MiB, taken {manifest.taken_at}",
        f"keep this hash of its last fact elsewhere: {manifest.head}",
    ]


def run_restore(chosen: argparse.Namespace) -> int:
    """Makes a new data directory from a backup, in quarantine."""
    import trio

    source, data_dir = Path(chosen.backup), Path(chosen.data_dir)
    with _complaining(), _bar(quiet=chosen.json) as bar:
        task = bar.add_task("copy", total=None, note="")

        def told(step: str, done: int) -> None:
            note = f"{done} payments" if step == "suspect" else ""
            bar.update(task, description=step, completed=done if step == "copy" else None, note=note)

        async def run() -> Restored:
            return await restore(source, data_dir, clock=SystemClock(), actor=operator(), told=told)

        restored = trio.run(run)
    if chosen.json:
        manifest = asdict(restored.manifest)
        print(json.dumps({"data_dir": str(data_dir), "suspected": restored.suspected, "manifest": manifest}))
    else:
        print("\n".join(told_of_restore(data_dir, restored)))
    return Exit.DONE


def told_of_restore(data_dir: Path, restored: Restored) -> list[str]:
    return [
        f"{data_dir} is the store as of {restored.manifest.taken_at}, IN QUARANTINE: "
        f"{restored.suspected} payments that may have been sent since are in doubt",
        "next: make sure that no daemon runs on the old directory, start one on this, and see "
        "`causeway quarantine show` and docs/backup.md",
    ]


def operator() -> str:
    """Who gives this command on this machine, as the log names them. No principal: `os:` and the login name."""
    try:
        return f"os:{getpass.getuser()}"
    except (KeyError, OSError):
        return f"os:{os.getuid()}"  # a container's user often has no name


@contextmanager
def _complaining() -> Iterator[None]:
    try:
        yield
    except (BackupFailed, BackupUnusable, DataDirectoryUnusable, DataDirectoryInUse, CorruptRecord) as error:
        raise Complaint(str(error), advice=["docs/backup.md"], exit=Exit.REFUSED) from error
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        said = f"{where}{error.strerror or error}"
        raise Complaint(said, advice=["nothing was left behind; make room or choose another disk"],
                        exit=Exit.REFUSED) from error  # fmt: skip


def _bar(*, quiet: bool) -> Progress:
    """On standard error, and only where somebody looks."""
    out = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
    )
    return Progress(*columns, console=out, transient=True, disable=quiet or not out.is_terminal)
