"""`causeway demo`: the story, from an empty folder to settled payments checked against the banks' own books."""

import argparse
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
from rich.console import Console

from causeway.v1 import payment_pb2, payment_service_pb2
from gateway.cli.complaint import Exit
from gateway.cli.door import Door, Stubs, door_from, opened, read_profile
from gateway.cli.files import read_lines
from gateway.cli.house import verified
from gateway.cli.patience import Patience
from gateway.cli.pay import submit_one
from gateway.cli.refusal import from_call
from gateway.cli.tables import console
from gateway.cli.traceparent import new_traceparent, trace_id
from gateway.demo import instructions, settings, trace
from gateway.demo.children import Child, Children
from gateway.demo.folder import Folder, occupied
from gateway.demo.lives import Lives, Scene
from gateway.demo.oracle import Judgement, control, judge, read_ledgers
from gateway.devca import DevCa

CALL_S_MAX = 20.0
SETTLE_S_MAX = 90.0  # the slowest life, a lost reply, takes about 5 s; a busy machine takes its time
WATCH_SLICE_S = 2.0  # how often we look whether the children still live
CHILD_CHECK_S = 0.5


@dataclass(frozen=True, slots=True)
class Stage:
    """What runs: the daemon and the banks, and the way to them."""

    folder: Folder
    children: Children
    daemon: Child
    door: Door
    control_ports: dict[str, int]
    """Bank → its control port."""


@dataclass
class Admitted:
    """What the daemon said to the 20 instructions."""

    payments: dict[str, payment_pb2.Payment]
    """By id, as they stood when they were admitted."""
    refused: int = 0
    replayed: int = 0


def run(chosen: argparse.Namespace) -> int:
    out = console()
    where = Path(chosen.folder)
    with _ended_by_signals(), occupied(where, keep=chosen.keep) as folder, Children(folder.lock) as children:
        out.print(f"[bold]Causeway demo[/]  ·  everything it makes lies in {folder.root}\n")
        stage = set_stage(folder, children, out)
        with opened(stage.door) as stubs:
            admitted = pay(stage, stubs, out)
            complaints = _unexpected(admitted) + follow(stage, stubs, admitted, out)
            payments = _as_they_stand(stubs, admitted)
        _show_trace(stage, payments, out)
        complaints += _show_books(judge(payments, read_ledgers(stage.control_ports)), payments, out)
        complaints += _verify(folder, out)
        verdict = _verdict(complaints, out)
        if chosen.once:
            return verdict
        _show_next(stage, payments, out)
        return _serve_on(children, out)


# ---- the acts


def set_stage(folder: Folder, children: Children, out: Console) -> Stage:
    """Certificates, configuration, two banks and the daemon, each when the one before it is ready."""
    out.print("1  a certificate authority for this demo, and certificates for everybody (mutual TLS everywhere)")
    ports = start_banks(folder, children)
    for bank in settings.BANKS:
        where = f"127.0.0.1:{ports[bank.name][0]}"
        out.print(f"2  bank [bold]{bank.name}[/] ({bank.display_name}) on {where}, with its own ledger")
    settings.write_daemon(folder, {bank: port for bank, (port, _) in ports.items()})
    daemon = start_daemon(folder, children)
    door = door_from(read_profile(folder.profile))
    out.print(f"3  the daemon on {door.address}; its store is in {folder.data}")
    return Stage(folder, children, daemon, door, {bank: control_port for bank, (_, control_port) in ports.items()})


def start_banks(folder: Folder, children: Children) -> dict[str, tuple[int, int]]:
    """Certificates, then the simulated banks. Bank → (its port, its control port)."""
    _make_certificates(folder.tls)
    ports = {}
    for bank in settings.BANKS:
        ready = children.start(bank.name, _bank_words(folder, bank), folder.log(bank.name)).ready
        ports[bank.name] = (int(ready["port"]), int(ready["control_port"]))
    return ports


def start_daemon(folder: Folder, children: Children) -> Child:
    """The daemon on the folder's configuration; where it listens goes into the profile for clients."""
    daemon = children.start("causeway", ["serve", "--config", str(folder.config)], folder.log("causeway"))
    settings.write_profile(folder, str(daemon.ready["listening"]["tls"]))
    return daemon


def pay(stage: Stage, stubs: Stubs, out: Console) -> Admitted:
    """Hands the file in, line by line, each with a trace of its own."""
    instructions.write(stage.folder.payments)
    control(stage.control_ports[settings.NORTHBANK.name], "PUT", "/sins", _sins())
    out.print(f"4  northbank will drop its reply to {instructions.LOST_REPLY}: booked, but nobody tells us.")
    out.print(
        "   What else is under way on that connection shares the doubt; the bank is asked, nothing is sent blindly"
    )
    out.print(f"5  paying {stage.folder.payments}\n")
    admitted = Admitted({})
    for line in read_lines(str(stage.folder.payments)):
        key, traceparent, start_s = line.instruction.idempotency_key, new_traceparent(), time.time()
        try:
            answer = submit_one(stubs, line.instruction, traceparent, CALL_S_MAX, Patience())
        except grpc.RpcError as error:
            refusal = from_call(error)
            if refusal.unreachable:
                stage.children.check()
                raise
            admitted.refused += 1
            out.print(f"  line {line.number:2} {key}  [red]refused[/], every field that is wrong at once:")
            for text in refusal.lines():
                out.print(f"      {text}", markup=False)
            continue
        trace.write_span(stage.folder.client_spans, traceparent, "SubmitPayment", start_s, time.time())
        if answer.replayed:
            admitted.replayed += 1
            out.print(f"  line {line.number:2} {key}  [yellow]replayed[/]: the key is known, nothing is paid anew")
        admitted.payments[answer.payment.id] = answer.payment
    out.print(f"\n   {len(admitted.payments)} payments, {admitted.replayed} replayed, {admitted.refused} refused\n")
    return admitted


def _unexpected(admitted: Admitted) -> list[str]:
    """Valid instructions that were refused, and invalid ones that were not."""
    keys = {payment.instruction.idempotency_key for payment in admitted.payments.values()}
    valid = instructions.valid_keys()
    missing = [f"{key} is valid and was refused" for key in sorted(valid - keys)]
    return missing + [f"{key} is invalid and was admitted" for key in sorted(keys - valid)]


def follow(stage: Stage, stubs: Stubs, admitted: Admitted, out: Console) -> list[str]:
    """Watches until every payment has ended. Returns what is to complain about."""
    lives = Lives(admitted.payments.values())
    scene = Scene(lives, out)
    with scene.shown():
        for answer in _watched(stage, stubs, sorted(admitted.payments)):
            if answer.HasField("fact"):
                scene.take(answer.fact)
            if lives.all_ended:
                return []
    return [f"not all payments ended within {SETTLE_S_MAX:.0f} s"]


def _watched(stage: Stage, stubs: Stubs, ids: list[str]) -> Iterator[payment_service_pb2.WatchPaymentsResponse]:
    """Their facts for SETTLE_S_MAX at most, in short watches: between them we look after the children."""
    request = payment_service_pb2.WatchPaymentsRequest(payment_ids=ids)
    ends_s = time.monotonic() + SETTLE_S_MAX
    while time.monotonic() < ends_s:
        stream = stubs.payments.WatchPayments(request, timeout=WATCH_SLICE_S)
        try:
            for answer in stream:
                yield answer
                request.position = answer.position
        except grpc.RpcError as error:
            stage.children.check()
            if from_call(error).code != "DEADLINE_EXCEEDED":
                raise
        finally:
            stream.cancel()


def _as_they_stand(stubs: Stubs, admitted: Admitted) -> list[payment_pb2.Payment]:
    requests = (payment_service_pb2.GetPaymentRequest(id=each) for each in admitted.payments)
    return [stubs.payments.GetPayment(request, timeout=CALL_S_MAX).payment for request in requests]


def _show_trace(stage: Stage, payments: list[payment_pb2.Payment], out: Console) -> None:
    """The trace of the payment whose reply was lost: the most eventful one."""
    lost = next(p for p in payments if p.instruction.end_to_end_id == instructions.LOST_REPLY)
    files = {"client": stage.folder.client_spans, "causeway": stage.folder.spans}
    wanted = trace_id(lost.traceparent)
    spans = trace.await_trace(lambda: trace.read_trace(files, wanted), _tells_the_end)
    title = f"the trace of {lost.instruction.idempotency_key}, whose reply was lost ({wanted})"
    out.print()
    out.print(trace.tree(spans, title))


def _tells_the_end(spans: list[trace.Span]) -> bool:
    return any("SETTLED" in span.attributes.values() for span in spans)


def _show_books(judgement: Judgement, payments: list[payment_pb2.Payment], out: Console) -> list[str]:
    out.print()
    for bank, booked in judgement.booked.items():
        ours = sum(payment.instruction.bank == bank for payment in payments)
        out.print(f"   ledger of {bank}: {sum(booked.values())} bookings for our {ours} payments")
    return list(judgement.complaints)


def _verify(folder: Folder, out: Console) -> list[str]:
    """The store and its hash chain; the verifier reads beside the running daemon."""
    report = verified(folder.data)
    out.print(f"   {report.lines()[0]}", markup=False, soft_wrap=True)
    return list(report.lines()) if not report.whole else []


def _verdict(complaints: list[str], out: Console) -> int:
    if complaints:
        out.print("\n[bold red]Something is wrong:[/]")
        for text in complaints:
            out.print(f"   {text}", markup=False)
        return Exit.REFUSED
    out.print("\n[bold green]Every valid instruction was booked exactly once, and all are settled.[/]")
    return Exit.DONE


def _show_next(stage: Stage, payments: list[payment_pb2.Payment], out: Console) -> None:
    folder, lost = stage.folder, next(p for p in payments if p.instruction.end_to_end_id == instructions.LOST_REPLY)
    lines = (
        f"export CAUSEWAY_PROFILE={os.path.abspath(folder.profile)}",
        "causeway list",
        "causeway banks",
        f"causeway get --history {lost.id}",
        f"causeway pay {folder.payments}          # all of them again: replays, nothing is paid twice",
        f"causeway pay --amount '12.50 EUR' --debtor {instructions.NORTHBANK_ACCOUNT} "
        "--creditor-name 'Tulp Logistiek BV' --creditor NL91ABNA0417164300 --remittance 'my first payment'",
        "causeway watch --from now",
    )
    out.print("\n[bold]To try next, in another terminal[/] (with .venv/bin on the PATH):\n")
    for line in lines:
        out.print(f"  {line}", markup=False, soft_wrap=True)
    out.print(f"\nLogs are in {folder.log('causeway').parent}.")


def _serve_on(children: Children, out: Console) -> int:
    never = threading.Event()
    try:
        out.print("Serving until Ctrl-C ...")  # inside: from here on Ctrl-C is the way to end, not an interruption
        while not never.wait(CHILD_CHECK_S):
            children.check()
    except KeyboardInterrupt:
        print("\nstopping the daemon and the banks ...")
    return Exit.DONE


# ---- small things


def _make_certificates(folder: Path) -> None:
    """One authority that everybody trusts, and an identity for each who speaks."""
    ca = DevCa.open_or_create(folder)
    for server in ("causeway", *(bank.name for bank in settings.BANKS)):
        ca.server(server)
    ca.client("demo", settings.CLIENT_URI)
    ca.client("bank-client", settings.DAEMON_URI)


def _bank_words(folder: Folder, bank: settings.DemoBank) -> list[str]:
    tls = folder.tls
    identity = ["--cert", str(tls / f"{bank.name}.pem"), "--key", str(tls / f"{bank.name}.key")]
    trust = ["--client-ca", str(tls / "ca.pem"), "--ledger", str(folder.ledger(bank.name))]
    return ["bank-sim", "--name", bank.name, *identity, *trust, *bank.sim_flags]


def _sins() -> list[dict[str, object]]:
    return [{"kind": "drop_reply", "end_to_end_id": instructions.LOST_REPLY, "times": 1}]


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM, and SIGHUP of a closed terminal, end the demo like Ctrl-C: the children are stopped in order."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
