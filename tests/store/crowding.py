"""A program that reads a store as often at once as it is let, says how often that was and why not more, and stays until
its input ends.

Usage: python -m tests.store.crowding DIRECTORY
"""

import sys
from pathlib import Path
from typing import Any

from gateway.store.environment import READERS_MAX, DataDirectoryUnusable, begin_reading, opened_for_reading


def main(path: str) -> None:
    with opened_for_reading(Path(path)) as maps:
        held: list[Any] = []
        try:
            for _ in range(READERS_MAX + 1):
                held.append(begin_reading(maps.env))
        except DataDirectoryUnusable as error:
            print(f"{len(held)} {error}", flush=True)
        sys.stdin.read()
        for txn in held:
            txn.abort()


if __name__ == "__main__":
    main(sys.argv[1])
