"""How payments, facts and banks look to people: rich tables. Doubt stands out; amounts line up."""

import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import TextIO

from google.protobuf.timestamp_pb2 import Timestamp
from google.type.money_pb2 import Money
from iso4217 import Currency
from rich.console import Console
from rich.table import Table
from rich.text import Text

from causeway.v1 import bank_service_pb2, payment_pb2

STATE_STYLES: dict[str, str] = {
    "RECEIVED": "cyan",
    "HELD": "yellow",
    "QUEUED": "cyan",
    "SENDING": "blue",
    "IN_DOUBT": "bold white on red",
    "ACCEPTED": "green",
    "SETTLED": "bold green",
    "REFUSED": "red",
    "REJECTED": "red",
    "CANCELLED": "dim",
    "EXPIRED": "dim",
    "RETURNED": "magenta",
}

PIPE_COLUMNS = 160  # width where standard output is no terminal: wide enough that no id is cut


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """rich would exit with 1, our code for a refusal; the command line's own end of a pipe is no failure."""
        raise BrokenPipeError


def console(file: TextIO | None = None) -> Console:
    """The console of a command: plain and wide where its output is no terminal."""
    target = file or sys.stdout
    return _Console(file=target, highlight=False, width=None if target.isatty() else PIPE_COLUMNS)


def state_name(state: "payment_pb2.State") -> str:
    """`STATE_IN_DOUBT` → `IN_DOUBT`; a state that this client does not know yet by its number."""
    try:
        return payment_pb2.State.Name(state).removeprefix("STATE_")
    except ValueError:
        return f"state {state}"


def state_text(name: str) -> Text:
    return Text(name, style=STATE_STYLES.get(name, ""))


def amount_text(amount: Money) -> str:
    """`1234.50 EUR`, with the currency's decimals, more only where the amount has more."""
    value = Decimal(amount.units) + Decimal(amount.nanos).scaleb(-9)
    try:
        decimals = Currency(amount.currency_code).exponent or 0
    except ValueError:
        decimals = 2
    shortest = f"{value.normalize():f}"
    used = len(shortest.partition(".")[2])
    return f"{value:.{max(used, decimals)}f} {amount.currency_code}"


def time_text(moment: Timestamp) -> str:
    """UTC to the millisecond, or empty where it is not set."""
    if not moment.seconds:
        return ""
    when = datetime.fromtimestamp(moment.seconds, UTC)
    return f"{when:%Y-%m-%d %H:%M:%S}.{moment.nanos // 1_000_000:03d}"


def account_text(account: payment_pb2.Account) -> str:
    return account.iban or account.other


def payments_table(payments: Iterable[payment_pb2.Payment]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("ID", "RECEIVED (UTC)", "STATE"):
        table.add_column(name, no_wrap=True)
    table.add_column("AMOUNT", justify="right", no_wrap=True)
    for name in ("CREDITOR", "BANK", "KEY"):
        table.add_column(name, overflow="fold")
    for payment in payments:
        order = payment.instruction
        table.add_row(
            payment.id,
            time_text(payment.receive_time),
            state_text(state_name(payment.state)),
            amount_text(order.amount),
            order.creditor.name,
            order.bank,
            order.idempotency_key,
        )
    return table


def payment_sheet(payment: payment_pb2.Payment) -> Table:
    """One payment, a line per thing worth knowing; empty things are left out."""
    order, state = payment.instruction, state_name(payment.state)
    remittance = order.unstructured_remittance or order.creditor_reference
    rows: list[tuple[str, str | Text]] = [
        ("payment", payment.id),
        ("state", state_text(state)),
        ("amount", amount_text(order.amount)),
        ("from", f"{account_text(order.debtor.account)}  {order.debtor.name}"),
        ("to", f"{account_text(order.creditor.account)}  {order.creditor.name}  {order.creditor.agent_bic}"),
        ("for", remittance),
        ("bank", order.bank),
        ("key", order.idempotency_key),
        ("end-to-end id", order.end_to_end_id),
        ("wire reference", payment.wire_reference),
        ("received", time_text(payment.receive_time)),
        ("changed", time_text(payment.update_time)),
        ("holds", ", ".join(payment.holds)),
        ("bank says", " ".join(filter(None, (payment.bank_status_code, payment.bank_reason_code)))),
        ("in doubt since", time_text(payment.doubt_time)),
        ("inquiries", f"{payment.inquiry_count}" if payment.inquiry_count else ""),
        ("next inquiry", time_text(payment.next_inquiry_time)),
        ("not sent before", time_text(payment.send_after_time)),
        ("contradiction", Text(payment.contradiction, style="bold red")),
        ("labels", ", ".join(f"{key}={value}" for key, value in sorted(order.labels.items()))),
        ("trace", payment.traceparent.split("-")[1] if payment.traceparent.count("-") >= 3 else ""),
    ]
    for attempt in payment.attempts:
        result = payment_pb2.AttemptResult.Name(attempt.result).removeprefix("ATTEMPT_RESULT_")
        told = " ".join(filter(None, (result.replace("UNSPECIFIED", "open"), attempt.reason)))
        rows.append((f"attempt {attempt.number}", f"{time_text(attempt.mark_time)}  {attempt.bank}  {told}"))
    sheet = Table(box=None, show_header=False, pad_edge=False)
    sheet.add_column(style="dim", no_wrap=True)
    sheet.add_column(overflow="fold")
    for name, value in rows:
        if str(value).strip():
            sheet.add_row(name, value)
    return sheet


def history_table(facts: Iterable[payment_pb2.Fact]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("FACT", justify="right")
    for name in ("TIME (UTC)", "WHAT", "STATE", "WHY"):
        table.add_column(name, no_wrap=True)
    for fact in facts:
        table.add_row(
            str(fact.sequence), time_text(fact.time), fact.kind, state_text(state_name(fact.state)), fact_reason(fact)
        )
    return table


def fact_reason(fact: payment_pb2.Fact) -> str:
    """Why it happened: our reason, the bank's codes, open holds, who did it."""
    parts = [fact.reason, fact.bank_status_code, fact.bank_reason_code, *fact.holds]
    if fact.decision:
        parts.append(fact.decision)
    if fact.actor:
        parts.append(f"by {fact.proposer} and {fact.actor}" if fact.proposer else f"by {fact.actor}")
    return " ".join(filter(None, parts))


def fact_line(fact: payment_pb2.Fact) -> Text:
    """One fact as a line of `watch`."""
    return Text.assemble(
        (time_text(fact.time), "dim"),
        f"  {fact.payment_id}  {fact.kind:<14}",
        state_text(state_name(fact.state)),
        f"  {fact.bank}  {fact_reason(fact)}".rstrip(),
    )


def banks_table(banks: Iterable[bank_service_pb2.Bank]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("BANK", "PROTOCOL", "BREAKER"):
        table.add_column(name, no_wrap=True)
    for name in ("QUEUED", "SENDING", "IN DOUBT", "ACCEPTED", "HELD", "SESSIONS"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("CERTIFICATE UNTIL", no_wrap=True)
    table.add_column("LAST FAILURE")
    for bank in banks:
        breaker = bank_service_pb2.Breaker.Name(bank.breaker).removeprefix("BREAKER_").lower().replace("_", " ")
        doubts = Text(str(bank.in_doubt_count), style=STATE_STYLES["IN_DOUBT"] if bank.in_doubt_count else "")
        table.add_row(
            bank.name,
            bank.protocol,
            Text(breaker, style="" if breaker == "closed" else "bold red"),
            str(bank.queued_count),
            str(bank.sending_count),
            doubts,
            str(bank.accepted_count),
            str(bank.held_count),
            str(bank.session_count),
            time_text(bank.certificate_expire_time)[:10],
            bank.last_failure,
        )
    return table
