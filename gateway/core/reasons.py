"""Why something happened: the closed list behind facts, error details and metrics. Values are stable."""

from enum import StrEnum
from typing import assert_never


class Reason(StrEnum):
    """In order of the journey. Each is named after what was true, not after what we did about it."""

    # The attempt never reached the bank's processing (law 4: may be sent again).
    CONNECT_FAILED = "CONNECT_FAILED"
    TLS_FAILED = "TLS_FAILED"
    CERTIFICATE_REFUSED = "CERTIFICATE_REFUSED"
    PROTOCOL_NOT_OFFERED = "PROTOCOL_NOT_OFFERED"
    STREAM_REFUSED = "STREAM_REFUSED"
    GOAWAY_ABOVE_LAST = "GOAWAY_ABOVE_LAST"
    NEVER_WRITTEN = "NEVER_WRITTEN"
    BANK_THROTTLED = "BANK_THROTTLED"
    # Nobody can know whether the bank has it (law 5: evidence only).
    REPLY_LOST = "REPLY_LOST"
    REPLY_TIMEOUT = "REPLY_TIMEOUT"
    REPLY_TRUNCATED = "REPLY_TRUNCATED"
    REPLY_UNREADABLE = "REPLY_UNREADABLE"
    REPLY_INCOMPLETE = "REPLY_INCOMPLETE"
    STREAM_RESET = "STREAM_RESET"
    BANK_ERROR = "BANK_ERROR"
    RESTARTED_WHILE_SENDING = "RESTARTED_WHILE_SENDING"
    BANK_CONTRADICTS = "BANK_CONTRADICTS"
    RESTORED_FROM_BACKUP = "RESTORED_FROM_BACKUP"
    # What the bank, the client or we decided.
    BANK_ANSWERED = "BANK_ANSWERED"
    BANK_DOES_NOT_HOLD = "BANK_DOES_NOT_HOLD"
    NOTHING_LEARNT = "NOTHING_LEARNT"
    DECIDED_BY_TWO = "DECIDED_BY_TWO"
    CLIENT_ASKED = "CLIENT_ASKED"
    COMPOSE_FAILED = "COMPOSE_FAILED"
    RELEASED = "RELEASED"


def may_retry(reason: Reason) -> bool:
    """Whether an attempt that ended for this reason may be sent again without evidence from the bank."""
    match reason:
        case (
            Reason.CONNECT_FAILED
            | Reason.TLS_FAILED
            | Reason.CERTIFICATE_REFUSED
            | Reason.PROTOCOL_NOT_OFFERED
            | Reason.STREAM_REFUSED
            | Reason.GOAWAY_ABOVE_LAST
            | Reason.NEVER_WRITTEN
            | Reason.BANK_THROTTLED
        ):
            return True
        case (
            Reason.REPLY_LOST
            | Reason.REPLY_TIMEOUT
            | Reason.REPLY_TRUNCATED
            | Reason.REPLY_UNREADABLE
            | Reason.REPLY_INCOMPLETE
            | Reason.STREAM_RESET
            | Reason.BANK_ERROR
            | Reason.RESTARTED_WHILE_SENDING
            | Reason.BANK_CONTRADICTS
            | Reason.RESTORED_FROM_BACKUP
            | Reason.BANK_ANSWERED
            | Reason.BANK_DOES_NOT_HOLD
            | Reason.NOTHING_LEARNT
            | Reason.DECIDED_BY_TWO
            | Reason.CLIENT_ASKED
            | Reason.COMPOSE_FAILED
            | Reason.RELEASED
        ):
            return False
        case _:
            assert_never(reason)
