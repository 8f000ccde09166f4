"""nghttp2's tools against a plaintext listener: a client and a load generator that share no code with us."""

import re
import shutil
from pathlib import Path

import pytest
import trio

from tests.interop import testing_pb2 as pb
from tests.interop.conftest import Target

HEADERS = ("-H", "content-type: application/grpc", "-H", "te: trailers")


def tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed (Debian: nghttp2-client)")
    return found


def body_file(folder: Path, size: int) -> Path:
    message = pb.SimpleRequest(response_size=size, payload=pb.Payload(body=bytes(200))).SerializeToString()
    file = folder / "body"
    file.write_bytes(b"\0" + len(message).to_bytes(4, "big") + message)
    return file


async def run(*command: str) -> str:
    with trio.fail_after(60):
        done = await trio.run_process(command, capture_stdout=True, capture_stderr=True)
    return done.stdout.decode()


async def test_h2load(target: Target, tmp_path: Path) -> None:
    """h2load's 2,000 calls over 4 connections, 32 at a time on each, all succeed."""
    output = await run(
        tool("h2load"),
        *("-n", "2000", "-c", "4", "-m", "32", "-d", str(body_file(tmp_path, 100)), *HEADERS),
        f"http://{target.address}/grpc.testing.TestService/UnaryCall",
    )
    assert "2000 succeeded, 0 failed" in output


async def test_h2load_with_small_windows(target: Target, tmp_path: Path) -> None:
    """Responses larger than the client's windows arrive whole, however small the windows."""
    output = await run(
        tool("h2load"),
        *("-n", "20", "-m", "10", "-w", "10", "-W", "12", "-d", str(body_file(tmp_path, 200_000)), *HEADERS),
        f"http://{target.address}/grpc.testing.TestService/UnaryCall",
    )
    assert "20 succeeded, 0 failed" in output
    data = re.search(r"\((\d+)\) data", output)
    assert data is not None
    assert int(data[1]) >= 20 * 200_000


async def test_nghttp_sees_trailers(target: Target, tmp_path: Path) -> None:
    """nghttp shows status 200, the grpc trailers and no protocol complaint."""
    output = await run(
        tool("nghttp"),
        *("-v", "-d", str(body_file(tmp_path, 10)), *HEADERS),
        f"http://{target.address}/grpc.testing.TestService/UnaryCall",
    )
    plain = re.sub(r"\x1b\[[0-9;]*m", "", output)
    assert ":status: 200" in plain
    assert "grpc-status: 0" in plain
    assert "PROTOCOL_ERROR" not in plain


async def test_nghttp_with_get(target: Target) -> None:
    """A browser's GET is told 405."""
    output = await run(tool("nghttp"), "-v", f"http://{target.address}/")
    assert ":status: 405" in re.sub(r"\x1b\[[0-9;]*m", "", output)
