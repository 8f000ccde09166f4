"""The wheel is what others install: it holds the four packages, the API's protos, and no tests."""

import subprocess
import sys
import zipfile
from pathlib import Path

from tests.tidy.tree import ROOT


def test_the_wheel_installs_the_daemon_the_adapters_the_load_tests_and_the_api(tmp_path: Path) -> None:
    """`causeway` is importable by clients without the daemon's sources beside it."""
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(tmp_path), "."]
    subprocess.run(build, cwd=ROOT, check=True, timeout=120)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    packages = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert packages == {"gateway", "adapters", "loadtest", "causeway"}
    assert "causeway/v1/payment_service.proto" in names
    assert "causeway/v1/payment_service_pb2_grpc.py" in names
