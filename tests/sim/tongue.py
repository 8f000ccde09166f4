"""How the simulated banks write what they say: in the fakes' plain lines, or in real pain.001 and pain.002."""

import re
from dataclasses import dataclass, field
from typing import Final, Protocol
from urllib.parse import parse_qs, urlsplit

from adapters.registry import build
from gateway.core.ports import Adapter, Declaration, Submission, WireAnswer, WireRequest
from loadtest.bank import pain001, pain002
from loadtest.bank.pain001 import Initiation, Transfer
from loadtest.bank.pain002 import TransferStatus
from tests.fakes.bank import FakeAdapter

UNREADABLE = "?"
"""Stands in a mailbox for a document nobody can read."""
TRIPS: Final = "trips the adapter"
"""A remittance that meets a defect of the plain adapter."""


@dataclass(frozen=True, slots=True)
class Said:
    """The bank's word for one reference, such as ("TAKEN", "ACCP")."""

    reference: str
    word: str
    status: str = ""
    reason: str = ""
    message: str = ""
    """The message it names; "" = none, or in real pain.002 the one that asked last."""


class Tongue(Protocol):
    """One bank's way to put things."""

    adapter: Adapter
    denies: bool
    """Whether "not found", "not processed" and "returned" can be said of one payment beside other words."""

    def references(self, request: WireRequest) -> list[str]:
        """What a submission asks to pay, by wire reference."""
        ...

    def answer(self, request: WireRequest, said: list[Said]) -> WireAnswer: ...
    def throttled(self, request: WireRequest) -> WireAnswer: ...
    def status(self, reference: str, said: list[Said]) -> WireAnswer: ...
    def mailbox(self, start: int, letters: list[Said]) -> WireAnswer:
        """The letters from number `start` on; a reference UNREADABLE is garbage."""
        ...


class TrippingAdapter(FakeAdapter):
    """Has a defect that one kind of remittance meets."""

    def compose(self, submission: Submission) -> WireRequest:
        if any(payment.instruction.remittance == TRIPS for payment in submission.payments):
            raise ZeroDivisionError("a defect")
        return super().compose(submission)


class Plain:
    """The fakes' lines: `reference WORD status reason message`."""

    denies = True

    def __init__(self, declaration: Declaration) -> None:
        self.adapter: Adapter = TrippingAdapter(declaration)

    def references(self, request: WireRequest) -> list[str]:
        return request.body.decode().split()

    def answer(self, request: WireRequest, said: list[Said]) -> WireAnswer:
        return WireAnswer(200, (), "\n".join(map(_line, said)).encode())

    def throttled(self, request: WireRequest) -> WireAnswer:
        return self.answer(request, [Said(one, "NOT_PROCESSED") for one in self.references(request)])

    def status(self, reference: str, said: list[Said]) -> WireAnswer:
        return WireAnswer(200, (), "\n".join(map(_line, said)).encode()) if said else WireAnswer(404, (), b"unknown")

    def mailbox(self, start: int, letters: list[Said]) -> WireAnswer:
        return WireAnswer(200, (), "\n".join([str(start + len(letters)), *map(_line, letters)]).encode())


def _line(said: Said) -> str:
    return f"{said.reference} {said.word} {said.status} {said.reason} {said.message}".strip()


SETTINGS = {"initiating_party_name": "Example Trading AG", "company_name": "Example Trading AG"}
_MESSAGE_ID = re.compile(rb"<MsgId>[0-9a-f]{32}</MsgId>")


@dataclass(slots=True)
class Iso20022:
    """pain.001 in, pain.002 out, through the real adapter. What it cannot say (a return) it leaves unsaid."""

    settings: dict[str, object]
    denies: bool = False
    adapter: Adapter = field(init=False)
    known: dict[str, tuple[Initiation, Transfer]] = field(default_factory=dict)
    """Reference → where it was asked for last."""

    def __post_init__(self) -> None:
        self.adapter = build("iso20022", {**SETTINGS, **self.settings})

    def references(self, request: WireRequest) -> list[str]:
        initiation = pain001.read(request.body)
        self.known.update({one.reference: (initiation, one) for one in initiation.transfers})
        return [one.reference for one in initiation.transfers]

    def answer(self, request: WireRequest, said: list[Said]) -> WireAnswer:
        return WireAnswer(200, (), self._report(said))

    def throttled(self, request: WireRequest) -> WireAnswer:
        return WireAnswer(429, (("retry-after", "7"),), b"")

    def status(self, reference: str, said: list[Said]) -> WireAnswer:
        return WireAnswer(200, (), self._report(said)) if said else WireAnswer(404)

    def mailbox(self, start: int, letters: list[Said]) -> WireAnswer:
        bodies = [b"<Document/>" if one.reference == UNREADABLE else self._report([one]) for one in letters]
        head = f'<reports next="{start + len(letters)}">'.encode()
        return WireAnswer(200, (), head + b"".join(bodies) + b"</reports>")

    def _report(self, said: list[Said]) -> bytes:
        named = [one for one in said if one.reference in self.known]
        message_id, name = "SOMEBODYELSE", "pain.001.001.09"
        if named:
            initiation = self.known[named[0].reference][0]
            message_id, name = initiation.message_id, initiation.name
        statuses = [_status(self.known[one.reference][1], one) for one in named]
        whole = pain002.report(message_id, name, 0.0, statuses)
        return _MESSAGE_ID.sub(b"<MsgId>REPORT</MsgId>", whole)  # the writer draws it from the system's entropy


def _status(transfer: Transfer, said: Said) -> TransferStatus:
    return TransferStatus(
        transfer.payment_information_id,
        transfer.instruction_id,
        transfer.end_to_end_id,
        transfer.uetr,
        "ACCP" if said.status == "ACSP" else said.status,  # type: ignore[arg-type]
        said.reason or None,
    )


def operation(request: WireRequest) -> tuple[str, str]:
    """("pay", ""), ("status", reference) or ("reports", position): the same in both tongues."""
    target = urlsplit(request.path)
    if request.method == "POST":
        return "pay", ""
    if "/status/" in target.path:
        return "status", target.path.rpartition("/")[2]
    position = target.path.rpartition("/reports/")[2] if "/reports/" in target.path else ""
    return "reports", position or parse_qs(target.query).get("after", ["0"])[0]
