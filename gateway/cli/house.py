"""`causeway serve`, `check-config` and `verify`: the commands about a daemon, given on its own machine."""

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from gateway.cli.complaint import Complaint, Exit


def serve(chosen: argparse.Namespace) -> int:
    """Run the daemon until it is told to stop. Its exit code is ours."""
    from gateway.daemon import run

    failpoints = None if chosen.failpoints is None else Path(chosen.failpoints)
    return run(Path(chosen.config), failpoint_file=failpoints)


def check_config(chosen: argparse.Namespace) -> int:
    """Says what a configuration means; or every problem of every file, and exits with Exit.REFUSED."""
    from gateway.config import ConfigError, check, load
    from gateway.daemon import CannotStart, rehearse

    try:
        lines = check(Path(chosen.file))
        rehearse(load(Path(chosen.file)))
    except (ConfigError, CannotStart) as error:
        problems = str(error).splitlines()
        raise Complaint(
            f"{chosen.file} cannot be used", advice=problems, exit=Exit.REFUSED, facts={"problems": problems}
        ) from error
    print("\n".join(lines))
    return Exit.DONE


def verify(chosen: argparse.Namespace) -> int:
    """Checks records, indexes and hash chain of a data directory. Exit.REFUSED when something does not add up."""
    from gateway.store.environment import DataDirectoryUnusable

    folder = Path(chosen.data_dir)
    try:
        report = verified(folder)
    except DataDirectoryUnusable as error:
        advice = ["name the daemon's data directory: data_dir in its causeway.toml"]
        raise Complaint(f"{folder}: {error}", advice=advice) from error
    print(json.dumps(report.document(), ensure_ascii=False) if chosen.json else "\n".join(report.lines()))
    return Exit.DONE if report.whole else Exit.REFUSED


@dataclass(frozen=True, slots=True)
class Verified:
    """What the verifier saw, for people and for machines."""

    folder: str
    whole: bool
    payments: int
    facts: int
    head: str
    """Hash of the last fact, in hexadecimal."""
    finding_count: int
    findings: tuple[str, ...]

    def lines(self) -> list[str]:
        seen = f"{self.payments} payments, {self.facts} facts, the last of which has hash {self.head}"
        if self.whole:
            return [f"{self.folder} is whole: {seen}"]
        return [f"{self.folder} is NOT whole: {self.finding_count} findings in {seen}", *self.findings]

    def document(self) -> dict[str, object]:
        return asdict(self)


def verified(folder: Path) -> Verified:
    """The verifier's report on a data directory. Raises DataDirectoryUnusable. May run beside the daemon."""
    from gateway.store.verify import verify as verify_store

    report = verify_store(folder)
    findings = tuple(f"{finding.mapping} {finding.key}: {finding.what}" for finding in report.findings)
    return Verified(
        str(folder),
        report.whole,
        report.payments,
        report.facts,
        report.head.hex(),
        report.finding_count,
        findings,
    )
