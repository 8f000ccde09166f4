"""docs/tutorial.md, run: whoever follows it gets what it says."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.e2e.stage import running_house

TUTORIAL = Path(__file__).resolve().parents[2] / "docs" / "tutorial.md"
RUN_S_MAX = 120


def test_the_tutorial_runs(tmp_path: Path) -> None:
    """Its code blocks, one after the other, against the demo's house."""
    code = "\n".join(re.findall(r"^```python\n(.*?)^```", TUTORIAL.read_text(), re.DOTALL | re.MULTILINE))
    assert code.count("SubmitPayment(") >= 4
    with running_house(tmp_path / "house") as house:
        environment = os.environ | {"CAUSEWAY_PROFILE": str(house.folder.profile)}
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=RUN_S_MAX
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "STATE_SETTLED" in done.stdout
