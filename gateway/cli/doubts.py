"""`causeway doubt list | show | resolve`: payments in doubt, the evidence, and one person's half of a decision."""

import argparse
import json
import sys
from collections.abc import Iterator
from itertools import islice
from typing import Final

from causeway.v1 import doubt_service_pb2 as service
from gateway.cli.arguments import DECISIONS
from gateway.cli.complaint import Complaint, Exit
from gateway.cli.door import Stubs, find_door, opened
from gateway.cli.doubt_tables import decision_word, doubts_table, evidence_lines, proposal_text
from gateway.cli.lookup import EMPTY_PAGES_MAX, PAGE_SIZE
from gateway.cli.refusal import to_document
from gateway.cli.tables import console, history_table, payment_sheet, state_name

CONSEQUENCE: Final = {
    service.DECISION_HELD_BY_BANK: "the bank holds it; it is followed until it has settled",
    service.DECISION_SETTLED: "it counts as paid",
    service.DECISION_REJECTED: "it counts as refused by the bank",
    service.DECISION_NOT_HELD: "it is SENT AGAIN now, under the same wire reference",
    service.DECISION_ABANDONED: "it is given up and never sent again",
}


def run(chosen: argparse.Namespace) -> int:
    return {"list": list_doubts, "show": show, "resolve": resolve}[chosen.act](chosen)


def list_doubts(chosen: argparse.Namespace) -> int:
    if chosen.limit < 1:
        raise Complaint("--limit: a number above zero")
    request = service.ListDoubtsRequest(page_size=min(PAGE_SIZE, chosen.limit), bank=chosen.bank or "")
    with opened(find_door(chosen)) as stubs:
        found = _pages(stubs, request, chosen.timeout)
        shown = islice(found, chosen.limit)
        if chosen.json:
            for doubt in shown:
                print(json.dumps(to_document(doubt), ensure_ascii=False), flush=True)
        elif doubts := list(shown):
            console().print(doubts_table(doubts))
        else:
            console().print("no payment is in doubt")
        if next(found, None) is not None:
            print(f"there are more than {chosen.limit}: --limit and --bank choose which", file=sys.stderr)
    return Exit.DONE


def show(chosen: argparse.Namespace) -> int:
    with opened(find_door(chosen)) as stubs:
        answer = stubs.doubts.GetDoubt(service.GetDoubtRequest(id=chosen.id), timeout=chosen.timeout)
    if chosen.json:
        print(json.dumps(to_document(answer), ensure_ascii=False))
        return Exit.DONE
    out = console()
    out.print(payment_sheet(answer.doubt.payment))
    out.print(f"\n{proposal_text(answer.doubt)}\n", markup=False)
    out.print(history_table(answer.history))
    for line in evidence_lines(answer):
        out.print(line, soft_wrap=True)
    return Exit.DONE


def resolve(chosen: argparse.Namespace) -> int:
    """Confirms the open proposal of somebody else where it says the same; proposes otherwise. Says which it was."""
    wanted = f"DECISION_{DECISIONS[chosen.decision]}"
    with opened(find_door(chosen)) as stubs:
        doubt = stubs.doubts.GetDoubt(service.GetDoubtRequest(id=chosen.id), timeout=chosen.timeout).doubt
        proposal = doubt.proposal
        same = doubt.HasField("proposal") and proposal.decision == service.Decision.Value(wanted)
        if same and not proposal.own:
            confirm = service.ConfirmResolutionRequest(id=chosen.id, proposal_digest=proposal.digest, note=chosen.note)
            confirmed = stubs.doubts.ConfirmResolution(confirm, timeout=chosen.timeout)
            return _tell_confirmed(chosen, proposal, confirmed)
        propose = service.ProposeResolutionRequest(id=chosen.id, decision=wanted, note=chosen.note)
        proposed = stubs.doubts.ProposeResolution(propose, timeout=chosen.timeout)
    return _tell_proposed(chosen, doubt, proposed)


def _tell_confirmed(
    chosen: argparse.Namespace, proposal: service.Proposal, answer: service.ConfirmResolutionResponse
) -> int:
    if chosen.json:
        print(json.dumps({"act": "confirmed", **to_document(answer)}, ensure_ascii=False))
        return Exit.DONE
    state, word = state_name(answer.payment.state), decision_word(proposal.decision)
    out = console()
    out.print(f"CONFIRMED what {proposal.proposer} proposed: {word}. The payment is {state}:", markup=False)
    out.print(f"{CONSEQUENCE[proposal.decision]}.", markup=False)
    return Exit.DONE


def _tell_proposed(chosen: argparse.Namespace, before: service.Doubt, answer: service.ProposeResolutionResponse) -> int:
    if chosen.json:
        print(json.dumps({"act": "proposed", **to_document(answer)}, ensure_ascii=False))
        return Exit.DONE
    out, proposal = console(), answer.doubt.proposal
    word = decision_word(proposal.decision)
    out.print(f"PROPOSED: {word}. Nothing has changed yet: the payment is still in doubt.", markup=False)
    if before.HasField("proposal"):
        whose = "your own" if before.proposal.own else f"that of {before.proposal.proposer}"
        out.print(f"This replaces {whose}: {decision_word(before.proposal.decision)}.", markup=False)
    out.print(f"Another person has to confirm; then {CONSEQUENCE[proposal.decision]}:", markup=False)
    out.print(f'  causeway doubt resolve {chosen.id} --as {word} --note "…"', markup=False)
    return Exit.DONE


def _pages(stubs: Stubs, request: service.ListDoubtsRequest, timeout_s: float) -> Iterator[service.Doubt]:
    empty = 0
    while empty < EMPTY_PAGES_MAX:
        page = stubs.doubts.ListDoubts(request, timeout=timeout_s)
        yield from page.doubts
        empty = 0 if page.doubts else empty + 1
        request.page_token = page.next_page_token
        if not page.next_page_token:
            return
