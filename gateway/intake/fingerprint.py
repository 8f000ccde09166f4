"""What an instruction says, as bytes that are the same for the same content and differ for any other.

What can go wrong: two different instructions with one encoding would make the second a silent replay of the first
(never paid); one instruction with two encodings would turn a client's honest retry into an error. So every part is
preceded by its length, every part always stands, and only what the client sent counts: what intake or the house adds
later (an end-to-end id, the chosen bank, the charge bearer) depends on configuration and must not change it.
"""

import hashlib
from collections.abc import Sequence
from decimal import Context, Decimal

from gateway.core.errors import Violation
from gateway.core.payment import Instruction
from gateway.intake.draft import Draft

_VERSION = "causeway instruction 1"
"""Goes into every fingerprint. A new version makes strangers of all stored keys: read law 2 first."""


_EXACT = Context(prec=64, traps=[])
"""More digits than google.type.Money can carry (28): nothing is rounded, nothing is raised."""


def content(told: Instruction, parties: Sequence[str], draft: Draft) -> bytes:
    """The canonical encoding of what a client sent: `told` is the draft's instruction, normalized, `parties` are the
    parts of its debtor and then its creditor. The idempotency key is not part of it: it names the content."""
    labels = [text for pair in told.labels for text in pair]
    parts = [
        _VERSION,
        told.end_to_end_id,
        told.amount.currency,
        _plain(told.amount.value),
        *parties,
        told.bank,
        told.requested_execution_date.isoformat() if told.requested_execution_date else "",
        told.purpose,
        told.remittance,
        told.creditor_reference,
        "" if draft.charge_bearer_open else told.charge_bearer.value,
        told.rail.value,
        *labels,
        *_broken(draft.broken),
    ]
    # Lengths first: the number of labels is then known from the number of parts, so no two lists of parts meet.
    lengths = ",".join(map(str, map(len, parts)))
    return f"{len(labels)};{lengths};{''.join(parts)}".encode("utf-8", "surrogatepass")


def fingerprint(content: bytes) -> bytes:
    """SHA-256, 32 bytes."""
    return hashlib.sha256(content).digest()


def _plain(value: Decimal) -> str:
    """1 and 1.00 are the same amount, also when the currency is one we no longer know."""
    return str(value.normalize(_EXACT))


def _broken(violations: tuple[Violation, ...]) -> list[str]:
    """What could not be translated was left empty; it must not read as if it had been absent."""
    return [text for violation in violations for text in (violation.field, violation.reason)]
