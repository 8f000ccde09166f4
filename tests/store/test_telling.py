"""Claims about how the callers of a commit are told."""

import time

import trio
import trio.testing

from gateway import limits
from gateway.store.job import Job
from gateway.store.telling import ANSWER_S, Telling


async def told_by_turn(jobs: list[Job], work_s: float) -> list[int]:
    """How many writes were answered in each turn of the loop, where others work so long in each."""
    turns, now = [], 0

    def told(job: Job) -> None:
        nonlocal now
        now += job.weight

    Telling(trio.lowlevel.current_trio_token(), told).tell(jobs, sheds=False)
    while not jobs[-1].done.is_set():
        turns.append(now)
        now = 0
        end = time.thread_time() + work_s
        while time.thread_time() < end:
            pass
        await trio.lowlevel.checkpoint()
    return [*turns, now]


def jobs(count: int, weight: int = 1) -> list[Job]:
    return [Job(lambda batch: None, weight, sheddable=True) for _ in range(count)]


async def test_a_part_is_counted_in_answers() -> None:
    """Callers that wait for many writes at once count for as many: of twenty with sixteen writes each two are told in a
    turn; a turn that we see may hold the end of one and the beginning of the next."""
    turns = [turn for turn in await told_by_turn(jobs(20, 16), 0.0) if turn]
    assert turns[0] == limits.COMMIT_TOLD_MAX
    assert sum(turns) == 320
    assert max(turns) <= 2 * limits.COMMIT_TOLD_MAX


async def test_in_long_turns_more_are_told() -> None:
    """Where others take much of each turn, answers take as much, and not a fixed part that is next to nothing."""
    others_s = 4 * limits.COMMIT_TOLD_MAX * ANSWER_S
    turns = [turn for turn in await told_by_turn(jobs(1_000), others_s) if turn]
    assert turns[0] == limits.COMMIT_TOLD_MAX
    assert min(turns[1:-1]) >= 4 * limits.COMMIT_TOLD_MAX
