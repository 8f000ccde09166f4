"""`causeway pay`: one payment from flags, or a file of them over one stream."""

import argparse
import json
import sys
import uuid
from collections import Counter
from dataclasses import dataclass

import grpc
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from causeway.v1 import payment_pb2, payment_service_pb2
from gateway.cli.complaint import Complaint, Exit
from gateway.cli.door import Door, Stubs, find_door, opened
from gateway.cli.files import count_hint, read_lines
from gateway.cli.patience import Patience
from gateway.cli.refusal import from_call, to_document
from gateway.cli.row import COLUMNS, LABEL, Faulty, to_instruction
from gateway.cli.submission import Answer, Route, Window, submit
from gateway.cli.tables import console, payment_sheet, state_name
from gateway.cli.traceparent import find_traceparent, trace_id

FLAGS = {"postal_code": "--postal-code", "end_to_end_id": "--end-to-end-id", "debtor_name": "--debtor-name",
         "creditor_name": "--creditor-name", "charge_bearer": "--charge-bearer"}  # fmt: skip


def run(chosen: argparse.Namespace) -> int:
    """Pay what the command line says. Exit.REFUSED when at least one instruction was not admitted."""
    given = [name for name in COLUMNS if getattr(chosen, name, None)]
    if chosen.file and (given or chosen.label):
        raise Complaint(f"a file and flags for one payment ({', '.join(given) or 'label'}) do not go together")
    traceparent = find_traceparent(chosen.traceparent)
    if chosen.file:
        return _pay_file(chosen, find_door(chosen), traceparent)
    if not given:
        raise Complaint(
            "pay what? Give a file, or flags for one payment",
            advice=[
                "causeway pay payments.csv",
                "causeway pay --amount '100.00 EUR' --debtor IBAN --creditor-name NAME --creditor IBAN",
            ],
        )
    return _pay_one(chosen, traceparent)


def _pay_one(chosen: argparse.Namespace, traceparent: str) -> int:
    order = instruction_from_flags(chosen)
    made_key = not order.idempotency_key
    if made_key:
        order.idempotency_key = str(uuid.uuid4())
    door = find_door(chosen)
    out, err = console(), _stderr()
    if made_key and not chosen.json:
        # Before sending: whoever loses the connection now needs this key to ask again without paying twice.
        err.print(f"key    {order.idempotency_key}  (made; to try again: --key {order.idempotency_key})")
    with opened(door) as stubs:
        answer = submit_one(stubs, order, traceparent, chosen.timeout, Patience())
    if chosen.json:
        print(json.dumps(to_document(answer) | {"traceId": trace_id(traceparent)}, ensure_ascii=False))
        return Exit.DONE
    out.print(payment_sheet(answer.payment))
    if answer.replayed:
        out.print("\nreplayed: this key was admitted before, and this is where it stands; nothing is paid anew")
    else:
        out.print("\nadmitted: durable, and will be paid")
    err.print(f"next: causeway watch --until-settled {answer.payment.id}")
    return Exit.DONE


def submit_one(
    stubs: Stubs, order: payment_pb2.Instruction, traceparent: str, timeout_s: float, patience: Patience
) -> payment_service_pb2.SubmitPaymentResponse:
    """SubmitPayment, tried again with the same key while nobody answers. Raises grpc.RpcError in the end."""
    request = payment_service_pb2.SubmitPaymentRequest(instruction=order)
    while True:
        try:
            answer: payment_service_pb2.SubmitPaymentResponse = stubs.payments.SubmitPayment(
                request, timeout=timeout_s, metadata=(("traceparent", traceparent),)
            )
            return answer
        except grpc.RpcError as error:
            if not patience.again(from_call(error)):
                raise


def instruction_from_flags(chosen: argparse.Namespace) -> payment_pb2.Instruction:
    """Raises Complaint naming every flag that is missing or wrong."""
    row = {name: getattr(chosen, name) or "" for name in COLUMNS}
    for label in chosen.label:
        name, equals, text = label.partition("=")
        if not (name and equals):
            raise Complaint(f"--label {label!r}: write it as NAME=TEXT")
        row[LABEL + name] = text
    try:
        return to_instruction(row)
    except Faulty as fault:
        problems = [f"{FLAGS.get(name, '--' + name)}: {text}" for name, text in fault.problems]
        raise Complaint("this is no complete instruction", advice=problems) from fault


@dataclass
class _Tally:
    """What became of the lines of a file so far."""

    counts: Counter[str]

    def line(self, traceparent: str) -> str:
        parts = [f"{self.counts[name]} {name}" for name in ("admitted", "replayed", "refused")]
        return f"{' · '.join(parts)}   trace {trace_id(traceparent)}"


def _pay_file(chosen: argparse.Namespace, door: Door, traceparent: str) -> int:
    tally, err = _Tally(Counter()), _stderr()
    total = _count(chosen.file)
    try:
        with opened(door) as stubs, _progress(err) as progress:
            task = progress.add_task(chosen.file, total=total)
            window = Window(read_lines(chosen.file))
            route = Route(stubs.payments.SubmitPayments, (("traceparent", traceparent),), door.address)
            for answer in submit(window, route, Patience(), progress.console.print):
                _count_and_tell(answer, tally, progress.console, as_json=chosen.json)
                progress.advance(task)
    except KeyboardInterrupt:
        err.print("interrupted; send the same file again: what was admitted comes back as replayed")
        raise
    finally:
        if tally.counts and not chosen.json:
            console().print(tally.line(traceparent))
    if not tally.counts:
        err.print(f"{chosen.file} holds no instructions: nothing was handed in", markup=False)
    elif not chosen.json:
        err.print("next: causeway list  ·  causeway watch")
    return Exit.REFUSED if tally.counts["refused"] else Exit.DONE


def _count_and_tell(answer: Answer, tally: _Tally, err: Console, *, as_json: bool) -> None:
    kept = answer.admitted
    tally.counts["refused" if kept is None else "replayed" if kept.replayed else "admitted"] += 1
    if as_json:
        print(json.dumps(_document(answer), ensure_ascii=False), flush=True)
    elif answer.refusal is not None:
        key = answer.line.instruction.idempotency_key
        err.print(
            f"line {answer.line.number}{f' ({key})' if key else ''}: {answer.refusal.reason or answer.refusal.code}",
            markup=False,
        )
        for text in answer.refusal.lines():
            err.print(f"    {text}", markup=False)


def _document(answer: Answer) -> dict[str, object]:
    kept, refusal = answer.admitted, answer.refusal
    return {
        "line": answer.line.number,
        "idempotencyKey": answer.line.instruction.idempotency_key,
        "paymentId": kept.payment_id if kept else "",
        "endToEndId": kept.end_to_end_id if kept else "",
        "state": state_name(kept.state) if kept else "",
        "replayed": kept.replayed if kept else False,
        "error": refusal.document() if refusal else None,
    }


def _count(name: str) -> int | None:
    try:
        return count_hint(name)
    except OSError as error:
        raise Complaint(f"{name} cannot be read: {error.strerror}") from error


def _progress(err: Console) -> Progress:
    """On a terminal only; a log file gets the refused lines and the tally."""
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        console=err, disable=not err.is_terminal,
    )  # fmt: skip


def _stderr() -> Console:
    return console(sys.stderr)
