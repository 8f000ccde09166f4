"""`causeway load` (or `python -m loadtest`): run a scenario, compare two results, draw a result anew."""

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from loadtest import compare, document, report, scenario, stacks
from loadtest.figures import add_figures
from loadtest.http2 import PeerBroke
from loadtest.processes import Failed
from loadtest.run import Runner
from loadtest.targets import headline, table

NAME = "load"
SUMMARY = "measure: run a load scenario, compare results"
CANONICAL = "canonical"
FAILED, WRONG = 1, 2


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Mounts the command; the parsed arguments carry `run`."""
    parser = subparsers.add_parser(NAME, help=SUMMARY, description=SUMMARY)
    add_arguments(parser)
    parser.set_defaults(run=run)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`run [SCENARIO]`, `compare A B`, `report RESULT`, `document RESULT …`, `stacks FILE`."""
    acts = parser.add_subparsers(dest="act", required=True, metavar="WHAT")
    begin = acts.add_parser("run", help="run a scenario and write its result")
    begin.add_argument("scenario", nargs="?", default=CANONICAL, help=f"{', '.join(scenario.names())}, or a .toml file")
    begin.add_argument("--out", type=Path, default=Path("build/load"), metavar="DIR", help="default: build/load")
    begin.add_argument(
        "--scale", type=float, default=1.0, metavar="F", help="F times as long, F times as many payments"
    )
    both = acts.add_parser("compare", help="two results side by side, with what is only noise marked")
    both.add_argument("before", type=Path, metavar="A.json")
    both.add_argument("after", type=Path, metavar="B.json")
    draw = acts.add_parser("report", help="a result as one HTML page, on standard output")
    draw.add_argument("result", type=Path, metavar="RESULT.json")
    tell = acts.add_parser("document", help="results as the figures of a document, each with its commit")
    tell.add_argument("results", type=Path, nargs="+", metavar="RESULT.json")
    tell.add_argument("--into", type=Path, default=Path("docs/performance.md"), metavar="FILE.md")
    where = acts.add_parser("stacks", help="a profile of the daemon (sampled stacks) as shares of its rooms")
    where.add_argument("profile", type=Path, metavar="STACKS.txt", help="as `py-spy record --format raw` writes it")
    where.add_argument("--cpu-us", type=float, metavar="US", help="the daemon's CPU for each payment in that run")


def run(chosen: argparse.Namespace) -> int:
    """0 done · 1 a part of it failed, or money was lost or paid twice · 2 wrong usage."""
    acts = {"run": _run, "compare": _compare, "report": _report, "document": _document, "stacks": _stacks}
    return acts[chosen.act](chosen)


def _compare(chosen: argparse.Namespace) -> int:
    results = [_read(chosen.before), _read(chosen.after)]
    if None in results:
        return WRONG
    print("\n".join(compare.table(results[0] or {}, results[1] or {})))
    return 0


def _report(chosen: argparse.Namespace) -> int:
    result = _read(chosen.result)
    if result is None:
        return WRONG
    print(report.page(result), end="")
    return 0


def _stacks(chosen: argparse.Namespace) -> int:
    try:
        with chosen.profile.open() as lines:
            found = stacks.shares(lines)
    except (stacks.NoStacks, OSError, UnicodeDecodeError) as error:
        print(f"{chosen.profile}: {error}", file=sys.stderr)
        return WRONG
    print("\n".join(stacks.table(found, chosen.cpu_us)))
    return 0


def _document(chosen: argparse.Namespace) -> int:
    results = [_read(file) for file in chosen.results]
    whole = [one for one in results if one is not None]
    if len(whole) < len(results):
        return WRONG
    try:
        document.write(whole, chosen.into)
    except (document.NoPlace, OSError) as error:
        print(error, file=sys.stderr)
        return WRONG
    print(f"written: {chosen.into}")
    return 0


def _read(file: Path) -> dict[str, Any] | None:
    """None, with a sentence on standard error, for what is no result."""
    try:
        found = json.loads(file.read_text())
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        print(f"{file}: {error}", file=sys.stderr)
        return None
    if not isinstance(found, dict) or "normalised" not in found:
        print(f"{file}: is no result of a load run", file=sys.stderr)
        return None
    return found


def _run(chosen: argparse.Namespace) -> int:
    try:
        wanted = scenario.scaled(scenario.load(chosen.scenario), chosen.scale)
    except scenario.ScenarioBad as error:
        print(error, file=sys.stderr)
        return WRONG
    work = chosen.out / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        result = Runner(wanted, work.resolve(), lambda text: print(text, file=sys.stderr, flush=True)).run()
    except (Failed, PeerBroke, OSError) as error:
        print(f"load: {error}", file=sys.stderr)
        return FAILED
    add_figures(result)
    name = "result" if wanted.name == CANONICAL else wanted.name
    file = chosen.out / f"{name}.json"
    file.write_text(json.dumps(result, indent=1) + "\n")
    file.with_suffix(".html").write_text(report.page(result))
    print("\n".join([*headline(result), "", *table(result), "", f"written: {file}, {file.with_suffix('.html')}"]))
    return FAILED if result["lost"] or result["double"] else 0
