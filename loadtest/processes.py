"""The processes of a run: each on its core, heard until it is ready, ended by pid in bounded time."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from typing import Any

READY_S_MAX = 60.0
STOP_S_MAX = 20.0
TAIL_LINES = 10


class Failed(Exception):
    """A process that did not get ready, or ended before its time; with the end of its log."""


@dataclass(frozen=True, slots=True)
class Cores:
    """Which core the server has, and which the generator and the bank. None: not pinned, there is one core only."""

    server: int | None
    load: int | None

    @classmethod
    def here(cls) -> "Cores":
        """The first allowed core for the server, the last for the load."""
        allowed = sorted(os.sched_getaffinity(0))
        return cls(allowed[0], allowed[-1]) if len(allowed) > 1 else cls(None, None)


@contextmanager
def on_core(core: int | None) -> Iterator[None]:
    """Processes started inside are pinned from their first instruction, all their threads with them."""
    before = os.sched_getaffinity(0)
    if core is not None:
        os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@dataclass
class Process:
    """A running child. `ready` is the JSON line it printed first."""

    name: str
    child: "subprocess.Popen[str]"
    log: Path
    ready: dict[str, Any]

    @property
    def pid(self) -> int:
        return self.child.pid

    def lines(self) -> Iterator[dict[str, Any]]:
        """The JSON lines it prints from now on, until it ends."""
        assert self.child.stdout is not None
        for line in self.child.stdout:
            yield json.loads(line)

    def ended(self) -> dict[str, Any]:
        """Asks it to end; the JSON line it leaves with, empty when it leaves without one."""
        self.child.terminate()
        try:
            said, _ = self.child.communicate(timeout=STOP_S_MAX)
        except subprocess.TimeoutExpired:
            self.child.kill()
            said, _ = self.child.communicate()
        last = said.strip().splitlines()[-1:] or ["{}"]
        return dict(json.loads(last[0]))

    def stop(self) -> int:
        """Ends it (SIGTERM, then SIGKILL after STOP_S_MAX); returns its exit code."""
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(STOP_S_MAX)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        if self.child.stdout is not None:
            self.child.stdout.close()
        return int(self.child.returncode)

    def tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-TAIL_LINES:])


def start(name: str, words: Sequence[str], log: Path, core: int | None, *, wait: bool = True) -> Process:
    """`python WORDS` as a child; with `wait` it is ready when this returns. Raises Failed."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as log_file, on_core(core):
        child = subprocess.Popen(
            [sys.executable, *words], stdout=subprocess.PIPE, stderr=log_file, stdin=subprocess.DEVNULL, text=True
        )
    process = Process(name, child, log, {})
    if wait:
        line = _first_line(child)
        try:
            process.ready = json.loads(line)
        except json.JSONDecodeError as error:
            process.stop()
            raise Failed(f"{name} did not get ready; the end of {log}:\n{process.tail()}") from error
    return process


def _first_line(child: "subprocess.Popen[str]") -> str:
    """Its first line; empty when none came in READY_S_MAX."""
    assert child.stdout is not None
    with DefaultSelector() as selector:
        selector.register(child.stdout, EVENT_READ)
        return child.stdout.readline() if selector.select(READY_S_MAX) else ""
