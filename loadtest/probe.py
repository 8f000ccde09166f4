"""How fast a core is just now: a fixed piece of work, timed ten times a second, about 1 % of the core.

A virtual core may run at two speeds 1.7 apart and no counter says so. What is timed is the thread's own CPU time, so
that waiting for the core does not count, only its speed: `python -m loadtest.probe FILE` on the core in question.
"""

import json
import signal
import sys
import threading
import time
from pathlib import Path
from statistics import median

EVERY_S = 0.1
REFERENCE_US = 1_000.0
"""Normalised figures are what a core would give on which the piece of work takes so long."""

_ROUNDS = 11_000


def piece_of_work() -> int:
    """Plain interpreter work: arithmetic and a small list, no allocation that grows."""
    found, cells = 0, [0] * 64
    for number in range(_ROUNDS):
        cells[number & 63] = found
        found = (found * 31 + number) & 0xFFFF
    return found


def timed_us() -> float:
    """CPU microseconds of one piece of work."""
    began_ns = time.thread_time_ns()
    piece_of_work()
    return (time.thread_time_ns() - began_ns) / 1e3


def read(file: Path, from_unix_s: float, to_unix_s: float) -> float:
    """The median in a window of time, in microseconds; of all there is where the window holds none; 0.0 without any."""
    lines = [json.loads(line) for line in file.read_text().splitlines() if line.endswith("]")] if file.exists() else []
    inside = [us for at_s, us in lines if from_unix_s <= at_s <= to_unix_s]
    return float(median(inside or [us for _, us in lines] or [0.0]))


def main() -> None:
    """Writes [Unix seconds, microseconds] lines until SIGTERM."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with Path(sys.argv[1]).open("w", buffering=1) as out:
        print(json.dumps({"ready": True}), flush=True)
        while not stop.wait(EVERY_S):
            out.write(json.dumps([round(time.time(), 3), round(timed_us(), 1)]) + "\n")


if __name__ == "__main__":
    main()
