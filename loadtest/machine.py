"""What a figure depends on and cannot be seen in it: the machine, its disk, the versions, the commit."""

import os
import platform
import subprocess
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import quantiles
from typing import Any

FLUSHES = 60
BLOCK = bytes(4096)
PACKAGES = ("causeway", "trio", "h2", "jh2", "pyOpenSSL", "protobuf", "grpcio", "lmdb", "lxml", "hdrhistogram")


def flush_ms(folder: Path) -> dict[str, float]:
    """Time of an appended 4 KiB block and its fdatasync, in milliseconds, on the disk that `folder` is on."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "flush.probe"
    times = []
    with file.open("wb", buffering=0) as out:
        for _ in range(FLUSHES):
            began_s = time.perf_counter()
            out.write(BLOCK)
            os.fdatasync(out.fileno())
            times.append((time.perf_counter() - began_s) * 1e3)
    file.unlink()
    cuts = quantiles(times, n=100)
    return {"p50": round(cuts[49], 3), "p99": round(cuts[98], 3)}


def about() -> dict[str, Any]:
    """The machine, Python and the packages."""
    cpu = next((line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if "model name" in line), "")
    memory = next((line.split()[1] for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), "0")
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "kernel": platform.release(),
        "cpu": cpu,
        "cores": os.cpu_count(),
        "memory_bytes": int(memory) * 1024,
        "python": platform.python_version(),
        "load_average": list(os.getloadavg()),
        "versions": {name: found for name in PACKAGES if (found := _version(name))},
    }


def commit(folder: Path) -> str:
    """The commit of the checkout, with "+" where it has changes; "unknown" outside of one."""
    head = _git(folder, "rev-parse", "--short=12", "HEAD")
    return head + ("+" if head and _git(folder, "status", "--porcelain") else "") if head else "unknown"


def _git(folder: Path, *words: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""  # no git here: the commit is unknown, and the result says so
    return done.stdout.strip() if done.returncode == 0 else ""


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []
