"""How two people lead a payment out of doubt: one proposes, another confirms. Pure; the store decides inside its
write transaction.

What can go wrong is what makes people dangerous: they look at a screen that is minutes old. So a proposal binds a
hash over what was looked at (`bound`), the confirmation names that hash, and both are held against the payment as it
stands at the moment of the write. Evidence that came in between makes the proposal void, never the other way round.
Nobody confirms what they proposed (law 9), whatever their roles: `made_by_two` is asked again for every happening
that claims to be such a decision, so no caller can leave the question out.
"""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gateway.core.facts import Fact
from gateway.core.happenings import FREED, Happening, freed
from gateway.core.payment import Payment
from gateway.core.proposal import Decision, Proposal
from gateway.core.reasons import Reason
from gateway.core.states import Kind, State

NOTE_CHARS_MAX: Final = 500  # a reference of the bank's portal, a name to ask, a sentence; never a document


@dataclass(frozen=True, slots=True)
class Proposing:
    """The first person's act. It replaces an open proposal, whoever made that."""

    decision: Decision
    actor: str
    note: str


@dataclass(frozen=True, slots=True)
class Confirming:
    """The second person's act. `digest` is that of the proposal they looked at."""

    digest: bytes
    actor: str
    note: str


Act = Proposing | Confirming


class Objection(StrEnum):
    """Why an act was not taken; also the API's reasons. In order of precedence."""

    NOT_IN_DOUBT = "NOT_IN_DOUBT"  # and no proposal is on record
    NO_PROPOSAL = "NO_PROPOSAL"  # nothing to confirm
    PROPOSAL_VOID = "PROPOSAL_VOID"  # evidence came since, or another proposal took its place
    OWN_PROPOSAL = "OWN_PROPOSAL"  # law 9


KIND_OF: Final[dict[Decision, Kind]] = {
    Decision.HELD_BY_BANK: Kind.ACCEPTED,
    Decision.SETTLED: Kind.SETTLED,
    Decision.REJECTED: Kind.REJECTED,
    Decision.NOT_HELD: Kind.NOT_HELD,
    Decision.ABANDONED: Kind.ABANDONED,
}
"""The step of the state table that a confirmed decision takes; NOT_HELD is WITHHELD where holds are open."""


def kind_of(decision: Decision, payment: Payment) -> Kind:
    return freed(payment) if decision is Decision.NOT_HELD else KIND_OF[decision]


def bound(payment: Payment, decision: Decision) -> bytes:
    """SHA-256 over what is decided about: the payment and its content, this episode of doubt and the contradictions in
    it, the decision, the wire reference and the last attempt. Inquiries that taught nothing do not change it;
    everything else does."""
    last = payment.attempt
    parts = [
        b"causeway decision v2",
        payment.id,
        payment.fingerprint,
        payment.state.encode(),
        b"%d" % payment.doubt_since_ns,
        payment.contradiction.encode(),
        decision.encode(),
        payment.wire_reference.encode(),
    ]
    if last is not None:
        parts += [b"%d" % last.number, last.bank.encode(), last.message_reference.encode()]
        parts += [last.payload_sha256, b"%d" % last.marked_at_ns]
    return hashlib.sha256(b"".join(len(part).to_bytes(4, "big") + part for part in parts)).digest()


def open_proposal(payment: Payment) -> Proposal | None:
    """The proposal that could be confirmed now: one that was made about the payment as it stands."""
    proposal = payment.proposal
    if proposal is None or payment.state is not State.IN_DOUBT:
        return None
    return proposal if proposal.digest == bound(payment, proposal.decision) else None


def decided(payment: Payment, act: Act, now_ns: int, *, inquire_at_ns: int = 0) -> Happening | Objection:
    """What a person's act makes happen to this payment now, or why it does not.

    `inquire_at_ns` is when to ask the bank if the payment is then ACCEPTED.
    """
    if isinstance(act, Proposing):
        return _proposed(payment, act, now_ns)
    return _confirmed(payment, act, inquire_at_ns)


def made_by_two(payment: Payment, happening: Happening) -> bool:
    """Whether a happening is no decision of people, or is one that two of them made about `payment` as it stands."""
    if happening.reason is not Reason.DECIDED_BY_TWO and happening.kind is not Kind.ABANDONED:
        return True
    proposal = open_proposal(payment)
    return (
        proposal is not None
        and proposal == happening.proposal
        and happening.reason is Reason.DECIDED_BY_TWO
        and happening.kind is kind_of(proposal.decision, payment)
        and happening.actor not in ("", proposal.actor)
    )


def recorded_by_two(fact: Fact, proposed: Fact | None) -> bool:
    """The same of the log: whether a fact is no decision of people, or rests on `proposed`, its payment's last
    proposal before it, and names another person."""
    if fact.reason is not Reason.DECIDED_BY_TWO and fact.kind is not Kind.ABANDONED:
        return True
    return (
        proposed is not None
        and fact.reason is Reason.DECIDED_BY_TWO
        and fact.decision is not None
        and (fact.kind is KIND_OF[fact.decision] or (fact.decision is Decision.NOT_HELD and fact.kind in FREED))
        and (fact.decision, fact.proposal_sha256) == (proposed.decision, proposed.proposal_sha256)
        and fact.proposer == proposed.actor
        and fact.actor not in ("", proposed.actor)
    )


def _proposed(payment: Payment, act: Proposing, now_ns: int) -> Happening | Objection:
    if payment.state is not State.IN_DOUBT:
        return Objection.NOT_IN_DOUBT
    return Happening(
        Kind.PROPOSED,
        proposal=Proposal(act.decision, act.actor, now_ns, bound(payment, act.decision)),
        evidence=act.note.encode(),
        actor=act.actor,
        inquire_at_ns=payment.inquire_at_ns,  # until a second person confirms, the bank is asked as planned
    )


def _confirmed(payment: Payment, act: Confirming, inquire_at_ns: int) -> Happening | Objection:
    if payment.proposal is None:
        return Objection.NO_PROPOSAL if payment.state is State.IN_DOUBT else Objection.NOT_IN_DOUBT
    proposal = open_proposal(payment)
    if proposal is None or proposal.digest != act.digest:
        return Objection.PROPOSAL_VOID
    if proposal.actor == act.actor:
        return Objection.OWN_PROPOSAL
    held = proposal.decision is Decision.HELD_BY_BANK
    return Happening(
        kind_of(proposal.decision, payment),
        reason=Reason.DECIDED_BY_TWO,
        proposal=proposal,
        evidence=act.note.encode(),
        actor=act.actor,
        inquire_at_ns=inquire_at_ns if held else 0,
    )
