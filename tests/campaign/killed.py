"""A command killed at its k-th system call of a kind: strace delivers the SIGKILL, so every place can be met."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CALLS: Final = ("mkdir", "write", "fsync", "fdatasync", "pwrite64", "rename", "unlink", "unlinkat", "rmdir")
"""By which `causeway backup` and `causeway restore` change what is on a disk."""
RUN_S_MAX: Final = 60.0


@dataclass(frozen=True, slots=True)
class Place:
    """The `when`-th call of that name, counted per thread from 1; the process is killed as it is made."""

    call: str
    when: int

    def __str__(self) -> str:
        return f"{self.call}-{self.when}"


def killed_at(place: Place | None, words: Sequence[str], log: Path) -> "subprocess.CompletedProcess[str]":
    """`causeway WORDS`, killed there; a command that meets no such call ends by itself."""
    options = ["strace", "-f", "-q", "-o", str(log), "-e", f"trace={','.join(CALLS)}"]
    if place is not None:
        options += ["-e", f"inject={place.call}:signal=KILL:when={place.when}"]
    command = [*options, "--", sys.executable, "-m", "gateway", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=RUN_S_MAX)


def places(log: Path, of: Path, per_call: int) -> Iterator[Place]:
    """Of an undisturbed run's log: at most `per_call` places of each kind of call, spread over those that come after
    the first mention of `of`, the first and the last among them."""
    lines = log.read_text(errors="replace").splitlines()
    first = next(number for number, line in enumerate(lines) if str(of) in line)
    counts: dict[tuple[str, str], int] = {}
    found: dict[str, set[int]] = {call: set() for call in CALLS}
    for number, line in enumerate(lines):
        thread, _, rest = line.partition(" ")
        call = rest.strip().partition("(")[0]
        if call in found:
            counts[thread, call] = counts.get((thread, call), 0) + 1
            if number >= first:
                found[call].add(counts[thread, call])
    for call, numbers in found.items():
        ordered = sorted(numbers)
        step = max(1, -(-len(ordered) // per_call))
        for when in sorted({*ordered[::step], *ordered[-1:]}):
            yield Place(call, when)
