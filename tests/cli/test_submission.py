"""The window between a file and its answers: bounded, in order, and safe to take up again at any point."""

import threading
from collections.abc import Iterator
from itertools import islice

import pytest
from google.protobuf import any_pb2, duration_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from hypothesis import given
from hypothesis import strategies as st

from causeway.v1 import payment_pb2, payment_service_pb2
from gateway.cli.complaint import Complaint
from gateway.cli.files import Line
from gateway.cli.patience import Patience
from gateway.cli.submission import Route, Window, submit

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
    assert window.answered("K0").number == 0
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


def test_two_lines_of_one_key_are_not_on_the_way_together() -> None:
    """Where the first is shed and the second admitted, the answer would be taken for the first's: the second waits, and
    hears that the key is used."""
    twice = (Line(number, payment_pb2.Instruction(idempotency_key="K")) for number in range(2))
    window = Window(twice)
    generation = window.begin()
    assert window.next(generation) is not None
    got: list[Line | None] = []
    sender = threading.Thread(target=lambda: got.append(window.next(generation)))
    sender.start()
    assert window.answered("K").number == 0
    sender.join(WAIT_S_MAX)
    assert [line.number for line in got if line] == [1]

    shed = Window(iter([Line(number, payment_pb2.Instruction(idempotency_key="K")) for number in range(2)]))
    generation = shed.begin()
    assert shed.next(generation) is not None
    sender = threading.Thread(target=lambda: got.append(shed.next(generation)))
    sender.start()
    shed.hold()
    sender.join(WAIT_S_MAX)
    assert got[-1] is None
    again = shed.next(shed.begin())
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
            answered.append(window.answered(f"K{len(answered)}").number)
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


def busy() -> status_pb2.Status:
    wait = any_pb2.Any()
    wait.Pack(error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=2)))
    return status_pb2.Status(code=code_pb2.RESOURCE_EXHAUSTED, message="Too much at once.", details=[wait])


class Daemon:
    """Admits `room` instructions of each stream and sheds what is behind them."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.admitted: list[str] = []

    def __call__(self, requests: Iterator[payment_service_pb2.SubmitPaymentsRequest], **_: object) -> "Stream":
        return Stream(self, requests)


class Stream:
    def __init__(self, daemon: Daemon, requests: Iterator[payment_service_pb2.SubmitPaymentsRequest]) -> None:
        self._answers = self._answered(daemon, requests)

    def __iter__(self) -> Iterator[payment_service_pb2.SubmitPaymentsResponse]:
        return self._answers

    def cancel(self) -> None:
        self._answers.close()

    @staticmethod
    def _answered(daemon: Daemon, requests: Iterator[payment_service_pb2.SubmitPaymentsRequest]):  # type: ignore[no-untyped-def]
        for number, request in enumerate(requests):
            key = request.instruction.idempotency_key
            answer = payment_service_pb2.SubmitPaymentsResponse(idempotency_key=key)
            if number < daemon.room:
                daemon.admitted.append(key)
            else:
                answer.error.CopyFrom(busy())
            yield answer


def test_what_a_busy_daemon_sheds_goes_again_after_the_pause_it_asks_for() -> None:
    """An overload is no refusal of the line: every line is admitted once, in the order of the file, and nobody has to
    give the command again."""
    daemon, pauses = Daemon(room=3), list[float]()
    answers = list(submit(Window(lines(8)), Route(daemon, (), "here"), Patience(pauses.append), lambda _: None))
    assert [answer.line.number for answer in answers] == list(range(8))
    assert all(answer.admitted is not None for answer in answers)
    assert daemon.admitted == [f"K{number}" for number in range(8)]
    assert pauses == [2.0, 2.0]


def test_a_refusal_that_overtakes_takes_no_line_from_what_is_on_the_way() -> None:
    """The daemon refuses for want of room before it answers for what was sent earlier: that is answered still, only the
    shed line goes again, and every line is admitted once."""

    class Hasty(Daemon):
        def __call__(self, requests: Iterator[payment_service_pb2.SubmitPaymentsRequest], **_: object) -> Stream:
            asked = list(islice(requests, 4))
            stream = Stream(self, iter(asked))
            answers = list(stream)
            shed = [answer for answer in answers if answer.HasField("error")]
            stream._answers = iter([*shed, *(answer for answer in answers if not answer.HasField("error"))])  # type: ignore[assignment]
            stream.cancel = lambda: None  # type: ignore[method-assign]
            return stream

    daemon, pauses = Hasty(room=3), list[float]()
    answers = list(submit(Window(lines(8)), Route(daemon, (), "here"), Patience(pauses.append), lambda _: None))
    assert [answer.line.number for answer in answers] == list(range(8))
    assert daemon.admitted == [f"K{number}" for number in range(8)]


def test_a_daemon_that_stays_busy_is_given_up_and_nothing_is_lost() -> None:
    """The person is told that the same file may be sent again."""
    daemon = Daemon(room=0)
    with pytest.raises(Complaint, match="Too much at once") as given_up:
        list(submit(Window(lines(3)), Route(daemon, (), "here"), Patience(lambda _: None), lambda _: None))
    assert any("same file again" in advice for advice in given_up.value.advice)
    assert daemon.admitted == []
