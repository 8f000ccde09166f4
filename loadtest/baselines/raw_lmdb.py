"""Raw LMDB: `python -m loadtest.baselines.raw_lmdb FOLDER`. Four puts each, synced commits; one JSON line."""

import json
import sys
import time
from pathlib import Path

import lmdb

SECONDS = 0.8  # for each size of commit
SIZES = (1, 10, 100, 1_000)
VALUE = bytes(300)  # about one record
MAP_BYTES = 1 << 30


def instructions_per_s(environment: lmdb.Environment, size: int) -> float:
    """How many instructions are durable per second with `size` of them in each commit."""
    done, began_s = 0, time.perf_counter()
    while (took_s := time.perf_counter() - began_s) < SECONDS:
        with environment.begin(write=True) as transaction:
            for number in range(done, done + size):
                for table in b"krfo":
                    transaction.put(b"%c%d-%012d" % (table, size, number), VALUE)
        done += size
    return done / took_s


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    with lmdb.open(str(folder), map_size=MAP_BYTES, sync=True, metasync=True, writemap=False) as environment:
        print(json.dumps({str(size): instructions_per_s(environment, size) for size in SIZES}), flush=True)


if __name__ == "__main__":
    main()
