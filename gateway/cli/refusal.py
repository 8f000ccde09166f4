"""What a daemon answers when it says no, taken apart: google.rpc.Status and its details in words for people."""

from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf import json_format
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from gateway.cli.complaint import Complaint, Exit

ADVICE: dict[str, str] = {
    "INSTRUCTION_INVALID": "correct the fields named above; nothing was kept, so the same key may be used again",
    "IDEMPOTENCY_KEY_REUSED": "this key already belongs to another instruction: `causeway get --key KEY` shows it; "
    "a new payment needs a new key",
    "BANK_UNKNOWN": "`causeway banks` lists the banks; --bank NAME chooses one",
    "PAYMENT_NOT_FOUND": "`causeway list` shows the payments of your tenant",
    "AMBIGUOUS_END_TO_END_ID": "several payments carry it: `causeway list --end-to-end-id ID` shows them",
    "TOO_LATE_TO_CANCEL": "its bytes may have left: only the bank can cancel; see `causeway get ID --history`",
    "OVERLOADED": "the daemon sheds load: give the same command with the same key again in a moment",
    "STORE_FAILED": "it cannot promise durability and goes down: see its log, then give the same command again",
    "NO_CERTIFICATE": "show a client certificate: --cert FILE --private-key FILE",
    "PRINCIPAL_UNKNOWN": "the daemon's configuration lists the principals it knows: this certificate is none of them",
    "QUARANTINED": "the store is older than what the banks know: ask its operators what became of your payments first",
    "QUARANTINE_UNDECIDED": "`causeway quarantine show` lists what is left to decide",
    "BANK_NOT_FOUND": "`causeway banks` lists the banks",
    "ROLE_REQUIRED": "whoever runs the daemon gives roles: `roles` of the principal in its causeway.toml",
    "NOT_IN_DOUBT": "`causeway get ID --history` shows what became of it",
    "NO_PROPOSAL": "`causeway doubt resolve ID --as … --note …` proposes; another person then confirms",
    "PROPOSAL_VOID": "look again: `causeway doubt show ID`",
    "HOLD_NOT_RELEASABLE": "`causeway cancel ID` takes the payment back; its client may order a new one",
    "HOLD_NOT_OPEN": "`causeway get ID --history` shows what holds it, or what became of it",
    "OWN_PAYMENT": "ask somebody else with the role `holds`",
    "OWN_PROPOSAL": "ask somebody else with the role `doubts` to look and to confirm",
}
"""Name in the catalogue (causeway/v1/error_reason.proto, without its prefix) → what to do next."""


@dataclass(frozen=True)
class Refusal:
    """One `no`. `code` is the gRPC code's name, `reason` the catalogue's name or empty."""

    code: str
    message: str
    reason: str = ""
    violations: tuple[tuple[str, str], ...] = ()
    """(field path, what is wrong and what is allowed)."""
    retry_after_s: float | None = None
    metadata: dict[str, str] = field(default_factory=dict)

    @property
    def unreachable(self) -> bool:
        """Whether nobody answered, as against somebody who said no."""
        return self.code in ("UNAVAILABLE", "DEADLINE_EXCEEDED") and not self.reason

    @property
    def shed(self) -> bool:
        """Whether it was turned away for now, and is welcome after a pause."""
        return self.code == "RESOURCE_EXHAUSTED" and self.retry_after_s is not None

    def lines(self) -> list[str]:
        """For people: the violations, or the message where there are none."""
        if not self.violations:
            return [self.message or self.code]
        return [f"{path}: {text}" for path, text in self.violations]

    def document(self) -> dict[str, Any]:
        """For machines; the keys are stable."""
        return {
            "code": self.code,
            "reason": self.reason,
            "message": self.message,
            "violations": [{"field": path, "description": text} for path, text in self.violations],
            "retryAfterSeconds": self.retry_after_s,
            "metadata": self.metadata,
        }

    def complaint(self, address: str) -> Complaint:
        """The end of a command that got this answer from the daemon at `address`."""
        if self.unreachable:
            return Complaint(
                f"the daemon at {address} gave no answer ({self.code.lower().replace('_', ' ')})",
                advice=_why_unreachable(self.message),
                exit=Exit.UNREACHABLE,
                facts=self.document(),
            )
        said = f"fields to correct: {len(self.violations)}" if self.violations else self.message
        advice = [f"{path}: {text}" for path, text in self.violations]
        advice += [f"{key} = {value}" for key, value in sorted(self.metadata.items())]
        if self.reason in ADVICE:
            advice.append(ADVICE[self.reason])
        if self.retry_after_s is not None:
            advice.append(f"the daemon asks to wait {self.retry_after_s:g} s")
        return Complaint(f"{self.reason or self.code}: {said}", advice=advice, exit=Exit.REFUSED, facts=self.document())


def from_call(error: grpc.RpcError) -> Refusal:
    """The refusal a call ended with. Without (readable) details its code and message remain."""
    assert isinstance(error, grpc.Call)
    try:
        status = rpc_status.from_call(error)
    except ValueError:
        # The trailers carry details that contradict the call's own status: the call's own is what counts.
        status = None
    if status is not None:
        return from_status(status)
    return Refusal(error.code().name, error.details() or "")


def from_status(status: status_pb2.Status) -> Refusal:
    """The refusal in a google.rpc.Status, as in the answer to one instruction of a stream."""
    code = code_pb2.Code.Name(status.code) if status.code in code_pb2.Code.values() else f"code {status.code}"
    info, bad, retry = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
    for detail in status.details:
        for message in (info, bad, retry):
            detail.Unpack(message)  # fills the one of its type and leaves the others alone
    return Refusal(
        code,
        status.message,
        info.reason.removeprefix("ERROR_REASON_"),
        tuple((v.field, v.description) for v in bad.field_violations),
        retry.retry_delay.ToTimedelta().total_seconds() if retry.HasField("retry_delay") else None,
        dict(info.metadata),
    )


def _why_unreachable(message: str) -> list[str]:
    """grpcio's own words, and what they usually mean."""
    text = message.lower()
    if "resolving" in text:
        why = "no machine of this name is known: write the address as HOST:PORT"
    elif any(sign in text for sign in ("alert", "socket closed", "connection reset", "eof")):
        why = "it closed the connection: is our certificate (--cert) from the CA it trusts, and still valid?"
    elif any(sign in text for sign in ("handshake", "certificate", "hostname", "peer name", "ssl")):
        why = "we do not trust it: --ca does not vouch for its certificate, or that carries another name (server_name)"
    elif "refused" in text:
        why = "nobody listens there: is the daemon running (`causeway serve --config FILE`), is the port right?"
    else:
        why = "is the daemon running, and can this machine reach it?"
    return [message or "no details", why, "giving the same command with the same key again is safe"]


def to_document(message: Any) -> dict[str, Any]:
    """A protobuf message in protobuf's JSON names, every field present, so that scripts find the same keys always."""
    found: dict[str, Any] = json_format.MessageToDict(message, always_print_fields_with_no_presence=True)
    return found
