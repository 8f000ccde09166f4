"""`causeway get`, `list`, `cancel` and `banks`: one question, one table or document."""

import argparse
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from causeway.v1 import bank_service_pb2, payment_pb2, payment_service_pb2
from gateway.cli.complaint import Complaint, Exit
from gateway.cli.door import Stubs, find_door, opened
from gateway.cli.refusal import to_document
from gateway.cli.tables import banks_table, console, history_table, payment_sheet, payments_table

PAGE_SIZE = 500
EMPTY_PAGES_MAX = 10_000  # a page may be empty before the last (filters); a daemon that sends only such is given up


def get(chosen: argparse.Namespace) -> int:
    named = {"id": chosen.id, "idempotency_key": chosen.key, "end_to_end_id": chosen.end_to_end_id}
    named = {name: text for name, text in named.items() if text}
    if len(named) != 1:
        raise Complaint("which payment? Give exactly one of: its id, --key KEY, --end-to-end-id ID")
    request = payment_service_pb2.GetPaymentRequest(**named, include_history=chosen.history)
    with opened(find_door(chosen)) as stubs:
        answer = stubs.payments.GetPayment(request, timeout=chosen.timeout)
    if chosen.json:
        _print_document(answer)
        return Exit.DONE
    out = console()
    out.print(payment_sheet(answer.payment))
    if chosen.history:
        out.print()
        out.print(history_table(answer.history))
    return Exit.DONE


def list_payments(chosen: argparse.Namespace) -> int:
    if chosen.limit < 1:
        raise Complaint("--limit: a number above zero")
    request = _list_request(chosen)
    with opened(find_door(chosen)) as stubs:
        # One more than is shown: whether there is more must be known, or a cut list passes for a whole one.
        found = _pages(stubs, request, chosen.limit + 1, chosen.timeout)
        shown = islice(found, chosen.limit)
        if chosen.json:
            for payment in shown:
                _print_document(payment)
        elif payments := list(shown):
            console().print(payments_table(payments))
        else:
            console().print("no payments match")
        if next(found, None) is not None:
            print(f"there are more than {chosen.limit}: --limit, --from and --state choose which", file=sys.stderr)
    return Exit.DONE


def cancel(chosen: argparse.Namespace) -> int:
    with opened(find_door(chosen)) as stubs:
        answer = stubs.payments.CancelPayment(
            payment_service_pb2.CancelPaymentRequest(id=chosen.id), timeout=chosen.timeout
        )
    if chosen.json:
        _print_document(answer)
    else:
        console().print(payment_sheet(answer.payment))
    return Exit.DONE


def release(chosen: argparse.Namespace) -> int:
    request = payment_service_pb2.ReleaseHoldRequest(id=chosen.id, hold=chosen.hold, note=chosen.note)
    with opened(find_door(chosen)) as stubs:
        answer = stubs.payments.ReleaseHold(request, timeout=chosen.timeout)
    if chosen.json:
        _print_document(answer)
    else:
        console().print(payment_sheet(answer.payment))
    return Exit.DONE


def banks(chosen: argparse.Namespace) -> int:
    with opened(find_door(chosen)) as stubs:
        if chosen.name:
            request = bank_service_pb2.GetBankRequest(name=chosen.name)
            answer = stubs.banks.GetBank(request, timeout=chosen.timeout)
            found = [answer.bank]
        else:
            answer = stubs.banks.ListBanks(bank_service_pb2.ListBanksRequest(), timeout=chosen.timeout)
            found = list(answer.banks)
    if chosen.json:
        _print_document(answer)
    else:
        console().print(banks_table(found))
    return Exit.DONE


def labels_from(pairs: list[str]) -> dict[str, str]:
    """`["a=b"]` → `{"a": "b"}`; raises Complaint for one without a name."""
    found: dict[str, str] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not (name and equals):
            raise Complaint(f"--label {pair!r}: write it as NAME=TEXT")
        found[name] = text
    return found


def _list_request(chosen: argparse.Namespace) -> payment_service_pb2.ListPaymentsRequest:
    request = payment_service_pb2.ListPaymentsRequest(
        page_size=min(PAGE_SIZE, chosen.limit + 1),
        states=[f"STATE_{name}" for name in chosen.state],
        bank=chosen.bank or "",
        end_to_end_id=chosen.end_to_end_id or "",
        labels=labels_from(chosen.label),
    )
    if chosen.since:
        request.received_from.FromDatetime(_moment("--from", chosen.since))
    if chosen.before:
        request.received_before.FromDatetime(_moment("--before", chosen.before))
    return request


def _pages(
    stubs: Stubs, request: payment_service_pb2.ListPaymentsRequest, limit: int, timeout_s: float
) -> Iterator[payment_pb2.Payment]:
    left, empty = limit, 0
    while left > 0 and empty < EMPTY_PAGES_MAX:
        page = stubs.payments.ListPayments(request, timeout=timeout_s)
        yield from page.payments[:left]
        left -= len(page.payments)
        empty = 0 if page.payments else empty + 1
        request.page_token = page.next_page_token
        if not page.next_page_token:
            return


def _moment(flag: str, text: str) -> datetime:
    """A time without an offset is UTC, as everything we print."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise Complaint(f"{flag} {text!r} is no time; write it like 2026-12-31 or 2026-12-31T08:00:00Z") from error
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _print_document(message: Any) -> None:
    print(json.dumps(to_document(message), ensure_ascii=False), flush=True)
