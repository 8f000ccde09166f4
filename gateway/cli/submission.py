"""A file of instructions over SubmitPayments: a bounded number on the way, and lost streams taken up again.

What can go wrong: the stream breaks while instructions are on the way, and nobody on this side can know which of
them were admitted. All unanswered ones go again, in their order, with their keys: the daemon answers those it has
as replays. When it sheds one because it has too much to do, no more are sent on that stream; what was sent is answered
(a refusal for want of room comes before what was sent earlier, so answers are known by their keys), and after the pause
it asks for the rest goes again.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from threading import Condition, Lock
from typing import Any

import grpc

from causeway.v1 import payment_service_pb2
from gateway.cli.complaint import Complaint, Exit
from gateway.cli.files import Line
from gateway.cli.patience import Patience
from gateway.cli.refusal import Refusal, from_call, from_status

IN_FLIGHT_MAX = 256  # on the way at once: two or three group commits of the daemon; more only takes memory
STREAM_S_MAX = 120.0  # a stream is renewed after so long, so that a silent daemon is noticed

Metadata = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one line: `admitted` by the daemon, or refused by it or already by us."""

    line: Line
    admitted: payment_service_pb2.SubmitPaymentsResponse | None
    refusal: Refusal | None


class Window:
    """The lines between the file and their answers: read by grpc's sending thread, taken off by the caller's.

    A `generation` is one stream. When a stream broke, its sending thread may still be asking for lines: it holds an
    old generation and gets none.
    """

    def __init__(self, lines: Iterator[Line], in_flight_max: int = IN_FLIGHT_MAX) -> None:
        self._lines = lines
        self._in_flight_max = in_flight_max
        self._changed = Condition()
        self._reading = Lock()
        self._unanswered: deque[Line] = deque()
        self._sent = 0  # how many of the unanswered went out on this generation's stream
        self._keys: set[str] = set()  # theirs
        self._generation = 0
        self._read_all = self._held = False
        self._trouble: Exception | None = None
        self.faulty: deque[Line] = deque()
        """Lines that are no instruction; whoever reports takes them off."""

    def begin(self) -> int:
        """A new stream: everything unanswered is to be sent again. Returns its generation."""
        with self._changed:
            self._generation += 1
            self._sent, self._held = 0, False
            self._keys.clear()
            self._changed.notify_all()
            return self._generation

    def end(self) -> None:
        """The stream is over: its sending thread, if it waits here, goes home."""
        self.begin()

    def next(self, generation: int) -> Line | None:
        """The next line to send on this stream; waits while too many are on the way. None: there is no more."""
        while True:
            with self._changed:
                if generation != self._generation or self._held:
                    return None
                if self._sent < len(self._unanswered):
                    line = self._unanswered[self._sent]
                    key = line.instruction.idempotency_key
                    if key in self._keys:  # of two of one key nobody could tell whose an answer is
                        self._changed.wait()
                        continue
                    self._keys.add(key)
                    self._sent += 1
                    return line
                if self._read_all:
                    return None
                if len(self._unanswered) >= self._in_flight_max:
                    self._changed.wait()
                    continue
            self._read(generation)

    def answered(self, key: str) -> Line:
        """Takes the line with this key off: its answer came. Raises LookupError where none is on the way."""
        with self._changed:
            for place in range(self._sent):
                line = self._unanswered[place]
                if line.instruction.idempotency_key == key:
                    del self._unanswered[place]
                    self._sent -= 1
                    self._keys.remove(key)
                    self._changed.notify_all()
                    return line
        raise LookupError(key)

    def hold(self) -> None:
        """Nothing more is sent on this stream; what is on the way may still be answered."""
        with self._changed:
            self._held = True
            self._changed.notify_all()

    @property
    def finished(self) -> bool:
        with self._changed:
            if self._trouble is not None:
                raise self._trouble
            return self._read_all and not self._unanswered

    def _read(self, generation: int) -> None:
        """One more good line into the window. Answers are taken off meanwhile: a slow file never holds them up."""
        with self._reading:
            if generation != self._generation or self._sent < len(self._unanswered) or self._read_all:
                return  # another stream's thread was here first
            try:
                found = self._next_good()
            except Exception as error:
                # Raised in grpc's thread it would end the stream as CANCELLED and its text would be lost.
                found, self._trouble = None, error
            with self._changed:
                if found is None:
                    self._read_all = True
                else:
                    self._unanswered.append(found)

    def _next_good(self) -> Line | None:
        for line in self._lines:
            if not line.problems:
                return line
            self.faulty.append(line)
        return None


@dataclass(frozen=True, slots=True)
class Route:
    """The way to one daemon: the stub's SubmitPayments, the metadata of each stream, and the address for messages."""

    call: Callable[..., Any]
    metadata: Metadata
    address: str


def submit(window: Window, route: Route, patience: Patience, told: Callable[[str], None]) -> Iterator[Answer]:
    """Everything in the window over as many streams as it takes; one Answer per line, as they come.

    Raises Complaint when the daemon stops answering for longer than `patience` lasts. `told` hears of each new try.
    """
    while not window.finished:
        generation = window.begin()
        stream = route.call(_requests(window, generation), metadata=route.metadata, timeout=STREAM_S_MAX)
        try:
            refusal = Refusal("UNAVAILABLE", "the daemon ended the stream early")
            for response in stream:
                told_off = from_status(response.error) if response.HasField("error") else None
                if told_off is not None and told_off.shed:
                    refusal = told_off
                    window.hold()
                    continue
                answer = _answer(window, response, told_off)
                patience.progress()
                yield answer
                yield from _faulty(window)
            if window.finished:
                break
        except grpc.RpcError as error:
            refusal = from_call(error)
        finally:
            stream.cancel()
            window.end()
        if not patience.again(refusal):
            raise _given_up(refusal, route.address)
        told(f"{refusal.code}: {refusal.message}; sending the unanswered ones again (try {patience.tries + 1})")
    yield from _faulty(window)


def _requests(window: Window, generation: int) -> Iterator[payment_service_pb2.SubmitPaymentsRequest]:
    while (line := window.next(generation)) is not None:
        yield payment_service_pb2.SubmitPaymentsRequest(instruction=line.instruction)


def _answer(window: Window, response: payment_service_pb2.SubmitPaymentsResponse, refusal: Refusal | None) -> Answer:
    try:
        line = window.answered(response.idempotency_key)
    except LookupError:
        raise Complaint(
            f"the daemon answered for key {response.idempotency_key!r}, which was not on the way",
            advice=["nothing is lost: send the same file again, what was admitted comes back as replayed"],
            exit=Exit.REFUSED,
        ) from None
    return Answer(line, None if refusal else response, refusal)


def _faulty(window: Window) -> Iterator[Answer]:
    while window.faulty:
        line = window.faulty.popleft()
        yield Answer(line, None, Refusal("INVALID_ARGUMENT", "not sent", "LINE_UNREADABLE", line.problems))


def _given_up(refusal: Refusal, address: str) -> Complaint:
    complaint = refusal.complaint(address)
    lines = [
        *complaint.advice,
        "send the same file again: what was admitted comes back as replayed, nothing is paid twice",
    ]
    return Complaint(complaint.text, advice=lines, exit=complaint.exit, facts=complaint.facts)
