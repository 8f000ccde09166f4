"""`causeway bank-sim`: one simulated bank as a process."""

import argparse
import json
import signal
import sqlite3
import ssl
import sys
from decimal import Decimal, InvalidOperation
from pathlib import Path

import trio

from loadtest.bank.bank import SimBank
from loadtest.bank.books import LedgerInUse
from loadtest.bank.config import BankConfig
from loadtest.bank.sins import Sin, UnknownSin, from_json

NAME = "bank-sim"
SUMMARY = "a simulated bank with its own ledger"
FAILED = 2  # exit status: could not start, or could not go on


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Mounts the command; the parsed arguments carry `run`."""
    parser = subparsers.add_parser(NAME, help=SUMMARY, description=SUMMARY)
    add_arguments(parser)
    parser.set_defaults(run=run)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags. Ports 0 mean: the system chooses, and the ready line tells."""
    add = parser.add_argument
    add("--name", default="simbank", help="appears in the bank's own references (20 characters at most)")
    add("--host", default="127.0.0.1", help="where HTTP over mutual TLS listens (default: 127.0.0.1)")
    add("--port", type=int, default=0, help="its port (default: any free one; the ready line tells)")
    add(
        "--control-port",
        type=int,
        default=0,
        help="plaintext control listener, on loopback only (default: any free one)",
    )
    add("--ledger", type=Path, required=True, metavar="DIR", help="folder of the durable ledger")
    add("--cert", type=Path, required=True, help="the bank's certificate chain (PEM)")
    add("--key", type=Path, required=True, help="and its private key (PEM)")
    add("--client-ca", type=Path, required=True, help="who may have issued clients' certificates (PEM)")
    add("--mode", choices=("now", "later"), default="now", help="pain.002 in the answer (default), or in the mailbox")
    add("--report-delay-s", type=float, default=0.1, help="mode later: until pain.002 is in the mailbox (default: 0.1)")
    add("--settle-delay-s", type=float, default=0.0, help="from acceptance to settlement; 0 is at once")
    add("--visibility-delay-s", type=float, default=0.0, help="inquiries say 404 until then")
    add("--reply-delay-ms", type=float, default=0.0, help="each booking's answer waits so long")
    add("--reply-p50-ms", type=float, default=0.0, help="and a log-normal time with this median on top")
    add("--reply-p99-ms", type=float, default=0.0, help="and this 99th percentile")
    add("--max-amount", default="999999999.99", help="above it: RJCT AM02")
    add("--dedupe", action="store_true", help="repeated MsgId: RJCT DU01; repeated InstrId: RJCT AM05")
    add("--sins", type=Path, metavar="FILE.json", help="sins in force from the start")
    add("--log-json", action="store_true", help="one line per request on standard error")


def run(args: argparse.Namespace) -> int:
    """Serves until SIGTERM or SIGINT; 0 then, 2 with a sentence on standard error if it cannot."""
    status = 0
    try:
        bank = SimBank(_config(args))
        bank.sins.extend(_sins(args.sins))
        trio.run(_serve, bank)
    except* (LedgerInUse, UnknownSin, ValueError, OSError, ssl.SSLError, sqlite3.Error) as failed:
        print(f"{NAME}: {_first(failed)}", file=sys.stderr)
        status = FAILED
    return status


def _first(failed: BaseException) -> BaseException:
    """The innermost reason: nurseries wrap what their tasks raise."""
    while isinstance(failed, BaseExceptionGroup):
        failed = failed.exceptions[0]
    return failed


async def _serve(bank: SimBank) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with trio.open_nursery() as nursery:
            await nursery.start(bank.serve)
            print(json.dumps(bank.ready()), flush=True)
            async for _ in signals:
                nursery.cancel_scope.cancel()
                return


def _config(args: argparse.Namespace) -> BankConfig:
    try:
        max_amount = Decimal(args.max_amount)
    except InvalidOperation as broken:
        raise ValueError(f"--max-amount: a number, not {args.max_amount!r}") from broken
    return BankConfig(
        ledger=args.ledger,
        certificate=args.cert,
        key=args.key,
        client_ca=args.client_ca,
        name=args.name,
        host=args.host,
        port=args.port,
        control_port=args.control_port,
        mode=args.mode,
        report_delay_s=args.report_delay_s,
        settle_delay_s=args.settle_delay_s,
        visibility_delay_s=args.visibility_delay_s,
        reply_delay_s=args.reply_delay_ms / 1000,
        reply_p50_s=args.reply_p50_ms / 1000,
        reply_p99_s=args.reply_p99_ms / 1000,
        dedupe=args.dedupe,
        max_amount=max_amount,
        log_json=args.log_json,
    )


def _sins(path: Path | None) -> list[Sin]:
    if path is None:
        return []
    try:
        return from_json(json.loads(path.read_bytes()))
    except (UnknownSin, json.JSONDecodeError, UnicodeDecodeError) as why:
        raise UnknownSin(f"{path}: {why}") from why
