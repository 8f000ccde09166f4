"""The bank as a process: its ready line, foreign clients, the control listener, death and resurrection."""

import json
import shutil
import signal
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import h11
import pytest
import trio

from loadtest.bank import Ledger
from tests.loadtest.certificates import Papers
from tests.loadtest.messages import message, single, transfer
from tests.loadtest.raw_client import client_context, connect, tls_to

START_S = 30.0  # an interpreter with all its imports, on a busy machine


@dataclass
class Running:
    """A bank's process."""

    process: trio.Process
    ledger: Ledger
    port: int
    control_port: int


def command(papers: Papers, folder: Path, *more: str) -> list[str]:
    flags = {"--ledger": folder, "--cert": papers.bank_certificate, "--key": papers.bank_key}
    flags["--client-ca"] = papers.authority
    pairs = [str(part) for pair in flags.items() for part in pair]
    return [sys.executable, "-m", "loadtest.bank", "--name", "north", *pairs, *more]


@asynccontextmanager
async def running(papers: Papers, folder: Path, *more: str) -> AsyncIterator[Running]:
    """Starts a bank and waits for its ready line; kills it in the end if it still lives."""
    async with trio.open_nursery() as nursery:
        start = partial(trio.run_process, stdout=subprocess.PIPE, check=False)
        process: trio.Process = await nursery.start(start, command(papers, folder, *more))
        assert process.stdout is not None
        line = b""
        with trio.fail_after(START_S):
            while not line.endswith(b"\n"):
                piece = await process.stdout.receive_some(1 << 12)
                assert piece, "the bank ended before it was ready"
                line += piece
        ready = json.loads(line)
        assert (ready["ready"], ready["name"]) == (True, "north")
        yield Running(process, Ledger(folder), ready["port"], ready["control_port"])
        process.kill()


async def control(port: int, method: str, path: str, body: bytes = b"") -> tuple[int, Any]:
    """One request to the control listener: status and JSON."""
    client = h11.Connection(h11.CLIENT)
    headers = [("host", "localhost"), ("connection", "close"), ("content-length", str(len(body)))]
    ask = h11.Request(method=method, target=path, headers=headers)
    events = (ask, h11.Data(data=body), h11.EndOfMessage())
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await stream.send_all(b"".join(client.send(event) or b"" for event in events))
        got, status = b"", 0
        while True:
            event = client.next_event()
            if event is h11.NEED_DATA:
                client.receive_data(await stream.receive_some(1 << 16))
            elif isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                got += event.data
            else:
                return status, json.loads(got)


async def test_a_killed_bank_keeps_what_it_answered(papers: Papers, tmp_path: Path) -> None:
    """kill -9 right after a reply: the booking is in the ledger, and a new process goes on from it."""
    async with running(papers, tmp_path, "--settle-delay-s", "3600") as bank:
        async with connect(bank.port, papers) as client:
            assert (await client.pay(single("R1"))).status == 200
            bank.process.kill()
            await client.read_to_end()
        await bank.process.wait()
        assert bank.ledger.bookings_by_reference() == {"R1": 1}
    async with running(papers, tmp_path, "--settle-delay-s", "3600") as bank, connect(bank.port, papers) as client:
        assert b"<TxSts>ACCP" in (await client.ask("GET", "/v1/status/R1")).body
        await client.pay(single("R1"))
        assert bank.ledger.booked_twice() == {"R1": 2}


async def test_promises_outlive_the_process(papers: Papers, tmp_path: Path) -> None:
    """A settlement that was due when the bank died is made when it is back."""
    async with running(papers, tmp_path, "--settle-delay-s", "2") as bank:
        async with connect(bank.port, papers) as client:
            await client.pay(single("R1"))
        bank.process.kill()
        await bank.process.wait()
        assert bank.ledger.totals().settled == 0
    async with running(papers, tmp_path) as bank, connect(bank.port, papers) as client:
        with trio.fail_after(20):
            while b"ACSC" not in (await client.ask("GET", "/v1/reports")).body:
                pass
        assert bank.ledger.totals().settled == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_cleanly(papers: Papers, tmp_path: Path, number: signal.Signals) -> None:
    """SIGTERM and SIGINT: exit status 0, even with a silent exchange open."""
    async with running(papers, tmp_path) as bank, connect(bank.port, papers) as client:
        await control(bank.control_port, "PUT", "/sins", b'[{"kind": "silent"}]')
        await client.send("POST", "/v1/payments", single("R1"))
        bank.process.send_signal(number)
        with trio.fail_after(10):
            assert await bank.process.wait() == 0
        assert bank.ledger.bookings_by_reference().keys() <= {"R1"}, "readable when nobody has it open"


async def test_the_ledger_has_one_owner(papers: Papers, tmp_path: Path) -> None:
    """A second bank on the same ledger, or the same port, ends at once and says why."""
    async with running(papers, tmp_path) as bank:
        second = await trio.run_process(
            command(papers, tmp_path), check=False, capture_stdout=True, capture_stderr=True
        )
        assert second.returncode == 2
        assert b"runs already" in second.stderr
        third = await trio.run_process(
            command(papers, tmp_path / "other", "--port", str(bank.port)),
            check=False,
            capture_stdout=True,
            capture_stderr=True,
        )
        assert third.returncode == 2
        assert b"in use" in third.stderr
        assert second.stdout == third.stdout == b""


async def test_wrong_flags(papers: Papers, tmp_path: Path) -> None:
    """A missing key or a wrong sin ends with status 2 and one line that says what is wrong."""
    sins = tmp_path / "sins.json"
    sins.write_text('[{"kind": "theft"}]')
    for more, said in ((["--sins", str(sins)], b"one of drop_reply"), (["--key", "nowhere"], b"No such file")):
        ended = await trio.run_process(
            command(papers, tmp_path / "ledger", *more), check=False, capture_stdout=True, capture_stderr=True
        )
        assert (ended.returncode, ended.stdout) == (2, b"")
        assert said in ended.stderr
        assert ended.stderr.count(b"\n") == 1


async def test_control(papers: Papers, tmp_path: Path) -> None:
    """Sins are put, shown, committed and deleted; the ledger is counted; nonsense is told off."""
    sins = tmp_path / "sins.json"
    sins.write_text('[{"kind": "status", "code": 500, "times": 1}]')
    async with running(papers, tmp_path / "ledger", "--sins", str(sins)) as bank:
        port = bank.control_port
        async with connect(bank.port, papers) as client:
            assert (await client.pay(single("R1"))).status == 500
            put = b'[{"kind": "status", "code": 429, "times": 1}]'
            assert (await control(port, "PUT", "/sins", put))[0] == 200
            assert (await client.pay(single("R1"))).status == 429
            assert (await client.pay(single("R1"))).status == 200
        _, shown = await control(port, "GET", "/sins")
        assert (shown["sins"][0]["seen"], shown["sins"][0]["acted"]) == (1, 1)
        assert await control(port, "DELETE", "/sins") == (200, {"sins": []})
        status, told = await control(port, "PUT", "/sins", b'[{"kind": "theft"}]')
        assert (status, "one of drop_reply" in told["error"]) == (400, True)
        assert (await control(port, "PUT", "/sins", b"{"))[0] == 400
        assert (await control(port, "GET", "/nothing"))[0] == 404
        assert (await control(port, "GET", "/ready"))[1]["port"] == bank.port
        _, counted = await control(port, "GET", "/ledger")
        assert (counted["bookings"], counted["received"]) == ({"R1": 1}, {"R1": 3})
        assert counted["totals"]["amounts"] == {"EUR": "100.00"}


@pytest.mark.parametrize("certificate", ["none", "stranger"])
async def test_without_the_right_certificate(papers: Papers, tmp_path: Path, certificate: str) -> None:
    """No or a stranger's certificate: a TLS alert, no byte of HTTP, nothing received."""
    async with running(papers, tmp_path) as bank:
        async with tls_to(bank.port, client_context(papers, "h2", certificate)) as tls:
            with pytest.raises(trio.BrokenResourceError) as caught:
                await tls.receive_some(1)
        assert isinstance(caught.value.__cause__, ssl.SSLError)
        assert "alert" in str(caught.value.__cause__).lower()
        assert bank.ledger.totals().received == 0


@pytest.mark.parametrize("version", ["--http2", "--http1.1"])
async def test_curl(papers: Papers, tmp_path: Path, version: str) -> None:
    """curl, a foreign client, pays and asks by either HTTP version."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    (tmp_path / "pain.xml").write_bytes(message("M", [transfer("E1", "R1"), transfer("REJECT-AC04")]))
    curl = ["curl", "-sS", version, "--cacert", str(papers.authority)]
    curl += ["--cert", str(papers.client_certificate), "--key", str(papers.client_key)]
    async with running(papers, tmp_path / "ledger") as bank:
        base = f"https://localhost:{bank.port}/v1"
        body = ["--data-binary", f"@{tmp_path / 'pain.xml'}", "-w", "%{http_version}"]
        paid = await trio.run_process([*curl, *body, f"{base}/payments"], capture_stdout=True)
        assert b"<GrpSts>PART</GrpSts>" in paid.stdout
        assert paid.stdout.endswith(b">2" if version == "--http2" else b">1.1")
        asked = await trio.run_process([*curl, f"{base}/status/R1"], capture_stdout=True)
        assert b"<TxSts>ACSC</TxSts>" in asked.stdout
        assert bank.ledger.bookings_by_reference() == {"R1": 1}


async def test_nghttp(papers: Papers, tmp_path: Path) -> None:
    """nghttp, a strict HTTP/2 client, sends fifty payments at once and finds nothing to complain about."""
    if shutil.which("nghttp") is None:
        pytest.skip("nghttp is not installed (Debian: nghttp2-client)")
    (tmp_path / "pain.xml").write_bytes(single("R1"))
    nghttp = ["nghttp", "-nv", "-m", "50", f"--data={tmp_path / 'pain.xml'}"]
    nghttp += [f"--cert={papers.client_certificate}", f"--key={papers.client_key}"]
    async with running(papers, tmp_path / "ledger") as bank:
        address = f"https://localhost:{bank.port}/v1/payments"
        said = await trio.run_process([*nghttp, address], capture_stdout=True, capture_stderr=True)
        assert said.stdout.count(b":status: 200") == 50
        assert b"INVALID" not in said.stdout
        assert b"recv GOAWAY" not in said.stdout
        assert bank.ledger.bookings_by_reference() == {"R1": 50}
