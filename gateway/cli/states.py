"""`causeway states`: the table of states, printed from the table itself (gateway.core.states). No network library."""

import argparse
import json

from gateway.core.states import ENDS, MEANING, STEPS, State


def run(chosen: argparse.Namespace) -> int:
    if chosen.markdown:
        print(markdown())
    elif chosen.json:
        print(json.dumps(document(), ensure_ascii=False))
    else:
        _print_table()
    return 0


def next_states(state: State) -> list[str]:
    """The states that may directly follow, in the order of the journey."""
    after = {target for (source, _), target in STEPS.items() if source == state and target != state}
    return [each.value for each in State if each in after]


def markdown() -> str:
    """The table as README.md carries it; the tidy tests compare both."""
    lines = ["| state | meaning | ISO 20022 | may become |", "|---|---|---|---|"]
    for state, (meaning, iso) in MEANING.items():
        name = f"**{state.value}**" if state in ENDS else state.value
        lines.append(f"| {name} | {meaning} | {iso} | {', '.join(next_states(state)) or '–'} |")
    return "\n".join(lines)


def document() -> list[dict[str, object]]:
    """For machines: one object per state; `on` maps what can happen to the state after it."""
    return [
        {
            "state": state.value,
            "meaning": meaning,
            "iso20022": iso,
            "end": state in ENDS,
            "on": {kind.value: target.value for (source, kind), target in STEPS.items() if source == state},
        }
        for state, (meaning, iso) in MEANING.items()
    ]


def _print_table() -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("STATE", "MEANING", "ISO 20022", "MAY BECOME"):
        table.add_column(name, overflow="fold")
    for state, (meaning, iso) in MEANING.items():
        style = "bold white on red" if state is State.IN_DOUBT else "bold green" if state in ENDS else ""
        table.add_row(Text(state.value, style=style), meaning, iso, ", ".join(next_states(state)) or "–")
    out = Console(highlight=False)
    out.print(table)
    out.print("\nGreen states are ends. Only evidence, or two people, lead out of IN_DOUBT; no timer does.")
