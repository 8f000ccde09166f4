"""The demo's processes: started with a log each, heard until they are ready, ended by pid in bounded time."""

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from gateway.cli.complaint import Complaint, Exit

READY_S_MAX = 30.0  # a cold start on a busy machine takes 2 s
STOP_S_MAX = 15.0  # the daemon drains for 2 s; past this a child is killed
TAIL_LINES = 15


@dataclass
class Child:
    """A running process. `ready` is the JSON line it printed when it was ready to serve."""

    name: str
    process: "subprocess.Popen[str]"
    log: Path
    ready: dict[str, Any]

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    def tail(self) -> list[str]:
        """The last lines of its log."""
        lines = self.log.read_text(errors="replace").splitlines()
        return lines[-TAIL_LINES:] or ["(its log is empty)"]


class Children:
    """All of them; leaving the `with` ends them, last started first. `lock` is the folder's: they inherit it."""

    def __init__(self, lock: int) -> None:
        self._lock = lock
        self._running: list[Child] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for child in reversed(list(self._running)):
            try:
                self.stop(child)
            except KeyboardInterrupt:
                child.process.kill()  # a second Ctrl-C: no more waiting
                child.process.wait()

    def start(self, name: str, words: Sequence[str], log: Path) -> Child:
        """`causeway WORDS` as a process of its own. Returns when it is ready; raises Complaint when it never is."""
        with log.open("a") as log_file:
            process = subprocess.Popen(
                [sys.executable, "-m", "gateway", *words],
                stdout=subprocess.PIPE,
                stderr=log_file,
                stdin=subprocess.DEVNULL,
                text=True,
                start_new_session=True,  # Ctrl-C is ours alone: we end the children in order
                pass_fds=(self._lock,),
            )
        os.write(self._lock, f"{name}: {process.pid}\n".encode())
        child = Child(name, process, log, {})
        self._running.append(child)
        line = _first_line(process)
        try:
            child.ready = json.loads(line)
        except json.JSONDecodeError as error:
            self.stop(child)
            raise _not_ready(child, line) from error
        return child

    def stop(self, child: Child) -> None:
        """Asks it to end; kills it when it does not in STOP_S_MAX."""
        if child in self._running:
            self._running.remove(child)
        if not child.ended:
            child.process.terminate()
            try:
                child.process.wait(STOP_S_MAX)
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()
        if child.process.stdout:
            child.process.stdout.close()

    def check(self) -> None:
        """Raises Complaint when one of them has died."""
        for child in self._running:
            if child.ended:
                raise Complaint(
                    f"{child.name} ended by itself with exit code {child.process.returncode}; the end of its log:",
                    advice=[*child.tail(), f"whole log: {child.log}"],
                    exit=Exit.REFUSED,
                )

    def ended(self) -> Child | None:
        """One that has died, or None."""
        return next((child for child in self._running if child.ended), None)


def _first_line(process: "subprocess.Popen[str]") -> str:
    """The first line on its standard output, or "" when none came in READY_S_MAX or before its end.

    A thread of its own reads on to the end, so that a child that prints more never blocks on a full pipe.
    """
    first: queue.Queue[str] = queue.Queue(maxsize=1)

    def read() -> None:
        assert process.stdout is not None
        try:
            first.put(process.stdout.readline())
            while process.stdout.read(4096):
                pass
        except ValueError:
            pass  # the pipe was closed by stop(): the child has ended

    threading.Thread(target=read, daemon=True, name=f"stdout-{process.pid}").start()
    try:
        return first.get(timeout=READY_S_MAX)
    except queue.Empty:
        return ""


def _not_ready(child: Child, line: str) -> Complaint:
    said = f"printed {line.strip()!r}" if line.strip() else "printed nothing"
    code = child.process.returncode
    return Complaint(
        f"{child.name} did not get ready (exit code {code}; {said}); the end of its log:",
        advice=[*child.tail(), f"whole log: {child.log}"],
        exit=Exit.REFUSED,
    )
