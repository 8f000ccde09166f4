"""What an instruction says, as bytes that are the same for the same content and differ for any other.

What can go wrong: two different instructions with one encoding would make the second a silent replay of the first
(never paid); one instruction with two encodings would turn a client's honest retry into an error. So every part is
preceded by its length, every part always stands, and only what the client sent counts: what intake or the house adds
later (an end-to-end id, the chosen bank, the charge bearer) depends on configuration and must not change it.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Context, Decimal

from gateway.core.errors import Violation
from gateway.core.payment import Instruction

_VERSION = "causeway instruction 1"
"""Goes into every fingerprint. A new version makes strangers of all stored keys: read law 2 first."""


_EXACT = Context(prec=64, traps=[])
"""More digits than google.type.Money can carry (28): nothing is rounded, nothing is raised."""


@dataclass(frozen=True, slots=True)
class Said:
    """Neighbouring parts of a content, joined: made once for what recurs."""

    lengths: str
    texts: str

    @classmethod
    def of(cls, parts: Sequence[str]) -> "Said":
        """`parts` has one at least, which may be empty."""
        return cls(",".join(map(str, map(len, parts))), "".join(parts))


def content(
    told: Instruction, parties: tuple[Said, Said], what: Said, how: Said, broken: Sequence[Violation] = ()
) -> bytes:
    """The canonical encoding of what a client sent, in this order: end-to-end id, currency, amount, debtor, creditor;
    `what` is bank, date and purpose; remittance, creditor reference; `how` is charge bearer and rail; labels; `broken`.
    `told` is normalized. The idempotency key is not part of it: it names the content."""
    amount = _plain(told.amount.value)
    debtor, creditor = parties
    # Lengths first: the number of labels is then known from the number of parts, so no two lists of parts meet.
    lengths = (
        f"{len(_VERSION)},{len(told.end_to_end_id)},{len(told.amount.currency)},{len(amount)},{debtor.lengths},"
        f"{creditor.lengths},{what.lengths},{len(told.remittance)},{len(told.creditor_reference)},{how.lengths}"
    )
    texts = (
        f"{_VERSION}{told.end_to_end_id}{told.amount.currency}{amount}{debtor.texts}"
        f"{creditor.texts}{what.texts}{told.remittance}{told.creditor_reference}{how.texts}"
    )
    if told.labels or broken:
        rest = Said.of([*[text for pair in told.labels for text in pair], *_broken(broken)])
        lengths, texts = f"{lengths},{rest.lengths}", texts + rest.texts
    return f"{2 * len(told.labels)};{lengths};{texts}".encode("utf-8", "surrogatepass")


def fingerprint(content: bytes) -> bytes:
    """SHA-256, 32 bytes."""
    return hashlib.sha256(content).digest()


def _plain(value: Decimal) -> str:
    """1 and 1.00 are the same amount, also when the currency is one we no longer know."""
    return str(value.normalize(_EXACT))


def _broken(violations: Sequence[Violation]) -> list[str]:
    """What could not be translated was left empty; it must not read as if it had been absent."""
    return [text for violation in violations for text in (violation.field, violation.reason)]
