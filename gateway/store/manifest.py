"""What a backup says of itself: a JSON document beside the data file, held against it before anything is restored."""

import json
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

MANIFEST_FILE: Final = "manifest.json"
MANIFEST_FORMAT: Final = 1
MANIFEST_BYTES_MAX: Final = 16 * 1024  # a manifest is below 1 KiB; anything larger is none


class BackupUnusable(Exception):
    """The backup is not what its manifest says, or says nothing that can be read. The text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """Of one backup. Hashes are hexadecimal SHA-256."""

    store_id: str
    """Hash of the store's first fact, the same in every backup of it; empty for a store without facts."""
    sequence: int
    """The last fact in it."""
    head: str
    """Hash of that fact: the end of the chain. Keep it elsewhere too, and no other backup passes for this one."""
    payments: int
    taken_at: str
    """When the copy began, UTC, ISO 8601. Every acknowledgement before this moment is in it."""
    causeway_version: str
    data_bytes: int
    data_sha256: str
    format: int = MANIFEST_FORMAT

    def text(self) -> str:
        return json.dumps(asdict(self), indent=2) + "\n"


def read_manifest(backup: Path) -> Manifest:
    """Raises BackupUnusable."""
    file = backup / MANIFEST_FILE
    try:
        with file.open("rb") as stream:
            raw = stream.read(MANIFEST_BYTES_MAX + 1)
    except OSError as error:
        raise BackupUnusable(f"{file}: {error.strerror}: is {backup} a backup made by `causeway backup`?") from error
    try:
        found = json.loads(raw) if len(raw) <= MANIFEST_BYTES_MAX else None
        wanted = {field.name: field.type for field in fields(Manifest)}
        if not isinstance(found, dict) or found.get("format") != MANIFEST_FORMAT or found.keys() != wanted.keys():
            raise ValueError("another shape")
        if any(type(found[name]) is not kind for name, kind in wanted.items()):
            raise ValueError("another type")
        return Manifest(**found)
    except ValueError as error:
        raise BackupUnusable(f"{file} is no manifest that this Causeway can read (format {MANIFEST_FORMAT})") from error


def moment(at_ns: int) -> str:
    """Unix nanoseconds as the manifest writes moments."""
    return datetime.fromtimestamp(at_ns / 1e9, UTC).isoformat(timespec="milliseconds")
