"""What a set of runs tells people: figures, faults by kind, steps of the table never taken, and how to replay."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from gateway.core.states import STEPS
from tests.sim.world import Outcome

ELSEWHERE = {
    "checks before a payment is queued are to come; now it is, in the commit that admits it": ("RECEIVED/*",),
    "a rejection of an older message: tests/scenarios": ("ACCEPTED/contradicted", "IN_DOUBT/contradicted"),
}
"""Steps that nothing in a run makes happen, by the reason."""


def is_elsewhere(step: str) -> bool:
    state, _, kind = step.partition("/")
    return any({step, f"{state}/*", f"*/{kind}"} & set(steps) for steps in ELSEWHERE.values())


def untaken(outcomes: Sequence[Outcome]) -> tuple[list[str], list[str]]:
    """Steps of the table that no run took: those that should be, and those of ELSEWHERE."""
    taken = {step for outcome in outcomes for step in outcome.steps}
    missing = [f"{state.value}/{kind.value}" for state, kind in STEPS if (state, kind) not in taken]
    return [step for step in missing if not is_elsewhere(step)], [step for step in missing if is_elsewhere(step)]


def line(outcome: Outcome) -> str:
    """One run in a line."""
    speed = outcome.simulated_s / max(outcome.real_s, 1e-9)
    states = " ".join(f"{state}={count}" for state, count in sorted(outcome.states.items()))
    store = "lmdb" if outcome.lmdb else "memory"
    return (
        f"seed {outcome.seed:>6}  {store:<6}  {outcome.payments:>4} payments  {outcome.processes:>4} processes  "
        f"{outcome.simulated_s / 3600:>6.1f} h in {outcome.real_s:>5.2f} s ({speed:>9,.0f}x)  {outcome.digest[:12]}  "
        f"{outcome.broken or states}"
    )


def figures(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """What docs/safety.md tells of them."""
    faults: Counter[str] = Counter()
    for outcome in outcomes:
        faults += outcome.faults
    return {
        "seeds": [outcome.seed for outcome in outcomes],
        "payments": sum(outcome.payments for outcome in outcomes),
        "checks": sum(outcome.checks for outcome in outcomes),
        "simulated_days": round(sum(outcome.simulated_s for outcome in outcomes) / 86_400, 1),
        "faults": dict(faults),
        "violations": [f"seed {outcome.seed}: {outcome.broken}" for outcome in outcomes if outcome.broken],
    }


def summary(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """All runs together."""
    simulated_s, real_s = (sum(getattr(one, name) for one in outcomes) for name in ("simulated_s", "real_s"))
    faults: Counter[str] = Counter()
    for outcome in outcomes:
        faults += outcome.faults
    yield f"seeds       {len(outcomes)}"
    yield f"payments    {sum(one.payments for one in outcomes):,}"
    yield f"processes   {sum(one.processes for one in outcomes):,}"
    speed = simulated_s / max(real_s, 1e-9)
    yield f"time        {simulated_s / 86_400:,.1f} simulated days in {real_s:,.1f} s: {speed:,.0f}x"
    yield f"checks      {sum(one.checks for one in outcomes):,}"
    yield f"faults      {faults.total():,} of {len(faults)} kinds"
    for fault, count in faults.most_common():
        yield f"            {count:>8,}  {fault}"
    missing, later = untaken(outcomes)
    yield f"steps       {len(STEPS) - len(missing) - len(later)} of {len(STEPS)} legal steps taken"
    yield f"never taken {', '.join(missing) or 'none that this version can take'}"
    yield f"elsewhere   {', '.join(later) or 'none'}"
    broken = [outcome for outcome in outcomes if outcome.broken]
    yield f"violations  {len(broken)}"
    for outcome in broken:
        yield f"  seed {outcome.seed}: {outcome.broken}"
        yield f"  replay: make sim SEEDS={outcome.seed}"
