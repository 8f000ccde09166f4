"""Claims about the queue to the writer: it gathers under load, and never holds back what stands alone."""

import threading

from gateway import limits
from gateway.store.job import Job
from gateway.store.waiting import Waiting

LONG_S = 30.0


def jobs(count: int, weight: int = 1) -> list[Job]:
    return [Job(lambda batch: None, weight, sheddable=False) for _ in range(count)]


def whole() -> int:
    return limits.COMMIT_PAYMENTS_MAX


def add(queue: Waiting, count: int, weight: int = 1) -> None:
    queue.add(jobs(count, weight), count * weight)


def test_what_is_there_is_taken_in_its_order_and_no_more_than_a_commit_takes() -> None:
    """A job is never split, never overtaken, and never makes a commit too large."""
    queue = Waiting()
    first, second = jobs(1, limits.COMMIT_PAYMENTS_MAX - 1), jobs(2)
    queue.add([*first, *second], limits.COMMIT_PAYMENTS_MAX + 1)
    assert queue.take(LONG_S, whole) == [*first, second[0]]
    assert queue.take(LONG_S, whole) == [second[1]]


def test_a_commit_is_as_large_as_the_writer_wants_it_and_a_job_is_never_split() -> None:
    """While others are refused commits are small; what one caller hands in together stays together all the same."""
    queue = Waiting()
    add(queue, 40)
    assert len(queue.take(LONG_S, lambda: 32) or ()) == 32
    add(queue, 1, weight=256)
    assert len(queue.take(LONG_S, lambda: 32) or ()) == 8
    assert len(queue.take(LONG_S, lambda: 32) or ()) == 1


def test_a_single_write_wakes_the_writer() -> None:
    """A writer that waits for anything at all is woken by one write, also after a large commit."""
    queue = Waiting()
    add(queue, 100)
    assert len(queue.take(LONG_S, whole) or ()) == 100
    taken: list[list[Job] | None] = []
    writer = threading.Thread(target=lambda: taken.append(queue.take(LONG_S, whole)))
    writer.start()
    add(queue, 1)
    writer.join(LONG_S)
    assert [len(one or ()) for one in taken] == [1]


def test_nothing_to_do_is_said_in_time_and_the_end_only_when_all_is_taken() -> None:
    """Housekeeping has its turn in a quiet house; closing loses no write."""
    queue = Waiting()
    assert queue.take(0.001, whole) == []
    add(queue, 3)
    queue.close()
    assert len(queue.take(LONG_S, whole) or ()) == 3
    assert queue.take(LONG_S, whole) is None


def test_a_writer_that_gives_up_leaves_nothing_behind() -> None:
    """All that waits is handed back, once."""
    queue = Waiting()
    add(queue, 2)
    assert len(queue.take_all()) == 2
    assert queue.take_all() == []
    assert queue.take(0.001, whole) == []
