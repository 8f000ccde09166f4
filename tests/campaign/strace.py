"""Device errors on demand: a program under strace, one of whose system calls on the store's file fails."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from gateway.store.environment import DATA_FILE

CALLS: Final = ("pwrite64", "writev", "fdatasync", "pwritev", "fsync", "msync", "ftruncate")
"""Through which LMDB reaches the device, here or elsewhere; a recorded run says which it really uses."""
RUN_S_MAX: Final = 60.0
META_BYTES: Final = 120
"""LMDB's commit proper: a pwrite64 of so many bytes, on a descriptor that flushes each write (O_DSYNC)."""

_LINE: Final = re.compile(r"^(?P<thread>\d+) +(?P<at>\d+\.\d+) (?P<what>.*)$")
_TELLS: Final = 'write(1, "'
_CALL: Final = re.compile(r"^(?P<name>\w+)\((?P<descriptor>\d+)")


@dataclass(frozen=True, slots=True)
class Fault:
    """The `when`-th call of that name on the store's file, counted per thread from 1, fails with `error`."""

    call: str
    error: str
    when: int

    def __str__(self) -> str:
        return f"{self.call}-{self.when}-{self.error}"


@dataclass(frozen=True, slots=True)
class Event:
    """One line of strace: a call, or the end of a thread."""

    thread: int
    at_s: float
    what: str

    @property
    def call(self) -> str:
        found = _CALL.match(self.what)
        return found["name"] if found else ""

    @property
    def injected(self) -> bool:
        return "(INJECTED)" in self.what

    @property
    def tells(self) -> str:
        """What it tells its caller: the first word of a line on standard output."""
        return self.what[len(_TELLS) :].partition(" ")[0].partition("\\n")[0] if self.what.startswith(_TELLS) else ""

    @property
    def commits(self) -> bool:
        return self.call == "pwrite64" and f", {META_BYTES}, " in self.what


@cache
def missing() -> str:
    """Why no fault can be injected here; empty where it can."""
    if shutil.which("strace") is None:
        return "strace is not installed (apt-get install strace)"
    probe = ["strace", "-qq", "-e", "trace=getpid", "-e", "inject=getpid:error=EIO", "--", "true"]
    done = subprocess.run(probe, capture_output=True, text=True, timeout=RUN_S_MAX)
    return "" if done.returncode == 0 else f"strace may not trace here: {done.stderr.strip()[:200]}"


def options(data: Path, log: Path, fault: Fault | None, *also: Path) -> list[str]:
    """strace's own words: what it writes into `log`, and the one call that it makes fail. `also`: files whose writes
    are shown."""
    words = ["strace", "-f", "-q", "-ttt", "-o", str(log), "-s", "8"]
    for path in (data / DATA_FILE, *also):
        words += ["-P", str(path)]
    words += ["-e", f"trace=write,{','.join(CALLS)}"]
    if fault is not None:
        words += ["-e", f"inject={fault.call}:error={fault.error}:when={fault.when}"]
    return words


@dataclass(frozen=True, slots=True)
class Ended:
    """A program that has ended under strace."""

    returncode: int
    lines: tuple[str, ...]
    """Of its standard output."""
    errors: str
    events: tuple[Event, ...]

    @property
    def fault_at(self) -> int | None:
        """Place in `events` of the call that failed on demand."""
        return next((place for place, event in enumerate(self.events) if event.injected), None)

    @property
    def seconds_after_fault(self) -> float:
        """From the failed call to the last thing that strace saw."""
        assert self.fault_at is not None, "no call failed"
        return self.events[-1].at_s - self.events[self.fault_at].at_s


def run(module: str, words: Sequence[str], data: Path, fault: Fault | None) -> Ended:
    """A module of ours as a program under strace. Its output goes into files beside `data`."""
    out, errors, log = (data.with_suffix(ending) for ending in (".out", ".err", ".strace"))
    out.touch()
    command = [*options(data, log, fault, out), "--", sys.executable, "-m", module, *words]
    with out.open("w") as out_file, errors.open("w") as error_file:
        done = subprocess.run(command, stdout=out_file, stderr=error_file, timeout=RUN_S_MAX)
    return Ended(done.returncode, tuple(out.read_text().splitlines()), errors.read_text(), read_log(log))


def read_log(log: Path) -> tuple[Event, ...]:
    found = (_LINE.match(line) for line in log.read_text(errors="replace").splitlines())
    return tuple(Event(int(each["thread"]), float(each["at"]), each["what"]) for each in found if each)


@contextmanager
def attached(pid: int, data: Path, log: Path, fault: Fault) -> Iterator[None]:
    """strace on a running process of ours, whose store is in `data`, until it has ended."""
    command = [word for word in options(data, log, fault) if word != "-q"]
    with subprocess.Popen([*command, "-p", str(pid)], stderr=subprocess.PIPE, text=True) as tracer:
        assert tracer.stderr is not None
        said = tracer.stderr.readline()
        assert "attached" in said, said
        try:
            yield
        finally:
            tracer.terminate()
