"""The baselines, measured in the same run, by the same generator, on the same cores."""

import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from loadtest import processes
from loadtest.generator import Plan
from loadtest.link import Address
from loadtest.meters import use_of
from loadtest.processes import Cores, Failed

SECONDS = 4.5
WARMUP_S = 1.0
IN_FLIGHT_UNARY = 64
IN_FLIGHT_STREAM = 1_000
RUN = "baseline"


def measure_baselines(folder: Path, cores: Cores) -> Iterator[tuple[str, dict[str, Any]]]:
    """One after the other: name, and per_s, from_s, to_s (Unix seconds) and more. Raises Failed."""
    folder.mkdir(parents=True, exist_ok=True)
    yield "grpcio_unary", _echo("loadtest.baselines.echo_sync", folder, cores, streaming=False)
    yield "grpc_aio_stream", _echo("loadtest.baselines.echo_aio", folder, cores, streaming=True)
    yield "generator_ceiling_unary", _echo("loadtest.mirror", folder, cores, streaming=False)
    yield "generator_ceiling_stream", _echo("loadtest.mirror", folder, cores, streaming=True)
    yield "lmdb", _lmdb(folder, cores)


def _echo(module: str, folder: Path, cores: Cores, *, streaming: bool) -> dict[str, Any]:
    server = processes.start(module, ["-m", module], folder / "echo.log", cores.server)
    try:
        plan = Plan(
            address=Address("127.0.0.1", int(server.ready["port"])),
            run=RUN,
            kind="echo",
            streaming=streaming,
            connections=1 if streaming else 4,
            in_flight=IN_FLIGHT_STREAM if streaming else IN_FLIGHT_UNARY,
            seconds=SECONDS,
            warmup_s=WARMUP_S,
        )
        began_s, used_s = time.time(), use_of(server.pid).cpu_s
        result = _generate(plan, folder, cores)
        ended_s, used_s = time.time(), use_of(server.pid).cpu_s - used_s
    finally:
        server.stop()
    done = max(int(result["sent"]), 1)
    return {
        "per_s": result["per_s"],
        "from_s": began_s,
        "to_s": ended_s,
        "p99_ms": result["latency_ms"]["p99"],
        "cpu_us": round(used_s / done * 1e6, 2),
        "generator_cpu_us": round(result["generator_cpu_s"] / done * 1e6, 2),
    }


def _generate(plan: Plan, folder: Path, cores: Cores) -> dict[str, Any]:
    file = folder / "plan.json"
    file.write_text(json.dumps(asdict(plan)))
    words = ["-m", "loadtest.generator", str(file)]
    generator = processes.start("generator", words, folder / "generator.log", cores.load, wait=False)
    try:
        for said in generator.lines():
            if "result" in said:
                return dict(said["result"])
    finally:
        generator.stop()
    raise Failed(f"a baseline could not be measured:\n{generator.tail()}")


def _lmdb(folder: Path, cores: Cores) -> dict[str, Any]:
    began_s = time.time()
    words = ["-m", "loadtest.baselines.raw_lmdb", str(folder / "lmdb")]
    process = processes.start("raw_lmdb", words, folder / "lmdb.log", cores.server)
    process.child.wait(processes.STOP_S_MAX)
    process.stop()
    by_size = {str(size): float(per_s) for size, per_s in process.ready.items()}
    return {"per_s": by_size["100"], "by_commit_size": by_size, "from_s": began_s, "to_s": time.time()}
