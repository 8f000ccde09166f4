"""What goes wrong on the command line: one exception, said in words and with what to do next."""

import json
import sys
from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any


class Exit(IntEnum):
    """Exit codes of every command. Scripts may rely on them."""

    DONE = 0
    REFUSED = 1
    """The daemon (or the bank) said no to at least one thing that was asked."""
    USAGE = 2
    """The command line or a file it names is wrong; nothing was sent."""
    UNREACHABLE = 3
    """No answer from the daemon. The same command may be given again: the same key never pays twice."""
    INTERRUPTED = 130


class Complaint(Exception):
    """Ends a command with a message for people and, under --json, a document for machines.

    `text` says what is wrong, `advice` (lines) what to do next, `facts` what machines want to know beside both.
    """

    def __init__(
        self,
        text: str,
        *,
        advice: Sequence[str] = (),
        exit: Exit = Exit.USAGE,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(text)
        self.text = text
        self.advice = tuple(advice)
        self.exit = exit
        self.facts = dict(facts or {})

    def tell(self, *, as_json: bool) -> None:
        """Write it to standard error: standard output belongs to results."""
        if as_json:
            document = {"error": {"message": self.text, "advice": list(self.advice), **self.facts}}
            print(json.dumps(document, ensure_ascii=False), file=sys.stderr)
            return
        print(f"causeway: {self.text}", file=sys.stderr)
        for line in self.advice:
            print(f"  → {line}", file=sys.stderr)
