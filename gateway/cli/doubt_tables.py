"""How doubts look to people. What a bank or a person wrote is shown with its control characters spelled out: it must
not be able to paint a terminal."""

from collections.abc import Iterable, Iterator

from rich.table import Table
from rich.text import Text

from causeway.v1 import doubt_service_pb2 as service
from gateway.cli.arguments import DECISIONS
from gateway.cli.tables import amount_text, time_text

EVIDENCE_CHARS_SHOWN = 4_000
"""Of one piece, on a terminal; --json has all that was sent."""

_WORDS = {f"DECISION_{name}": word for word, name in DECISIONS.items()}


def decision_word(decision: "service.Decision") -> str:
    """As `--as` takes it; a decision that this client does not know yet by its number."""
    try:
        return _WORDS[service.Decision.Name(decision)]
    except (KeyError, ValueError):
        return f"decision {decision}"


def age_text(seconds: int) -> str:
    """`3 d 4 h`, `2 h 05 min`, `7 min`, `12 s`."""
    minutes, hours, days = seconds // 60, seconds // 3_600, seconds // 86_400
    if days:
        return f"{days} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60:02d} min"
    return f"{minutes} min" if minutes else f"{seconds} s"


def doubts_table(doubts: Iterable[service.Doubt]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("ID", no_wrap=True)
    for name in ("IN DOUBT FOR", "AMOUNT", "ATTEMPTS", "ASKED", "LEFT"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("BANK", "PROPOSED"):
        table.add_column(name, overflow="fold")
    for doubt in doubts:
        payment, proposal = doubt.payment, doubt.proposal
        by = f"{decision_word(proposal.decision)} by {proposal.proposer}" if doubt.HasField("proposal") else ""
        table.add_row(
            payment.id,
            age_text(doubt.age.seconds),
            amount_text(payment.instruction.amount),
            str(doubt.attempt_count),
            str(doubt.inquiry_count),
            Text(str(doubt.inquiries_left), style="" if doubt.inquiries_left else "bold red"),
            payment.instruction.bank,
            by,
        )
    return table


def proposal_text(doubt: service.Doubt) -> str:
    """One line: what is proposed, and who may do what next."""
    if not doubt.HasField("age"):
        return "not in doubt"
    if not doubt.HasField("proposal"):
        left = doubt.inquiries_left
        return f"in doubt for {age_text(doubt.age.seconds)}; nothing is proposed; inquiries left: {left}"
    proposal = doubt.proposal
    whose = "you; another person has to confirm" if proposal.own else f"{proposal.proposer}; you may confirm"
    return f"proposed at {time_text(proposal.propose_time)}: {decision_word(proposal.decision)}, by {whose}"


def evidence_lines(answer: service.GetDoubtResponse) -> Iterator[Text]:
    """Each piece under a line that says what it is."""
    if answer.evidence_cut:
        yield Text("\nthere is older evidence than shown", style="bold")
    for piece in answer.evidence:
        noted = piece.source == service.EVIDENCE_SOURCE_NOTE
        whose = f"note of {piece.actor}" if noted else "the bank's bytes"
        cut = f", cut from {piece.original_bytes:,} bytes" if piece.original_bytes > len(piece.content) else ""
        yield Text(f"\n{time_text(piece.time)}  {whose}  (fact {piece.fact_sequence}, {piece.fact_kind}{cut})", "bold")
        yield Text(spelled(piece.content))


def spelled(content: bytes) -> str:
    """Text that a terminal can show: line ends and printable characters as they are, all else as escapes."""
    text = content.decode("utf-8", "backslashreplace")
    shown = "".join(
        character if character.isprintable() or character == "\n" else character.encode("unicode_escape").decode()
        for character in text[:EVIDENCE_CHARS_SHOWN]
    )
    return f"{shown} … ({len(text):,} characters)" if len(text) > EVIDENCE_CHARS_SHOWN else shown
