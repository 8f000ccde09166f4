"""The words of the command line, as one argparse tree. Standard library only, so that `--help` is instant."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from gateway.core.holds import HOLD_DEFECT
from gateway.core.states import State

if TYPE_CHECKING:
    _Commands = argparse._SubParsersAction[argparse.ArgumentParser]

ANY_STATE = tuple(state.value for state in State)
RAILS = ("normal", "instant", "urgent")
CHARGE_BEARERS = ("slev", "shar", "debt", "cred")
DECISIONS = {
    "held": "HELD_BY_BANK",
    "settled": "SETTLED",
    "rejected": "REJECTED",
    "not-held": "NOT_HELD",
    "abandoned": "ABANDONED",
}
"""What `doubt resolve --as` takes → the API's name."""

EPILOG = """\
first steps:
  causeway demo                       a daemon and two simulated banks on this machine, with payments to look at
  causeway pay --help                 hand one payment in, or a whole file
  causeway watch --from now           what happens, as it happens
"""


def build_parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """The whole command line. `arguments` decides only whether the simulated bank's own options are loaded."""
    parser = argparse.ArgumentParser(
        prog="causeway",
        description="Bank-direct payments: at most one send per key unless evidence clears a resend, "
        "every doubt visible.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _serve(commands)
    _demo(commands)
    _pay(commands)
    _get(commands)
    _list(commands)
    _cancel(commands)
    _release(commands)
    _watch(commands)
    _banks(commands)
    _doubt(commands)
    _states(commands)
    _check_config(commands)
    _verify(commands)
    _backup(commands)
    _restore(commands)
    _quarantine(commands)
    for name, (module, summary) in _OF_LOADTEST.items():
        _of_loadtest(commands, arguments, name, module, summary)
    return parser


class _Version(argparse.Action):
    """Asks the installed package only when it is wanted: its metadata takes longer to find than `--help` to print."""

    def __call__(self, parser: argparse.ArgumentParser, *_unused: object) -> None:
        from importlib.metadata import version

        parser.exit(message=f"causeway {version('causeway')}\n")


def _serve(commands: _Commands) -> None:
    parser = commands.add_parser(
        "serve",
        help="run the daemon",
        description="Run the daemon until it is told to stop (SIGTERM, SIGINT).",
        epilog="exit codes: 0 stopped as asked, 1 the store or the daemon failed, 2 bad configuration, "
        "3 data directory or port in use",
    )
    parser.add_argument("--config", metavar="FILE", required=True, help="its configuration (conf/causeway.toml)")
    parser.add_argument("--failpoints", metavar="FILE", help=argparse.SUPPRESS)  # gateway.failpoints: for tests only


def _demo(commands: _Commands) -> None:
    parser = commands.add_parser(
        "demo",
        help="daemon, two simulated banks and 20 payments on this machine",
        description="Make a development CA, start two simulated banks and the daemon on loopback, pay 20 "
        "instructions, show each life until it is settled, and go on serving until Ctrl-C.",
    )
    parser.add_argument("--folder", metavar="DIR", default="build/demo", help="working folder (default: build/demo)")
    parser.add_argument("--keep", action="store_true", help="keep the folder of the last demo and go on from it")
    parser.add_argument("--once", action="store_true", help="end after the check against the banks' ledgers")


def _pay(commands: _Commands) -> None:
    parser = commands.add_parser(
        "pay",
        help="hand in one payment, or a file of them",
        description="Hand in one payment by flags, or a file: CSV, JSON array or JSON lines, every line with a "
        "`key`. The same key never pays twice: when in doubt, give the same command with the same key again.",
        epilog="exit codes: 0 all admitted, 1 some refused, 2 usage, 3 daemon not reached",
    )
    parser.add_argument(
        "file", nargs="?", metavar="FILE", help="instructions (.csv, .json, .jsonl); - = JSON lines on stdin"
    )
    one = parser.add_argument_group("one payment")
    one.add_argument("--key", help="idempotency key; made and printed when absent")
    one.add_argument("--amount", metavar="'100.00 EUR'", help="amount and currency")
    one.add_argument("--debtor", metavar="IBAN", help="account that pays")
    one.add_argument("--debtor-name", metavar="NAME", help="default: the name in the bank's profile")
    one.add_argument("--creditor-name", metavar="NAME", help="who is paid")
    one.add_argument("--creditor", metavar="IBAN", help="account that is paid")
    one.add_argument("--bic", metavar="BIC", help="the creditor's bank, where it is needed")
    text = one.add_mutually_exclusive_group()
    text.add_argument("--remittance", metavar="TEXT", help="text for the creditor, up to 140 characters")
    text.add_argument("--reference", metavar="RF...", help="ISO 11649 creditor reference instead of a text")
    one.add_argument("--end-to-end-id", metavar="ID", help="travels to the creditor; made when absent")
    one.add_argument("--purpose", metavar="CODE", help="ISO 20022 purpose, e.g. SALA")
    one.add_argument("--date", metavar="YYYY-MM-DD", help="requested execution date; default: at once")
    one.add_argument("--charge-bearer", choices=CHARGE_BEARERS, help="default: SLEV within SEPA, SHAR elsewhere")
    one.add_argument("--rail", choices=RAILS, help="a wish; the bank's profile says what it offers")
    one.add_argument("--bank", metavar="NAME", help="default: the bank that keeps the debtor's account")
    for part in ("street", "building", "postal-code", "town", "country"):
        one.add_argument(f"--{part}", metavar="TEXT", help=f"the creditor's address: {part.replace('-', ' ')}")
    one.add_argument("--label", metavar="K=V", action="append", default=[], help="free label; may be repeated")
    parser.add_argument(
        "--traceparent", help="W3C trace context to go on from (default: $TRACEPARENT, else a new trace)"
    )
    _door(parser)


def _get(commands: _Commands) -> None:
    parser = commands.add_parser("get", help="one payment, whole")
    parser.add_argument("id", nargs="?", help="payment id")
    parser.add_argument("--key", help="by idempotency key")
    parser.add_argument("--end-to-end-id", metavar="ID", help="by EndToEndId")
    parser.add_argument("--history", action="store_true", help="also everything that happened to it")
    _door(parser)


def _list(commands: _Commands) -> None:
    parser = commands.add_parser("list", help="payments, oldest first")
    parser.add_argument("--state", action="append", type=str.upper, choices=ANY_STATE, default=[], metavar="STATE",
                        help="only payments in this state; may be repeated")  # fmt: skip
    parser.add_argument("--bank", metavar="NAME", help="only payments of this bank")
    parser.add_argument("--end-to-end-id", metavar="ID")
    parser.add_argument("--from", dest="since", metavar="TIME", help="received at or after (ISO 8601)")
    parser.add_argument("--before", metavar="TIME", help="received before (ISO 8601)")
    parser.add_argument(
        "--label", metavar="K=V", action="append", default=[], help="carries this label; may be repeated"
    )
    parser.add_argument("--limit", type=int, default=100, metavar="N", help="at most so many (default: 100)")
    _door(parser)


def _cancel(commands: _Commands) -> None:
    parser = commands.add_parser("cancel", help="take a payment back before it is sent")
    parser.add_argument("id", help="payment id")
    _door(parser)


def _release(commands: _Commands) -> None:
    parser = commands.add_parser("release", help="let a payment go on that the daemon held for a defect of its own",
                                 description="Release a hold that the daemon placed because its own adapter failed on "
                                 "the payment, when that has been mended: the payment is sent. Needs the role `holds`; "
                                 "never for a payment that you made.")  # fmt: skip
    parser.add_argument("id", help="payment id")
    parser.add_argument("--hold", default=HOLD_DEFECT, help="(default: %(default)s)")
    parser.add_argument("--note", required=True, help="what was wrong and how it was mended; kept in the log for good")
    _door(parser)


def _watch(commands: _Commands) -> None:
    parser = commands.add_parser("watch", help="what happens to payments, as it happens",
                                 description="Print every fact from a position on. Resumes by itself after a lost "
                                 "connection, without a gap.")  # fmt: skip
    parser.add_argument(
        "--from", dest="position", metavar="POSITION", help="a position, or `now` (default: the first fact)"
    )
    parser.add_argument(
        "--payment", action="append", default=[], metavar="ID", help="only this payment; may be repeated"
    )
    parser.add_argument("--state", action="append", type=str.upper, choices=ANY_STATE, default=[], metavar="STATE",
                        help="only facts that led to this state; may be repeated")  # fmt: skip
    parser.add_argument("--bank", metavar="NAME", help="only facts of this bank")
    parser.add_argument("--until-settled", nargs="+", metavar="ID", default=[],
                        help="end when these payments have ended; exit code 0 if all are settled")  # fmt: skip
    _door(parser)


def _banks(commands: _Commands) -> None:
    parser = commands.add_parser("banks", help="how the banks are doing")
    parser.add_argument("name", nargs="?", help="one bank only")
    _door(parser)


def _doubt(commands: _Commands) -> None:
    parser = commands.add_parser(
        "doubt",
        help="payments in doubt, and how two people end one",
        description="Payments of which nobody knows whether the bank has them. Two people end such a doubt: one "
        "proposes, another confirms with the same words. Both need the role `doubts`. See docs/doubts.md.",
    )
    acts = parser.add_subparsers(dest="act", metavar="ACT", required=True)
    listed = acts.add_parser("list", help="payments in doubt, oldest first")
    listed.add_argument("--bank", metavar="NAME", help="only payments of this bank")
    listed.add_argument("--limit", type=int, default=100, metavar="N", help="at most so many (default: 100)")
    shown = acts.add_parser("show", help="one payment, its history, and the evidence kept")
    shown.add_argument("id", help="payment id")
    resolved = acts.add_parser(
        "resolve",
        help="propose what became of it, or confirm what somebody else proposed",
        description="Confirms where an open proposal of somebody else says the same, proposes otherwise, and says "
        "which of both it did. NOT-HELD SENDS THE PAYMENT AGAIN once it is confirmed.",
    )
    resolved.add_argument("id", help="payment id")
    resolved.add_argument(
        "--as", dest="decision", choices=tuple(DECISIONS), required=True,
        help="held: the bank has it · settled: it was paid · rejected: the bank will not pay it · not-held: the bank "
        "does not have it, SEND IT AGAIN · abandoned: give it up, never send it")  # fmt: skip
    resolved.add_argument("--note", required=True, metavar="TEXT", help="where you looked and what you saw")
    for act in (listed, shown, resolved):
        _door(act)


def _states(commands: _Commands) -> None:
    parser = commands.add_parser("states", help="what a payment's states are and what may follow what")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--markdown", action="store_true", help="as in README.md")
    how.add_argument("--json", action="store_true", help="for machines")


def _check_config(commands: _Commands) -> None:
    parser = commands.add_parser("check-config", help="read a configuration and say what is wrong with it")
    parser.add_argument("file", help="configuration (causeway.toml)")


def _verify(commands: _Commands) -> None:
    parser = commands.add_parser("verify", help="check a data directory and its hash chain, offline")
    parser.add_argument("data_dir", help="the daemon's data directory; the daemon may be running")
    parser.add_argument("--json", action="store_true", help="for machines")


def _backup(commands: _Commands) -> None:
    parser = commands.add_parser(
        "backup",
        help="copy a data directory, also while its daemon runs",
        description="Copy the store, verify the copy, and give it its name last. Consistent at full load: all that was "
        "acknowledged before it began is in it.",
    )
    parser.add_argument("data_dir", help="the daemon's data directory")
    parser.add_argument("destination", help="a new folder, on another disk")
    parser.add_argument("--json", action="store_true", help="for machines")


def _restore(commands: _Commands) -> None:
    parser = commands.add_parser(
        "restore",
        help="make a new data directory from a backup, in quarantine",
        description="Verify a backup and make a data directory of it. Whatever may have been sent since is then in "
        "doubt, and nothing is admitted or sent until `causeway quarantine end`.",
    )
    parser.add_argument("backup", help="a folder made by `causeway backup`")
    parser.add_argument("data_dir", help="a new or empty directory")
    parser.add_argument("--json", action="store_true", help="for machines")


def _quarantine(commands: _Commands) -> None:
    parser = commands.add_parser("quarantine", help="what a restored store waits for, and its end")
    acts = parser.add_subparsers(dest="act", metavar="ACT", required=True)
    _door(acts.add_parser("show", help="what is in doubt, and what the banks know and we do not"))
    end = acts.add_parser("end", help="let payments be admitted and sent again")
    end.add_argument("--note", required=True, help="what was reconciled, and how; kept with the log")
    _door(end)


_OF_LOADTEST = {
    "bank-sim": ("loadtest.bank.command", "a simulated bank with its own ledger"),
    "load": ("loadtest.command", "measure: run a load scenario, compare results"),
}


def _of_loadtest(commands: _Commands, arguments: Sequence[str], name: str, module: str, summary: str) -> None:
    """These bring their own options; their modules are imported only when they are what was asked for."""
    if list(arguments[:1]) != [name]:
        commands.add_parser(name, help=summary, add_help=False)
        return
    try:
        found = import_module(module)
    except ModuleNotFoundError as missing:
        asked = commands.add_parser(name, help=summary, add_help=False)
        asked.error(f"{missing.name} is not installed; in a checkout `make load` installs what is needed to measure")
    found.add_parser(commands)


def _door(parser: argparse.ArgumentParser) -> None:
    """Where the daemon is, who we are, and how the answer looks."""
    door = parser.add_argument_group("the daemon (a flag counts more than the profile)")
    door.add_argument("--profile", metavar="FILE", help="TOML with address, ca, cert, key (default: $CAUSEWAY_PROFILE)")
    door.add_argument("--address", metavar="HOST:PORT")
    door.add_argument("--ca", metavar="FILE", help="certificates that vouch for the daemon (PEM)")
    door.add_argument("--cert", metavar="FILE", help="our certificate (PEM)")
    door.add_argument("--private-key", metavar="FILE", help="our private key (PEM)")
    door.add_argument("--timeout", type=_seconds, default=20.0, metavar="S", help="seconds for one call (default: 20)")
    parser.add_argument(
        "--json", action="store_true", help="for machines: JSON with protobuf's names, a document per line"
    )


def _seconds(text: str) -> float:
    """A time to wait: finite and above zero. Raises ValueError, which argparse tells in its own words."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError(text)
    return value


_seconds.__name__ = "number of seconds"  # argparse names the type so
