"""From the instruction to ACCEPTED and recorded: the daemon's own time stamps, read after the load has ended.

Nobody watches while it runs: a watcher would be one more load. The bank's ledger says when each request was there.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from loadtest.house import House
from loadtest.instructions import RUN_CHARS
from loadtest.tally import Latencies

TAKEN = ("ACCEPTED", "SETTLED")


def journeys(house: House, run: str, result: dict[str, Any], due: Sequence[float], warmup_s: float) -> dict[str, Any]:
    """`result` is the generator's. Latency counts from when a request was due.

    per_s: payments taken by the bank, from the first received to the last recorded. to_bank_ms: from received to the
    request in the bank's hands.
    """
    began_s = float(result["started_unix_s"])
    fates = [fate for fate in house.asker.fates() if fate.key[:RUN_CHARS] == run]
    taken = [fate for fate in fates if fate.state in TAKEN]
    booked = {row.end_to_end_id: row.booked_at for row in house.ledger.rows() if row.end_to_end_id[:RUN_CHARS] == run}
    whole, to_bank = Latencies(), Latencies()
    per_second: Counter[int] = Counter()
    over_1s = 0
    for fate in taken:
        per_second[int(fate.updated_s - began_s)] += 1
        due_s = due[int(fate.key[RUN_CHARS + 1 :])]
        if due_s < warmup_s:
            continue
        waited_s = fate.updated_s - began_s - due_s
        whole.record(waited_s)
        over_1s += waited_s > 1.0
        if fate.key in booked:
            to_bank.record(booked[fate.key] - fate.received_s)
    first_s = min((fate.received_s for fate in fates), default=0.0)
    last_s = max((fate.updated_s for fate in taken), default=first_s)
    return {
        "whole_count": len(taken),
        "admitted": len(fates),
        "states": dict(Counter(fate.state for fate in fates)),
        "per_s": len(taken) / (last_s - first_s) if last_s > first_s else 0.0,
        "latency_ms": whole.summary(),
        "over_1s_share": over_1s / whole.count if whole.count else 0.0,
        "to_bank_ms": to_bank.summary(),
        "per_second": [per_second[second] for second in range(max(per_second, default=-1) + 1)],
    }
