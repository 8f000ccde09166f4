"""The verifier knows law 9: a log in which one person decided alone is not whole."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.core import happenings
from gateway.core.decisions import Confirming, Proposing
from gateway.core.facts import GENESIS, Fact, chained
from gateway.core.ports import Step
from gateway.core.proposal import Decision
from gateway.core.reasons import Reason
from gateway.core.states import Kind
from gateway.store import layout, log
from gateway.store.store import LmdbStore
from gateway.store.verify import verify
from tests.fakes.admissions import mark, queued
from tests.fakes.clock import START_NS, FakeClock
from tests.store.damage import damaging


async def decided_store(path: Path) -> None:
    """One payment, proposed twice and given up by two people."""
    async with LmdbStore(path, clock=FakeClock(), map_bytes_initial=1 << 20) as store:
        [admitted] = await store.admit([queued()])
        payment = admitted.payment
        doubt = happenings.doubted(Reason.REPLY_LOST, START_NS + 90, b"<answer/>")
        proposing = [Proposing(Decision.SETTLED, "carol", "?"), Proposing(Decision.ABANDONED, "ada", "nobody knows")]
        steps = [Step(payment.id, happening=mark(payment)), Step(payment.id, happening=doubt)]
        stepped = await store.take([*steps, *(Step(payment.id, act=act) for act in proposing)])
        now = stepped[-1].payment
        assert now is not None
        assert now.proposal is not None
        await store.take([Step(payment.id, act=Confirming(now.proposal.digest, "bob", "nobody"))])


def rewrite(path: Path, altered: Callable[[Fact], Fact]) -> None:
    """The whole log anew with a chain that fits: what an intruder with the format in hand could do."""
    with damaging(path) as damage:
        chain = GENESIS
        entries = damage.items(layout.SEQ2FACT)
        for key, _ in entries:
            fact = altered(damage.fact(key)[0])
            body = log.fact_body(fact)
            chain = chained(chain, body)
            damage.put(layout.SEQ2FACT, key, log.seal_fact(key, chain, b"", body))
        damage.put(layout.META, layout.META_HEAD, log.seal_head(layout.META_HEAD, len(entries), chain))


async def test_a_decision_of_two_verifies(tmp_path: Path) -> None:
    """Proposals, confirmation and notes are part of a whole store."""
    await decided_store(tmp_path)
    report = verify(tmp_path)
    assert (report.findings, report.facts, report.evidence) == ([], 7, 4)


FORGERIES: dict[str, Callable[[Fact], Fact]] = {
    "confirmed by the proposer": lambda fact: replace(fact, actor="ada"),
    "confirmed by nobody": lambda fact: replace(fact, actor=""),
    "proposed by somebody else": lambda fact: replace(fact, proposer="carol"),
    "another decision": lambda fact: replace(fact, decision=Decision.SETTLED),
    "about something else": lambda fact: replace(fact, proposal_sha256=b"?" * 32),
    "given up for no reason": lambda fact: replace(fact, reason=None),
}


@pytest.mark.parametrize("what", FORGERIES)
async def test_a_decision_of_one_does_not(tmp_path: Path, what: str) -> None:
    """Even where chain, records and states fit: the fact is named."""
    await decided_store(tmp_path)
    forge = FORGERIES[what]
    rewrite(tmp_path, lambda fact: forge(fact) if fact.kind is Kind.ABANDONED else fact)
    [finding] = verify(tmp_path).findings
    assert (finding.mapping, finding.what) == (layout.SEQ2FACT, "was not decided by two people")


async def test_a_decision_without_a_proposal_does_not(tmp_path: Path) -> None:
    """Proposals rewritten as inquiries: nobody proposed what was confirmed."""
    await decided_store(tmp_path)
    unproposed = {"kind": Kind.INQUIRED, "decision": None, "proposal_sha256": b""}
    rewrite(tmp_path, lambda fact: replace(fact, **unproposed) if fact.kind is Kind.PROPOSED else fact)  # type: ignore[arg-type]
    assert [finding.what for finding in verify(tmp_path).findings] == ["was not decided by two people"]
