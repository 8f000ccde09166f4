"""`make lint`, the buf part: our protos against buf's STANDARD rules, without network.

buf would fetch google/type and google/rpc from its own registry. So a workspace of two modules is laid in build/buf:
ours, and the protos that googleapis-common-protos installed (read, not linted). npm brings the buf binary.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.tidy.generate import google_apis
from tests.tidy.tree import ROOT

BUILD = ROOT / "build"
INSTALL_S_MAX = 300
LINT_S_MAX = 60
FOREIGN = ("google/type", "google/rpc", "google/api")


def main() -> int:
    if shutil.which("npm") is None:
        print("skipped: buf lint (1 check; it needs npm)")
        return 0
    buf = BUILD / "npm" / "node_modules" / ".bin" / "buf"
    if not buf.exists():
        install = ["npm", "install", "--silent", "--no-fund", "--no-audit", "--no-save", "--prefix", BUILD / "npm"]
        subprocess.run([*install, "@bufbuild/buf"], check=True, timeout=INSTALL_S_MAX)
    done = subprocess.run([buf, "lint"], cwd=lay_workspace(BUILD / "buf"), timeout=LINT_S_MAX)
    return done.returncode


def lay_workspace(folder: Path) -> Path:
    """The workspace, made anew in `folder`; the rules are those of protos/buf.yaml."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "protos", folder / "protos", ignore=shutil.ignore_patterns("*.py", "*.pyi", "buf.yaml"))
    for part in FOREIGN:
        target = folder / "googleapis" / part
        target.mkdir(parents=True)
        for proto in (google_apis() / part).glob("*.proto"):
            shutil.copy(proto, target)
    version, rules = (ROOT / "protos" / "buf.yaml").read_text().split("\n", 1)
    modules = "modules:\n  - path: protos\n  - path: googleapis\n    lint:\n      ignore:\n        - googleapis\n"
    (folder / "buf.yaml").write_text(f"{version}\n{modules}{rules}")
    return folder


if __name__ == "__main__":
    sys.exit(main())
