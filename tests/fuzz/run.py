"""The fuzz targets without end: `make fuzz MINUTES=…`, or `python -m tests.fuzz.run --minutes M [--only WORD]`.

A target is a hypothesis test; hypothesis turns the fuzzer's bytes into its arguments. Where atheris is installed it
chooses them by coverage, elsewhere they are random and mutated. What reached new places stays in build/fuzz for the
next run. A failure is kept by hypothesis, so that `make test` shows it, small; exit 1.
"""

import argparse
import importlib
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

try:
    import atheris
except ImportError:  # no wheel for this Python or machine
    atheris = None

MODULES: Final = (
    "tests.fuzz.test_rpc",
    "tests.fuzz.test_decoders",
    "tests.adapters.test_reader",
    "tests.net.test_quick_frames",
    "tests.net.test_quick_hpack",
    "tests.net.test_response_rules",
)
INSTRUMENTED: Final = ["gateway", "adapters", "h2", "hpack", "hyperframe"]
CORPUS: Final = Path("build/fuzz")
CORPUS_MAX: Final = 2_000  # inputs kept of one target where atheris does not tend them
INPUT_BYTES_MAX: Final = 4_096
GRACE_S: Final = 60.0  # beyond its time, for a target to start and stop


def targets() -> Iterator[str]:
    """ "module:test" of every hypothesis test that takes nothing but drawn arguments."""
    for name in MODULES:
        for attribute, value in vars(importlib.import_module(name)).items():
            if attribute.startswith("test_") and hasattr(value, "hypothesis") and not hasattr(value, "pytestmark"):
                yield f"{name}:{attribute}"


def entry(target: str) -> Callable[[bytes], bytes | None]:
    """Runs the target on bytes; returns what it used of them, or None where they made no arguments."""
    name, _, attribute = target.partition(":")
    test: Any = getattr(importlib.import_module(name), attribute)
    take: Callable[[bytes], bytes | None] = test.hypothesis.fuzz_one_input
    return take


def fuzz(target: str, seconds: float) -> None:
    """One target in this process, until its time is over; an exception is a finding."""
    corpus = CORPUS / target.replace(":", ".")
    corpus.mkdir(parents=True, exist_ok=True)
    if atheris is None:
        at_random(entry(target), corpus, seconds)
        return
    with atheris.instrument_imports(include=INSTRUMENTED):
        take = entry(target)
    artifacts = f"-artifact_prefix={CORPUS}/failed-"
    options = [f"-max_total_time={int(seconds)}", f"-max_len={INPUT_BYTES_MAX}", "-verbosity=0", artifacts]
    atheris.Setup([target, *options, str(corpus)], lambda data: take(bytes(data)) and None)
    atheris.Fuzz()


def at_random(take: Callable[[bytes], bytes | None], corpus: Path, seconds: float) -> None:
    """Random bytes, and mutations of those that made arguments before."""
    dice = random.Random(seed := int.from_bytes(os.urandom(8), "big"))
    kept = [file.read_bytes() for file in sorted(corpus.iterdir())[:CORPUS_MAX]]
    until, runs = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        data = mutated(dice, dice.choice(kept)) if kept and dice.random() < 0.7 else b""
        data = data or dice.randbytes(dice.randrange(1, INPUT_BYTES_MAX))
        used = take(data)
        runs += 1
        if used and len(kept) < CORPUS_MAX:
            kept.append(used)
            (corpus / sha256(used).hexdigest()[:24]).write_bytes(used)
    print(f"  {runs} runs, seed {seed}", flush=True)


def mutated(dice: random.Random, data: bytes) -> bytes:
    at, cut = dice.randrange(len(data)), dice.randrange(9)
    return data[:at] + dice.randbytes(dice.randrange(9)) + data[at + cut :]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0, help="of all targets together")
    parser.add_argument("--only", default="", help="targets whose name has this")
    parser.add_argument("--target", help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.target:
        fuzz(asked.target, asked.seconds)
        return 0
    chosen = [target for target in targets() if asked.only in target]
    seconds = max(1.0, 60.0 * asked.minutes / max(1, len(chosen)))
    print(f"{len(chosen)} targets, {seconds:.0f} s each, {'by coverage' if atheris else 'at random'}", flush=True)
    failed = [target for target in chosen if not alone(target, seconds)]
    for target in failed:
        print(f"FAILED {target}: run it with `make test ARGS=tests/{target.split('.', 1)[1].split(':')[0]}.py`")
    return 1 if failed else 0


def alone(target: str, seconds: float) -> bool:
    """In a process of its own: atheris never returns, and a leak of one target is not another's."""
    print(target, flush=True)
    command = [sys.executable, "-m", "tests.fuzz.run", "--target", target, "--seconds", str(seconds)]
    try:
        return subprocess.run(command, timeout=seconds + GRACE_S, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        print("  did not stop in time: an input on which it hangs")
        return False


if __name__ == "__main__":
    sys.exit(main())
