"""`causeway watch`: facts as they happen, resumed after a lost connection, optionally until payments have ended."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence

import grpc

from causeway.v1 import payment_pb2, payment_service_pb2
from gateway.cli.complaint import Complaint, Exit
from gateway.cli.door import Door, find_door, opened
from gateway.cli.patience import Patience
from gateway.cli.refusal import from_call, to_document
from gateway.cli.tables import console, fact_line, state_name
from gateway.core.states import ENDS, State

WATCH_TRIES_MAX = 120  # with pauses of at most 5 s: ten minutes of waiting for a daemon to come back


def run(chosen: argparse.Namespace) -> int:
    waiting = set(chosen.until_settled)
    if waiting and chosen.position == "now":
        raise Complaint(
            "--from now and --until-settled do not go together: of a payment that has ended nothing more comes",
            advice=["leave --from away: the watch then starts with the first fact of these payments"],
        )
    request = payment_service_pb2.WatchPaymentsRequest(
        position=chosen.position or "",
        payment_ids=sorted(waiting | set(chosen.payment)),
        states=[f"STATE_{name}" for name in chosen.state],
        bank=chosen.bank or "",
    )
    out, err = console(), console_of_errors()
    ends: dict[str, str] = {}
    try:
        for answer in facts(find_door(chosen), request, Patience(tries_max=WATCH_TRIES_MAX), err):
            if answer.HasField("fact"):
                if chosen.json:
                    print(json.dumps(to_document(answer), ensure_ascii=False), flush=True)
                else:
                    out.print(fact_line(answer.fact))
                _note_end(answer.fact, waiting, ends)
            if waiting and not waiting - ends.keys():
                break
    except KeyboardInterrupt:
        if request.position not in ("", "now"):  # `facts` moved it on with every answer
            err(f"to go on from here: causeway watch --from {request.position}")
        raise
    return Exit.DONE if all(state == State.SETTLED for state in ends.values()) else Exit.REFUSED


def facts(
    door: Door,
    request: payment_service_pb2.WatchPaymentsRequest,
    patience: Patience,
    told: Callable[[str], None],
) -> Iterator[payment_service_pb2.WatchPaymentsResponse]:
    """Answers of WatchPayments without a gap: after a lost stream it goes on from the last position handled.

    Never ends by itself. Raises Complaint when the daemon stays away for longer than `patience` lasts.
    """
    with opened(door) as stubs:
        while True:
            stream = stubs.payments.WatchPayments(request)
            try:
                for answer in stream:
                    patience.progress()
                    yield answer
                    request.position = answer.position
                lost = "the daemon ended the stream"
            except grpc.RpcError as error:
                refusal = from_call(error)
                lost = f"{refusal.code}: {refusal.message}"
                if not patience.again(refusal):
                    raise
            finally:
                stream.cancel()
            told(f"{lost}; watching again from position {request.position or 'the first fact'}")


def console_of_errors() -> Callable[[str], None]:
    err = console(sys.stderr)
    return lambda text: err.print(text, style="dim", markup=False)


def ended(facts_seen: Sequence[payment_pb2.Fact]) -> bool:
    """Whether the last fact left its payment in an end state."""
    return bool(facts_seen) and state_name(facts_seen[-1].state) in ENDS


def _note_end(fact: payment_pb2.Fact, waiting: set[str], ends: dict[str, str]) -> None:
    state = state_name(fact.state)
    if fact.payment_id in waiting and state in ENDS:
        ends[fact.payment_id] = state
