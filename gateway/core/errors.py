"""The errors that cross rooms. Each says what is known, never more."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.core.reasons import Reason, may_retry


class NotSent(Exception):
    """Proof that the bank processed nothing of this exchange: it may be sent again (law 4)."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        if not may_retry(reason):
            raise ValueError(f"{reason.value} is no proof that nothing was sent")
        super().__init__(f"{reason.value}: {detail}" if detail else reason.value)
        self.reason = reason
        self.detail = detail


class MaybeSent(Exception):
    """The exchange ended and nobody can know whether the bank has it: only evidence leads on (law 5)."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason.value}: {detail}" if detail else reason.value)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule. `field` is the API's field path (`instruction.amount.currency_code`)."""

    field: str
    reason: str
    """A SCREAMING_SNAKE name from intake's rule table."""
    description: str
    """What is wrong and what is allowed; never the value itself when it may be account data or a name."""


class Unreadable(Exception):
    """A bank's answer that its adapter cannot read. The payment is in doubt; the bytes are kept."""


class InvalidInstruction(Exception):
    """Every rule an instruction broke, at once."""

    def __init__(self, violations: Sequence[Violation]) -> None:
        super().__init__(f"{len(violations)} violations")
        self.violations = tuple(violations)


class BankUnknown(Exception):
    """No such bank, or none could be chosen. The text says which banks there are."""


class KeyReused(Exception):
    """The idempotency key belongs to another instruction of the same tenant."""

    def __init__(self, payment_id: bytes) -> None:
        super().__init__("idempotency key reused with other content")
        self.payment_id = payment_id


class NotFound(Exception):
    """No such payment for this tenant."""


class Ambiguous(Exception):
    """The question fits several payments. The text says how to ask for one."""


class Overloaded(Exception):
    """Shed before any work: try again after `retry_after_s`."""

    def __init__(self, what: str, retry_after_s: float) -> None:
        super().__init__(f"{what} is full")
        self.what = what
        self.retry_after_s = retry_after_s


class Quarantined(Exception):
    """The store was restored from a backup: until an operator ends the quarantine nothing is admitted or sent."""


class StoreFailed(Exception):
    """The store cannot say whether the batch is durable: the daemon latches and exits (section 7)."""
