"""What a client sent (Instruction), our record of it (Payment), and one try at one bank (Attempt)."""

import hashlib
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Final

from gateway.core.proposal import Proposal
from gateway.core.reasons import Reason
from gateway.core.states import State

REFERENCE_CHARS = 30
"""Length of a wire reference: the shortest limit among the banks we know (CMB yurRef); ISO 20022 allows 35."""


class Rail(StrEnum):
    NORMAL = "NORMAL"
    INSTANT = "INSTANT"
    URGENT = "URGENT"


class ChargeBearer(StrEnum):
    """ISO 20022 ChargeBearerType1Code."""

    SLEV = "SLEV"
    SHAR = "SHAR"
    DEBT = "DEBT"
    CRED = "CRED"


@dataclass(frozen=True, slots=True)
class Money:
    """An exact amount. `value` has at most the currency's decimals and is > 0 in an instruction."""

    currency: str
    """ISO 4217 alphabetic."""
    value: Decimal

    def __str__(self) -> str:
        return f"{self.value:f} {self.currency}"


@dataclass(frozen=True, slots=True)
class Account:
    """An account: `iban` or, where there is none, `other` (a bank's own identification). Exactly one is set."""

    iban: str = ""
    other: str = ""

    @property
    def number(self) -> str:
        return self.iban or self.other


@dataclass(frozen=True, slots=True)
class Address:
    """ISO 20022 PostalAddress24, the structured part that banks ask for. `country` is ISO 3166 alpha-2."""

    street: str = ""
    building: str = ""
    postal_code: str = ""
    town: str = ""
    country: str = ""

    def __bool__(self) -> bool:
        return bool(self.street or self.building or self.postal_code or self.town or self.country)


@dataclass(frozen=True, slots=True)
class Party:
    name: str = ""
    account: Account = Account()
    agent_bic: str = ""
    """BIC of the party's bank; empty where IBAN-only is allowed."""
    address: Address = Address()


@dataclass(frozen=True, slots=True)
class Instruction:
    """A checked instruction. `end_to_end_id` and `bank` are set (made or chosen by intake where absent)."""

    idempotency_key: str
    end_to_end_id: str
    amount: Money
    debtor: Party
    creditor: Party
    bank: str
    requested_execution_date: date | None = None
    """None: as soon as the bank takes it."""
    purpose: str = ""
    """ISO 20022 ExternalPurpose1Code, four characters, or empty."""
    remittance: str = ""
    """Unstructured, at most 140 characters; excludes `creditor_reference`."""
    creditor_reference: str = ""
    """ISO 11649 (RF…)."""
    charge_bearer: ChargeBearer = ChargeBearer.SLEV
    rail: Rail = Rail.NORMAL
    labels: tuple[tuple[str, str], ...] = ()
    """Free (key, value) pairs of the client, sorted by key; never sent to a bank."""


class Ended(StrEnum):
    """How an attempt ended."""

    OPEN = ""
    NOT_SENT = "NOT_SENT"
    ANSWERED = "ANSWERED"
    MAYBE_SENT = "MAYBE_SENT"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at one bank, committed before the first byte leaves (law 3). Times are Unix nanoseconds."""

    number: int
    bank: str
    wire_reference: str
    """The payment's own reference at this bank: the same on every attempt (InstrId in pain.001)."""
    message_reference: str
    """The message it travels in (MsgId); shared by the payments of a bulk message."""
    payload_sha256: bytes
    marked_at_ns: int
    deadline_ns: int
    ended: Ended = Ended.OPEN
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Uptime:
    """A moment on a clock that nobody can set and that outlives the process: since the machine was started."""

    boot: bytes
    """16 bytes: which start of which machine."""
    ns: int

    def seconds_after(self, earlier: "Uptime") -> float | None:
        """None where the machine was started anew in between, or it is another: nothing can be said."""
        return (self.ns - earlier.ns) / 1e9 if self.boot == earlier.boot else None


@dataclass(frozen=True, slots=True)
class Payment:
    """Our record of an instruction. Times are Unix nanoseconds, 0 = never."""

    id: bytes
    """16 bytes, ordered by time of admission (RFC 9562 UUID version 7)."""
    tenant: str
    principal: str
    instruction: Instruction
    fingerprint: bytes
    """SHA-256 of the instruction's content."""
    state: State
    version: int
    """Grows by one with every fact of this payment."""
    received_at_ns: int
    updated_at_ns: int
    traceparent: str = ""
    """W3C Trace Context of the submission; the trace goes on from it for the payment's whole life."""
    holds: tuple[str, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    send_after_ns: int = 0
    """While QUEUED: not before this moment (back-off after a proof that nothing was sent)."""
    doubt_since_ns: int = 0
    """While IN_DOUBT: since when."""
    inquiries: int = 0
    """Inquiries made since the payment came into its present state."""
    inquire_at_ns: int = 0
    """While IN_DOUBT or ACCEPTED: when the next status inquiry is due; 0 = none is planned."""
    missing_since: Uptime | None = None
    """While IN_DOUBT: since when, at the latest, the bank has said "not found" and nothing else about this doubt."""
    bank_status: str = ""
    """The bank's last word, an ISO 20022 status code (ACCP, ACSC, RJCT …)."""
    bank_reason: str = ""
    """The bank's reason code that came with it (AC04 …)."""
    contradiction: str = ""
    """The bank's word that does not fit the state; empty where it never contradicted itself."""
    proposal: Proposal | None = None
    """The last proposal of a person that was not carried out; decisions.open_proposal says whether it still counts."""

    @property
    def attempt(self) -> Attempt | None:
        return self.attempts[-1] if self.attempts else None

    @property
    def wire_reference(self) -> str:
        told = self.instruction
        return wire_reference(self.tenant, told.idempotency_key, self.fingerprint, told.bank)


WIRE_REFERENCES_KEPT_MAX: Final = 16_384
"""Wire references remembered, some 10 MB: one is asked for at every step of its payment, eight times between
admission and answer, and never changes."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls. `tenant` is the space in which idempotency keys are unique."""

    name: str
    tenant: str
    roles: frozenset[str] = field(default_factory=frozenset)


@lru_cache(maxsize=WIRE_REFERENCES_KEPT_MAX)
def wire_reference(tenant: str, idempotency_key: str, fingerprint: bytes, bank: str) -> str:
    """The reference a bank knows a payment by: a function of (payment, bank), the same on every resend (law 3).

    Of what makes the payment one payment (law 2), not of its id, which is time and chance: a key that a lost disk has
    forgotten, handed in again with the same content, goes out under the very reference it may be at the bank under
    already (decision 5). The content is in it, or a key used again for something else would be taken for a repetition
    and silently not paid. REFERENCE_CHARS characters out of 0–9 and A–F behind "CW", which every bank takes: 112 bits.
    """
    named = f"{len(tenant)}:{tenant}{len(bank)}:{bank}{len(idempotency_key)}:{idempotency_key}"
    return "CW" + _digits(named.encode() + fingerprint)


def is_wire_reference(text: str) -> bool:
    """Whether it looks like a reference that wire_reference made."""
    return len(text) == REFERENCE_CHARS and text.startswith("CW") and _DIGITS.issuperset(text[2:])


_DIGITS = frozenset("0123456789ABCDEF")


def message_reference(wire_references: tuple[str, ...]) -> str:
    """The MsgId of a message that carries these payments: of one payment its own reference, of several a hash."""
    if len(wire_references) == 1:
        return wire_references[0]
    return "CB" + _digits("\x00".join(wire_references).encode())


def made_end_to_end_id(tenant: str, idempotency_key: str, fingerprint: bytes) -> str:
    """For an instruction without one; as stable as its wire reference, because some banks detect duplicates by it."""
    return "E" + wire_reference(tenant, idempotency_key, fingerprint, "")


def _digits(of: bytes) -> str:
    """The hash in hexadecimal: made by the C library in a microsecond, where base 32 takes Python twenty."""
    return hashlib.sha256(of).hexdigest()[: REFERENCE_CHARS - 2].upper()


def text_id(payment_id: bytes) -> str:
    """A payment's id as people and the API see it: a UUID in lower case."""
    h = payment_id.hex()
    return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"


def parse_id(text: str) -> bytes | None:
    """The id behind its text, or None where the text is no UUID."""
    try:
        raw = bytes.fromhex(text.replace("-", ""))
    except ValueError:
        return None
    return raw if len(raw) == 16 and text_id(raw) == text.lower() else None


def new_id(now_ns: int, entropy: bytes) -> bytes:
    """A time-ordered id: RFC 9562 UUID version 7 of `now_ns` and 10 random bytes."""
    raw = bytearray((now_ns // 1_000_000).to_bytes(6, "big") + entropy[:10])
    raw[6] = 0x70 | raw[6] & 0x0F
    raw[8] = 0x80 | raw[8] & 0x3F
    return bytes(raw)
