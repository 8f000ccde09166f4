"""`causeway load` (or `python -m loadtest`): run a scenario, compare two results, draw a result anew."""

import argparse
import json
import shutil
import sys
from pathlib import Path

from loadtest import scenario
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
    """`run [SCENARIO]` and `compare A B`."""
    acts = parser.add_subparsers(dest="act", required=True, metavar="WHAT")
    begin = acts.add_parser("run", help="run a scenario and write its result")
    begin.add_argument("scenario", nargs="?", default=CANONICAL, help=f"{', '.join(scenario.names())}, or a .toml file")
    begin.add_argument("--out", type=Path, default=Path("build/load"), metavar="DIR", help="default: build/load")


def run(chosen: argparse.Namespace) -> int:
    """0 done · 1 a part of it failed, or money was lost or paid twice · 2 wrong usage."""
    return _run(chosen)


def _run(chosen: argparse.Namespace) -> int:
    try:
        wanted = scenario.load(chosen.scenario)
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
    print("\n".join([*headline(result), "", *table(result), "", f"written: {file}"]))
    return FAILED if result["lost"] or result["double"] else 0
