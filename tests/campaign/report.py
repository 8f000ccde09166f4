"""Summaries of campaigns, as docs/safety.md's figures come from them: one JSON file each under build/campaign."""

import json
import os
import platform
import subprocess
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
BUILD: Final = ROOT / "build" / "campaign"


def provenance() -> dict[str, str]:
    """Where and of what a figure is: the commit (marked where the tree differs from it) and the machine."""
    commit = _git("rev-parse", "--short=12", "HEAD") or "unknown"
    # The figures themselves are written into docs/safety.md: a tree that differs in nothing else is still the commit.
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs/safety.md")
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    return {"commit": f"{commit}+changes" if changed else commit, "machine": machine}


def written(file: Path, document: dict[str, Any]) -> None:
    """Replaces the file whole, so that whoever reads it never sees half."""
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_suffix(".new")
    new.write_text(json.dumps(document, indent=1) + "\n")
    new.replace(file)


def _git(*words: str) -> str:
    """ "" without a git checkout."""
    try:
        done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, timeout=30)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
