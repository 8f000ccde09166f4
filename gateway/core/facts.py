"""A fact: one entry of the append-only log, and what watchers receive. Facts are chained by hash (law 10)."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gateway.core.proposal import Decision
from gateway.core.reasons import Reason
from gateway.core.states import Kind, State

GENESIS = hashlib.sha256(b"causeway fact chain v1").digest()
"""What the first fact of a store is chained to."""


STORE_ID: Final = bytes(16)
"""Stands for the store itself where a fact names its payment. No payment has this id: it has no UUID version."""


class StoreKind(StrEnum):
    """What can happen to the store itself. Values are stable."""

    RESTORED = "restored"  # from a backup, by `actor`; the evidence is the backup's manifest. Begins a quarantine
    UNKNOWN_REFERENCE = "unknown_reference"  # in quarantine a bank speaks of a payment of ours that is not in the store
    UNREADABLE_PAYMENT = "unreadable_payment"  # a bank speaks of a payment whose record cannot be read
    QUARANTINE_ENDED = "quarantine_ended"  # by `actor`; the evidence is their note


@dataclass(frozen=True, slots=True)
class StoreHappening:
    """What happened to the store. `bank`, `wire_reference` and `bank_status` come with UNKNOWN_REFERENCE and
    UNREADABLE_PAYMENT; the evidence is then the bank's word."""

    kind: StoreKind
    actor: str = ""
    bank: str = ""
    wire_reference: str = ""
    bank_status: str = ""
    evidence: bytes = b""


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that happened to one payment, or to the store itself (STORE_ID, no tenant, no states). Holds no account
    data and no names."""

    sequence: int
    """1, 2, 3 … over the whole store, without gaps; the watchers' position."""
    payment_id: bytes
    tenant: str
    version: int
    """The payment's version after this fact."""
    at_ns: int
    kind: Kind | StoreKind
    before: State | None
    after: State | None
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


def store_fact(happening: StoreHappening, sequence: int, version: int, at_ns: int) -> Fact:
    """The log entry of what happened to the store; `version` counts such entries."""
    return Fact(
        sequence=sequence,
        payment_id=STORE_ID,
        tenant="",
        version=version,
        at_ns=at_ns,
        kind=happening.kind,
        before=None,
        after=None,
        bank=happening.bank,
        wire_reference=happening.wire_reference,
        bank_status=happening.bank_status,
        actor=happening.actor,
        evidence_sha256=hashlib.sha256(happening.evidence).digest() if happening.evidence else b"",
    )


def quarantined_since(newest_first: Sequence[Fact]) -> list[Fact]:
    """Of the store's facts those since the restore that no end has followed, in their order; none: no quarantine.

    The log itself is the marker: nobody lifts a quarantine without breaking the chain.
    """
    found: list[Fact] = []
    for fact in newest_first:
        if fact.kind is StoreKind.QUARANTINE_ENDED:
            return []
        found.append(fact)
        if fact.kind is StoreKind.RESTORED:
            return found[::-1]
    return []


def chained(previous: bytes, body: bytes) -> bytes:
    """The hash of a fact: SHA-256 over the previous hash and the fact's stored bytes."""
    return hashlib.sha256(previous + body).digest()
