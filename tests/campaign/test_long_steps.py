"""The instrument that tells of long steps of the event loop."""

import gc
import time
from collections.abc import Callable

import trio

from tests.campaign import long_steps
from tests.campaign.long_steps import LongSteps

LONG_S = 0.02
WORK_S = 3 * LONG_S


def _work_here() -> None:
    until = time.thread_time() + WORK_S
    while time.thread_time() < until:
        pass


def _seen(work: Callable[[], None]) -> LongSteps:
    """What was seen of a task that does this between short steps."""

    async def busy() -> None:
        await trio.lowlevel.checkpoint()
        work()
        await trio.lowlevel.checkpoint()

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(busy)

    instrument = LongSteps(LONG_S)
    trio.run(main, instruments=[instrument])
    return instrument


def test_a_long_step_is_told_with_its_task_and_place() -> None:
    """Of three steps the long one is kept, with the function that was running amid it, and so is its round."""
    seen = _seen(_work_here)
    [step] = [one for one in seen.steps if one.task.endswith("busy")]
    assert step.seconds >= WORK_S
    assert any("_work_here" in place for place in step.where)
    assert any(any(name.endswith("busy") for name in one.tasks) for one in seen.rounds)


def test_a_collection_is_told_apart() -> None:
    """The garbage collector's seconds are those of the step in which it ran: they need another cure."""

    def collect() -> None:
        circles = [[] for _ in range(1_000)]  # type: list[list[object]]
        for circle in circles:
            circle.append(circle)
        del circles
        until = time.thread_time() + WORK_S
        while time.thread_time() < until:
            gc.collect()

    [step] = [one for one in _seen(collect).steps if one.task.endswith("busy")]
    assert step.collecting_s > step.seconds / 2


def test_what_is_kept_is_bounded() -> None:
    """However long a run, so many steps are kept at the most; the others are counted."""
    instrument = LongSteps(0.0)

    async def many() -> None:
        for _ in range(long_steps.KEPT_MAX + 10):
            await trio.lowlevel.checkpoint()

    trio.run(many, instruments=[instrument])
    assert len(instrument.steps) == long_steps.KEPT_MAX
    assert instrument.unkept >= 10
