"""Foreign programs as peers: started in a nursery on a loopback port, ended with it."""

import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

STARTING_S_MAX = 20.0
KEPT_BYTES = 64 * 1024


def find(name: str, package: str) -> str:
    """The program's path; skips the test where it is absent."""
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if path is None:
        pytest.skip(f"{name} is not installed (Debian: {package})")
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Program:
    """A running program: what it says is read all the time, and the last of it kept."""

    def __init__(self, process: trio.Process) -> None:
        self._process = process
        self._said = bytearray()
        self._more = trio.Event()

    async def until(self, words: bytes) -> None:
        """Wait until it has said this; forget everything up to it."""
        while words not in self._said:
            await self._more.wait()
        del self._said[: self._said.index(words) + len(words)]

    async def tell(self, line: bytes) -> None:
        assert self._process.stdin is not None
        await self._process.stdin.send_all(line)

    async def listen(self) -> None:
        assert self._process.stdout is not None
        while chunk := await self._process.stdout.receive_some():
            self._said += chunk
            del self._said[:-KEPT_BYTES]
            self._more.set()
            self._more = trio.Event()


@asynccontextmanager
async def running(command: Sequence[str], ready: bytes) -> AsyncIterator[Program]:
    """The program, once it has said `ready`; killed at the end."""
    process = await trio.lowlevel.open_process(
        list(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    program = Program(process)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(program.listen)
            with trio.fail_after(STARTING_S_MAX):
                await program.until(ready)
            yield program
            nursery.cancel_scope.cancel()
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()


@asynccontextmanager
async def nginx(folder: Path, server: str, *, http2: bool) -> AsyncIterator[int]:
    """nginx with one TLS server whose other directives are `server`; yields its port. It inherits a socket that
    listens already (as in its own binary upgrade), so there is no port to race for and nothing to wait for."""
    program = find("nginx", "nginx")
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    port = int(listener.getsockname()[1])
    temporary = "\n".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log info;\n"
        "events { worker_connections 512; }\n"
        f"http {{ access_log off; {temporary}\n"
        f"server {{ listen 127.0.0.1:{port} ssl {'http2' if http2 else ''}; {server} }} }}\n"
    )
    process = await trio.lowlevel.open_process(
        [program, "-e", f"{folder}/error.log", "-p", str(folder), "-c", f"{folder}/nginx.conf"],
        pass_fds=(listener.fileno(),),
        env={**os.environ, "NGINX": f"{listener.fileno()};"},
        stderr=subprocess.DEVNULL,
    )
    listener.close()
    try:
        yield port
    finally:
        process.terminate()
        with trio.CancelScope(shield=True), trio.move_on_after(STARTING_S_MAX):
            await process.wait()
