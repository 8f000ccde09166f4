"""The last step of `make campaign`: `python -m tests.campaign.figures` writes what was measured into docs/safety.md.

Each line is read from one summary in build/campaign and carries the command, the machine and the commit of its run. A
campaign without a summary is "not run yet"; a summary with other names than these is shown as it is.
"""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.campaign.report import BUILD
from tests.tidy.generated_docs import Document, render
from tests.tidy.tree import ROOT

Summary = Mapping[str, Any]
HEAD: Final = ("campaign", "what was done", "what came of it", "command", "machine", "commit")


@dataclass(frozen=True, slots=True)
class Campaign:
    """How the summaries of one campaign are told. `done` and `came` get a summary; KeyError: it has other names."""

    name: str
    files: str
    command: Callable[[Summary], str]
    done: Callable[[Summary], str]
    came: Callable[[Summary], str]


def _crash(one: Summary) -> str:
    lost, double, complaints = (_count(one[name]) for name in ("lost", "double", "complaints"))
    ready = f"ready again in at most {one['ready_s_max']:.1f} s"
    return f"{lost} lost, {double} booked twice, {complaints} complaints; {ready}"


def _abuse(attacks: list[Summary]) -> str:
    ratios = {str(each["attack"]): each["others_p99_ratio"] or 0.0 for each in attacks}
    above = {attack: ratio for attack, ratio in ratios.items() if ratio >= OTHERS_P99_MAX}
    named = "".join(f"; NOT in {attack} ({ratio:.2f})" for attack, ratio in above.items())
    return (
        f"{sum(each['held'] for each in attacks)} ended as they must and failed no other client's call, memory grew "
        f"by at most {max(each['growth_mb'] for each in attacks):.0f} MB; another client's p99 stayed below "
        f"{OTHERS_P99_MAX:g} times its calm one in {len(attacks) - len(above)}{named}"
    )


def _overload(one: Summary) -> str:
    goodput = ", ".join(f"{share:.2f}" for share in one["goodput"].values())
    waits = ", ".join(
        f"{load['load']}x {'in streams' if load['streaming'] else 'call by call'} {load['shed_p50_ms']:.1f} / "
        f"{load['shed_p99_ms']:.1f} ms"
        for load in one["loads"]
        if load["answers"]["RESOURCE_EXHAUSTED"]
    )
    return f"goodput {goodput} of the first; refusals took (p50 / p99; 10 ms are wanted): {waits}"


OTHERS_P99_MAX: Final = 2.0
CAMPAIGNS: Final = (
    Campaign(
        "crash (kill -9)",
        "crash-[0-9]*.json",
        lambda one: f"python -m tests.campaign.crash --rounds {one['rounds']} --seed {one['seed']}",
        lambda one: f"seed {one['seed']}: {one['rounds']:,} rounds, {one['acknowledged']:,} payments acknowledged",
        _crash,
    ),
    Campaign(
        "restart",
        "restart*.json",
        lambda one: f"python -m tests.campaign.restart --payments {one['payments']}",
        lambda one: f"{one['payments']:,} open payments, {one['sending']:,} of them SENDING",
        lambda one: f"ready in at most {one['ready_s_max']:.1f} s",
    ),
    Campaign(
        "disk (strace)",
        "disk.json",
        lambda one: f"python -m tests.campaign.disk --every {one['every']} --seed {one['seed']}",
        lambda one: (
            f"seed {one['seed']}: every {one['every']}-th call, {one['runs']:,} runs with one failing call each"
        ),
        lambda one: f"{one['latched']:,} latched, {one['shed']:,} shed, {_count(one['complaints'])} complaints",
    ),
    Campaign(
        "backup and restore (kill -9)",
        "copies*.json",
        lambda one: str(one["command"]),
        lambda one: f"{one['kills']['backup']} kills amid a backup, {one['kills']['restore']} amid a restore",
        lambda one: f"{_count(one['complaints'])} complaints",
    ),
    Campaign(
        "rotation (GOAWAY)",
        "rotation*.json",
        lambda one: str(one["command"]),
        lambda one: (
            f"seed {one['seed']}: {one['rotations']:,} connections replaced under load ({', '.join(one['peers'])}), "
            f"{one['exchanges']:,} exchanges"
        ),
        lambda one: (
            f"{one['answered']:,} answered, {one['not_sent']:,} provably not sent and sent again, "
            f"{one['doubts']} doubts, {one['double']} processed twice"
        ),
    ),
    Campaign(
        "abuse of the edge",
        "abuse*.json",
        lambda one: str(one["command"]),
        lambda one: f"{len(one['attacks'])} attacks in full",
        lambda one: _abuse(one["attacks"]),
    ),
    Campaign(
        "overload",
        "overload*.json",
        lambda one: str(one["command"]),
        lambda one: f"{', '.join(one['goodput'])} of what it can take",
        lambda one: _overload(one),
    ),
    Campaign(
        "simulator",
        "sim*.json",
        lambda one: str(one["command"]),
        lambda one: f"{_count(one['seeds']):,} seeds, {one['payments']:,} payments, {_count(one['faults']):,} faults",
        lambda one: f"{_count(one['violations'])} violations",
    ),
)


def text(folder: Path = BUILD) -> str:
    """The table between the markers. Raises ValueError where a summary is no JSON object."""
    rows = [line for campaign in CAMPAIGNS for line in _lines(campaign, folder)]
    return "\n".join((_row(*HEAD), "|---" * len(HEAD) + "|", *rows))


def _lines(campaign: Campaign, folder: Path) -> Iterator[str]:
    files = sorted(folder.glob(campaign.files))
    if not files:
        yield _row(campaign.name, "not run yet")
    for file in files:
        one = json.loads(file.read_text())
        if not isinstance(one, dict):
            raise ValueError(f"{file}: no summary")
        yield _row(campaign.name, *_told(campaign, one), one.get("machine", "unknown"), one.get("commit", "unknown"))


def _told(campaign: Campaign, one: Summary) -> tuple[str, str, str]:
    """What was done, what came of it, and the command."""
    try:
        return campaign.done(one), campaign.came(one), f"`{campaign.command(one)}`"
    except (KeyError, TypeError, ValueError):  # another version's summary: its figures are worth more than our words
        plain = {name: each for name, each in one.items() if isinstance(each, int | float | str)}
        rest = ", ".join(
            f"{name} {each}" for name, each in plain.items() if name not in ("machine", "commit", "command")
        )
        return rest, "", f"`{one.get('command', 'unknown')}`"


def _count(value: Any) -> int:
    """A number, or how many there are in a list; a table of counts is added up."""
    if isinstance(value, Mapping):
        return sum(value.values())
    return value if isinstance(value, int) else len(value)


def _row(*cells: str) -> str:
    return f"| {' | '.join((*cells, *[''] * (len(HEAD) - len(cells))))} |"


FIGURES: Final = Document("docs/safety.md", text, part="figures", by="make campaign")


def main() -> int:
    file = ROOT / FIGURES.path
    file.write_text(render(FIGURES, file.read_text()))
    print(f"{FIGURES.path}: figures written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
