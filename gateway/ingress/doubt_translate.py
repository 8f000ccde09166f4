"""Doubts, proposals and evidence as the API shows them."""

from collections.abc import Sequence
from typing import Final

from google.protobuf.duration_pb2 import Duration

from causeway.v1 import doubt_service_pb2 as service
from gateway.config import InquiryPolicy
from gateway.core.decisions import open_proposal
from gateway.core.facts import Fact
from gateway.core.payment import Payment, Principal
from gateway.core.ports import Store
from gateway.core.proposal import Decision, Proposal
from gateway.core.reasons import Reason
from gateway.core.states import Kind, State
from gateway.ingress.translate import payment as payment_message
from gateway.ingress.translate import timestamp

EVIDENCE_SHOWN_MAX: Final = 64  # pieces of one payment, as doubt_service.proto promises
EVIDENCE_SHOWN_BYTES_MAX: Final = 1024 * 1024  # of one payment: a quarter of the default message size

DECISIONS: Final[dict[Decision, service.Decision]] = {
    decision: getattr(service, f"DECISION_{decision.value}") for decision in Decision
}
"""Ours → the API's."""
DECISIONS_BACK: Final[dict[int, Decision]] = {number: decision for decision, number in DECISIONS.items()}


def doubt(payment: Payment, caller: Principal, now_ns: int, policy: InquiryPolicy | None) -> service.Doubt:
    """`policy` is that of the payment's bank; None where no such bank is configured any more."""
    doubted = payment.state is State.IN_DOUBT
    proposal = open_proposal(payment)
    planned = doubted and payment.inquire_at_ns and policy is not None
    return service.Doubt(
        payment=payment_message(payment),
        age=_duration(max(0, now_ns - payment.doubt_since_ns)) if doubted else None,
        attempt_count=payment.attempt.number if payment.attempt else 0,
        inquiry_count=payment.inquiries if doubted else 0,
        inquiries_left=max(0, policy.per_payment_max - payment.inquiries) if planned and policy else 0,
        proposal=_proposal(proposal, caller) if proposal else None,
    )


async def evidence_of(store: Store, facts: Sequence[Fact]) -> tuple[list[service.Evidence], bool]:
    """What these facts of one payment rest on, in their order, and whether older pieces were left out.

    The same answer of the bank given to several inquiries is shown once; every person's note is shown.
    """
    shown: list[service.Evidence] = []
    seen: set[bytes] = set()
    room = EVIDENCE_SHOWN_BYTES_MAX
    for fact in reversed(facts):
        noted = written_by_a_person(fact)
        if not fact.evidence_sha256 or (fact.evidence_sha256 in seen and not noted):
            continue
        kept = await store.evidence(fact.evidence_sha256)
        if kept is None:
            continue  # the verifier reports it; the rest is still worth seeing
        seen.add(fact.evidence_sha256)
        room -= len(kept.body)
        if room < 0 or len(shown) == EVIDENCE_SHOWN_MAX:
            return shown[::-1], True
        shown.append(
            service.Evidence(
                source=service.EVIDENCE_SOURCE_NOTE if noted else service.EVIDENCE_SOURCE_BANK,
                fact_sequence=fact.sequence,
                fact_kind=fact.kind.value,
                time=timestamp(fact.at_ns),
                actor=fact.actor if noted else "",
                content=kept.body,
                original_bytes=kept.original_bytes,
            )
        )
    return shown[::-1], False


def written_by_a_person(fact: Fact) -> bool:
    """Whether a fact's evidence is a note, and not the bank's bytes."""
    return fact.kind is Kind.PROPOSED or fact.reason in (Reason.DECIDED_BY_TWO, Reason.RELEASED)


def _proposal(proposal: Proposal, caller: Principal) -> service.Proposal:
    return service.Proposal(
        decision=DECISIONS[proposal.decision],
        proposer=proposal.actor,
        propose_time=timestamp(proposal.at_ns),
        digest=proposal.digest.hex(),
        own=proposal.actor == caller.name,
    )


def _duration(nanoseconds: int) -> Duration:
    found = Duration()
    found.FromNanoseconds(nanoseconds)
    return found
