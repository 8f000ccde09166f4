"""`causeway quarantine show` and `end`: what a restored store waits for, and the act that lets payments flow again."""

import argparse
import json

from rich.table import Table
from rich.text import Text

from causeway.v1 import quarantine_service_pb2 as service
from gateway.cli.complaint import Exit
from gateway.cli.door import find_door, opened
from gateway.cli.refusal import to_document
from gateway.cli.tables import STATE_STYLES, console, time_text


def run(chosen: argparse.Namespace) -> int:
    """Either of the two; Exit.REFUSED where `end` is not possible yet."""
    with opened(find_door(chosen)) as stubs:
        if chosen.act == "end":
            ending = service.EndQuarantineRequest(note=chosen.note)
            seen = stubs.quarantine.EndQuarantine(ending, timeout=chosen.timeout).quarantine
        else:
            asked = service.GetQuarantineRequest()
            seen = stubs.quarantine.GetQuarantine(asked, timeout=chosen.timeout).quarantine
    if chosen.json:
        print(json.dumps(to_document(seen), ensure_ascii=False))
    elif chosen.act == "end":
        console().print("the quarantine is over: payments are admitted and sent")
    else:
        _show(seen)
    return Exit.DONE


def _show(seen: service.Quarantine) -> None:
    out = console()
    if not seen.active:
        out.print("no quarantine: payments are admitted and sent")
        return
    out.print(
        f"IN QUARANTINE since {time_text(seen.restore_time)} (restored by {seen.restored_by} from a backup that ends "
        f"with fact {seen.backup_sequence}): nothing is admitted or sent"
    )
    out.print()
    out.print(_banks(seen))
    if seen.unknown_references:
        out.print()
        out.print(_unknown(seen))
    if seen.unlisted_count:
        out.print(f"and {seen.unlisted_count} more unknown references")
    out.print()
    for line in advice(seen):
        out.print(f"  → {line}")


def advice(seen: service.Quarantine) -> list[str]:
    """What to do next, in the order in which it helps."""
    lines = []
    in_doubt = sum(bank.in_doubt_count for bank in seen.banks)
    unread = [bank.name for bank in seen.banks if bank.mailbox == service.MAILBOX_UNREAD]
    if unread:
        lines.append(f"wait until these mailboxes are read: {', '.join(unread)}")
    if in_doubt:
        lines.append(
            f"{in_doubt} payments are in doubt: `causeway list --state in_doubt`. Inquiries go on by themselves; "
            "what they cannot decide, two people do"
        )
    if seen.unknown_references or seen.unlisted_count:
        lines.append(
            "the unknown references were paid after the backup: tell those who handed them in, BEFORE they do so again"
        )
    if not in_doubt and not unread:
        lines.append("compare with the banks' statements, then: causeway quarantine end --note 'what you compared'")
    return lines


def _banks(seen: service.Quarantine) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("BANK", "IN DOUBT", "TO BE SENT AT THE END", "HELD", "CAN BE ASKED", "MAILBOX"):
        table.add_column(name)
    for bank in seen.banks:
        doubts = Text(str(bank.in_doubt_count), style=STATE_STYLES["IN_DOUBT"] if bank.in_doubt_count else "")
        mailbox = service.Mailbox.Name(bank.mailbox).removeprefix("MAILBOX_").lower()
        asked = "yes" if bank.inquiry else "no"
        table.add_row(bank.name, doubts, str(bank.queued_count), str(bank.held_count), asked, mailbox)
    return table


def _unknown(seen: service.Quarantine) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", title="unknown at us", title_justify="left")
    for name in ("BANK", "WIRE REFERENCE", "STATUS", "READ"):
        table.add_column(name)
    for found in seen.unknown_references:
        table.add_row(found.bank, found.wire_reference, found.bank_status_code, time_text(found.time))
    return table
