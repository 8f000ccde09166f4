"""The command line `causeway`. Imports nothing but argparse until it knows which command runs."""

import os
import sys
from collections.abc import Sequence
from importlib import import_module

from gateway.cli.arguments import build_parser
from gateway.cli.complaint import Complaint, Exit

COMMANDS: dict[str, tuple[str, str]] = {
    "serve": ("gateway.cli.house", "serve"),
    "demo": ("gateway.demo.command", "run"),
    "pay": ("gateway.cli.pay", "run"),
    "get": ("gateway.cli.lookup", "get"),
    "list": ("gateway.cli.lookup", "list_payments"),
    "cancel": ("gateway.cli.lookup", "cancel"),
    "watch": ("gateway.cli.watch", "run"),
    "banks": ("gateway.cli.lookup", "banks"),
    "doubt": ("gateway.cli.doubts", "run"),
    "states": ("gateway.cli.states", "run"),
    "check-config": ("gateway.cli.house", "check_config"),
    "verify": ("gateway.cli.house", "verify"),
    "backup": ("gateway.cli.backup", "run_backup"),
    "restore": ("gateway.cli.backup", "run_restore"),
    "quarantine": ("gateway.cli.quarantine", "run"),
    "bank-sim": ("loadtest.bank.command", "run"),
    "load": ("loadtest.command", "run"),
}
"""Command → the module and function that run it: called with the parsed arguments, returns the exit code."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Returns its exit code (gateway.cli.complaint.Exit); argparse exits with 2 by itself."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    chosen = build_parser(arguments).parse_args(arguments)
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # what goes wrong is told once, in our words
    module, function = COMMANDS[chosen.command]
    try:
        return int(getattr(import_module(module), function)(chosen))
    except Complaint as complaint:
        complaint.tell(as_json=getattr(chosen, "json", False))
        return complaint.exit
    except BrokenPipeError:
        # `causeway list | head`: the reader has seen enough. What is buffered goes nowhere, without a complaint.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.DONE
    except KeyboardInterrupt:
        return Exit.INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
