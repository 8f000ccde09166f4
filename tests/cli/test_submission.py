"""The window between a file and its answers: bounded, in order, and safe to take up again at any point."""

import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway.v1 import payment_pb2
from gateway.cli.files import Line
from gateway.cli.submission import Window

WAIT_S_MAX = 10.0


def lines(count: int) -> Iterator[Line]:
    for number in range(count):
        yield Line(number, payment_pb2.Instruction(idempotency_key=f"K{number}"))


def test_no_more_than_the_bound_is_on_the_way() -> None:
    """The sender is held up when the window is full, and goes on with the next answer."""
    window = Window(lines(10), in_flight_max=3)
    generation = window.begin()
    sent = [window.next(generation) for _ in range(3)]
    happened: list[str] = []

    def send_fourth() -> None:
        sent.append(window.next(generation))
        happened.append("fourth sent")

    sender = threading.Thread(target=send_fourth)
    sender.start()
    happened.append("first answered")
    assert window.answered().number == 0
    sender.join(WAIT_S_MAX)
    assert happened == ["first answered", "fourth sent"]
    assert [line.number for line in sent if line] == [0, 1, 2, 3]


def test_a_waiting_sender_of_a_broken_stream_goes_home() -> None:
    """It gets no line any more: the new stream has them all."""
    window = Window(lines(10), in_flight_max=1)
    old = window.begin()
    assert window.next(old) is not None
    got: list[Line | None] = []
    sender = threading.Thread(target=lambda: got.append(window.next(old)))
    sender.start()
    new = window.begin()
    sender.join(WAIT_S_MAX)
    assert got == [None]
    again = window.next(new)
    assert again is not None
    assert again.number == 0


@given(st.lists(st.sampled_from(["send", "answer", "break"]), max_size=60), st.integers(1, 5))
def test_whatever_breaks_every_line_is_answered_once_in_order(acts: list[str], bound: int) -> None:
    """Any interleaving of sends, answers and broken streams: answers meet the lines in file order, none is lost."""
    window = Window(lines(8), in_flight_max=bound)
    generation, on_the_way, answered = window.begin(), 0, []
    for act in [*acts, *(["break"] + ["send", "answer"] * 9)]:
        if act == "break":
            generation, on_the_way = window.begin(), 0
        elif act == "answer" and on_the_way:
            answered.append(window.answered().number)
            on_the_way -= 1
        elif act == "send" and on_the_way < bound and window.next(generation) is not None:
            on_the_way += 1
    assert answered == list(range(len(answered)))
    assert len(answered) == 8
    assert window.finished


def test_trouble_with_the_file_reaches_the_caller() -> None:
    """What the file raises in grpc's thread is raised where the person sees it."""

    def broken() -> Iterator[Line]:
        yield from lines(1)
        raise OSError("the disk is gone")

    window = Window(broken())
    generation = window.begin()
    assert window.next(generation) is not None
    assert window.next(generation) is None
    with pytest.raises(OSError, match="the disk is gone"):
        _ = window.finished
