"""`causeway serve`, `check-config` and `verify`: the commands about a daemon, given on its own machine."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from gateway.cli.complaint import Complaint, Exit


def serve(chosen: argparse.Namespace) -> int:
    """Run the daemon until it is told to stop. Its exit code is ours."""
    from gateway.daemon import run

    return run(Path(chosen.config))


def check_config(chosen: argparse.Namespace) -> int:
    """Says what a configuration means; or every problem of every file, and exits with Exit.REFUSED."""
    from gateway.config import ConfigError, check

    try:
        lines = check(Path(chosen.file))
    except ConfigError as error:
        problems = str(error).splitlines()
        raise Complaint(
            f"{chosen.file} cannot be used",
            advice=problems,
            exit=Exit.REFUSED,
            facts={"problems": list(error.problems)},
        ) from error
    print("\n".join(lines))
    return Exit.DONE


def verify(chosen: argparse.Namespace) -> int:
    """Checks records, indexes and hash chain of a data directory. Exit.REFUSED when something does not add up."""
    from gateway.store.verify import verify as verify_store

    folder = Path(chosen.data_dir)
    if not folder.is_dir():
        raise Complaint(
            f"{folder} is no folder", advice=["name the daemon's data directory (data_dir in causeway.toml)"]
        )
    report = verify_store(folder)
    if chosen.json:
        print(json.dumps(asdict(report), ensure_ascii=False, default=str))
    else:
        print(report)
    return Exit.DONE if report.clean else Exit.REFUSED
