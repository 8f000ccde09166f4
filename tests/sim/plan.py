"""What a seed makes of a run: how much, how bad, and with which profiles. Each run has only some of the faults, in
its own measure: runs that have them all look alike, and the rare meetings of two of them never come."""

import random
from dataclasses import dataclass, field
from typing import Final

from gateway.config import BankProfile, CollectPolicy, InquiryPolicy, LanePolicy
from gateway.core.ports import Declaration
from tests.fakes.bank import DECLARATION
from tests.fakes.house import profile
from tests.sim.bank import LETTER_FAULTS, QUESTION_FAULTS, SUBMISSION_FAULTS
from tests.sim.determinism import stream
from tests.sim.outsiders import Habits
from tests.sim.tongue import TRIPS, Iso20022, Plain, Tongue

LMDB_SHARE: Final = 0.1
"""Of the seeds, over the real store (where the run asks for a mixture)."""
CLAIMING_SHARE: Final = 0.15
"""Of the banks: they turn most away and say that they have it."""
PAYMENTS: Final = (20, 60, 120)
LOSS_SHARE: Final = 0.2
"""Of the ends of processes that take the disk with them, where there is a backup and the plan has losses left."""
LIVES: Final = 60
"""Processes of a run, about, where the seed wants them to live a minute each."""
CALM_S: Final = 8 * 3600.0
"""With everybody well-behaved: longer than any back-off, breaker, inquiry plan and final word of these profiles."""
LAST_SENDS_S: Final = 3000.0
"""For what people have freed last to be sent, by whichever lane: a bank that has it then says its final word with the
last letters. Seed 160: one that was freed in the last hour was taken, and the run ended before that word."""
LAST_LETTERS_S: Final = 3600.0
"""For the banks' last letters to be fetched."""


@dataclass(frozen=True, slots=True)
class BankPlan:
    profile: BankProfile
    tongue: Tongue
    weights: dict[str, float]
    sleeps_h_max: float
    line: float
    """Share of the submissions that wait before they become bytes."""
    line_s_max: float


@dataclass(frozen=True, slots=True)
class Plan:
    seed: int
    payments: int
    banks: tuple[BankPlan, ...]
    habits: Habits
    chaos_s: float
    """Simulated time in which things go wrong."""
    life_s_max: tuple[float, ...]
    down_s_max: tuple[float, ...]
    drain: float
    """Share of the ends of processes that are asked for."""
    crash_at_commit: float
    full: float
    clock_set: float
    """Chance that the wall clock was set between two processes, and every few hours that it is while one runs."""
    clerks_every_s: float
    """How often two people look at what is in doubt; 0: never."""
    officers_every_s: float
    """How often compliance looks at what is queued and held; 0: never."""
    restores_max: int
    """How often the disk is lost at most."""
    backup_every_s: float
    lag_max: int
    lmdb: bool
    tenants: tuple[str, ...] = field(default=("acme", "globex"))


def plan(seed: int, *, store: str = "mixed") -> Plan:
    """The run of a seed. `store`: memory, lmdb, or mixed (a share of the seeds over the real one)."""
    dice = stream(seed, "plan")
    names = ("northbank", "southbank")[: dice.choice((1, 2, 2))]
    lmdb = dice.random() < LMDB_SHARE
    calm = dice.random()
    life_s_max = dice.choice(((5.0, 60.0), (60.0, 3600.0), (1800.0, 7200.0)))
    restores_max = dice.choice((0, 0, 1, 3))
    officers_every_s = dice.choice((0.0, 0.0, 20.0, 1800.0))
    return Plan(
        seed=seed,
        payments=dice.choice(PAYMENTS),
        banks=tuple(_bank(name, dice) for name in names),
        habits=Habits(
            hang_up=dice.choice((0.0, 0.1, 0.3)),
            replay=dice.choice((0.0, 0.2)),
            reuse_key=dice.choice((0.0, 0.2)),
            cancel=dice.choice((0.0, 0.1, 0.5)),
            invalid=dice.choice((0.0, 0.1)),
            unsayable=dice.choice((0.0, 0.05)),
            defects=(TRIPS,) if officers_every_s else (),
            batch_max=dice.choice((1, 4, 16)),
            pause_s_max=dice.choice((1.0, 60.0, 900.0)),
        ),
        chaos_s=min(dice.choice((0.5, 3.0, 10.0)) * 3600, LIVES * max(life_s_max)),
        life_s_max=life_s_max,
        down_s_max=dice.choice(((2.0,), (2.0, 600.0), (60.0, 7200.0))),
        drain=dice.choice((0.0, 0.3, 1.0)),
        crash_at_commit=0.0 if calm < 0.3 else dice.choice((0.005, 0.02, 0.1)),
        full=dice.choice((0.0, 0.05)),
        clock_set=dice.choice((0.0, 0.0, 0.3)),
        lag_max=dice.choice((3, 50)),
        # A quarantine waits for the last doubt, and some doubts only people end.
        clerks_every_s=dice.choice((600.0, 1800.0) if restores_max else (0.0, 0.0, 600.0, 7200.0)),
        officers_every_s=officers_every_s,
        restores_max=restores_max,
        backup_every_s=dice.choice((60.0, 1800.0)),
        lmdb=store == "lmdb" or (store == "mixed" and lmdb),
    )


def _bank(name: str, dice: random.Random) -> BankPlan:
    visibility_s = dice.choice((30.0, 60.0, 300.0))
    lines_max = dice.choice((1, 3, 10))
    declaration = Declaration(
        duplicate_key=DECLARATION.duplicate_key,
        duplicate_window_s=dice.choice((0, 0, 2 * 3600, 4 * 3600)),
        inquiry=True,
        not_found_is_proof=dice.random() < 0.8,
        visibility_s=visibility_s,
        statement_evidence=DECLARATION.statement_evidence,
        bulk_lines_max=lines_max,
    )
    return BankPlan(
        profile=profile(
            name,
            lane=LanePolicy(
                in_flight_max=dice.choice((1, 2, 8)),
                request_timeout_s=dice.choice((2.0, 10.0, 25.0)),
                retry_max_s=dice.choice((30.0, 300.0)),
                breaker_failures=dice.choice((1, 5)),
                breaker_open_s=dice.choice((5.0, 60.0)),
                bulk_lines_max=lines_max,
            ),
            inquiry=InquiryPolicy(
                first_after_s=dice.choice((20.0, 90.0)),
                again_after_s=dice.choice((60.0, 600.0)),
                per_payment_max=dice.choice((1, 3, 5)),
                per_second_max=dice.choice((0.5, 5.0)),
                follow_after_s=900.0,
                follow_again_s=1800.0,
                follow_max=3,
            ),
            collect=CollectPolicy(every_s=dice.choice((30.0, 120.0))),
        ),
        tongue=_tongue(declaration, dice),
        weights=_weights(dice),
        sleeps_h_max=dice.choice((0.0, 0.5, 5.0)),
        line=dice.choice((0.0, 0.2, 0.8)),
        line_s_max=dice.choice((1.0, 10.0, 30.0)),
    )


def _tongue(declaration: Declaration, dice: random.Random) -> Tongue:
    if dice.random() < 0.7:
        return Plain(declaration)
    proof, visibility_s = declaration.not_found_is_proof, declaration.visibility_s
    return Iso20022(
        {
            "not_found_is_proof": proof,
            "visibility_s": visibility_s,
            "duplicate_window_s": declaration.duplicate_window_s,
            "bulk_lines_max": declaration.bulk_lines_max,
            "pain001_version": dice.choice(("001.09", "001.03")),
        }
    )


def _weights(dice: random.Random) -> dict[str, float]:
    """Some faults of each kind, with chances that leave room for what goes well."""
    weights: dict[str, float] = {}
    for faults in (SUBMISSION_FAULTS, QUESTION_FAULTS, LETTER_FAULTS):
        chosen = dice.sample(faults, dice.randint(0, len(faults)))
        rate = dice.choice((0.1, 0.4, 0.8))
        weights.update({fault: weights.get(fault, 0.0) + rate / max(1, len(chosen)) for fault in chosen})
    if dice.random() < CLAIMING_SHARE:
        weights.update({"throttled": 0.8, "claims_what_it_refused": 0.8})
    return weights
