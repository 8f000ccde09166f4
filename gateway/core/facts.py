"""A fact: one entry of the append-only log, and what watchers receive. Facts are chained by hash (law 10)."""

import hashlib
from dataclasses import dataclass

from gateway.core.proposal import Decision
from gateway.core.reasons import Reason
from gateway.core.states import Kind, State

GENESIS = hashlib.sha256(b"causeway fact chain v1").digest()
"""What the first fact of a store is chained to."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that happened to one payment. Holds no account data and no names."""

    sequence: int
    """1, 2, 3 … over the whole store, without gaps; the watchers' position."""
    payment_id: bytes
    tenant: str
    version: int
    """The payment's version after this fact."""
    at_ns: int
    kind: Kind
    before: State
    after: State
    """Equal to `before` for the first fact (RECEIVED)."""
    reason: Reason | None = None
    bank: str = ""
    attempt: int = 0
    wire_reference: str = ""
    bank_status: str = ""
    bank_reason: str = ""
    holds: tuple[str, ...] = ()
    actor: str = ""
    traceparent: str = ""
    evidence_sha256: bytes = b""
    """SHA-256 of the bank's bytes, or of the note of `actor`, kept beside the log; empty where there are none."""
    decision: Decision | None = None
    """What was proposed, or what two people decided."""
    proposer: str = ""
    """With a decision: the principal who proposed it. `actor` is the other one, who confirmed it."""
    proposal_sha256: bytes = b""
    """What it was proposed about: see decisions.bound."""


def chained(previous: bytes, body: bytes) -> bytes:
    """The hash of a fact: SHA-256 over the previous hash and the fact's stored bytes."""
    return hashlib.sha256(previous + body).digest()
