"""The traffic itself: who sends what when, over links that are there already. Works on trio's clock, so also on a
fake one.

Open: requests are due at times fixed before (`arrivals`); what cannot be sent yet waits in a queue of ours and its
latency counts from when it was due. Closed: a fixed number in flight, for finding out how much there can be at most;
its latencies say nothing about a load that does not wait for answers.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import trio

from loadtest.http2 import Answer, Call, framed, request_block
from loadtest.link import Link
from loadtest.tally import Tally

BACKLOG_MAX = 1_000_000  # requests that are due and cannot be sent; more would be memory, not load
BURST_MESSAGES = 256  # messages put into one DATA write at most
SHED = 8  # RESOURCE_EXHAUSTED
GAP_S = 0.000_5  # arrivals closer together than this share a turn of the loop

Message = Callable[[int], bytes]
Judge = Callable[[bytes], int]


class Overrun(Exception):
    """More requests were due than BACKLOG_MAX could wait: the offered load is beyond what this run can say."""


@dataclass(frozen=True, slots=True)
class Calls:
    """What is called. `judge` is the gRPC status inside a stream's answer; `message(n)` the nth request. `number_of`
    says which request an answer is to: asked of refusals for want of room, which overtake what was asked earlier."""

    path: str
    streaming: bool
    message: Message
    judge: Judge = lambda _body: 0
    number_of: Judge | None = None


@dataclass(slots=True)
class _Stream:
    """A streaming call and what on it awaits its answer, oldest first: (number, due, sent)."""

    link: Link
    call: Call
    waiting: deque[tuple[int, float, float]] = field(default_factory=deque)


class Traffic:
    """One run. `in_flight` bounds what is unanswered at once (closed), over all links; None: as the server allows."""

    def __init__(self, calls: Calls, links: Sequence[Link], tally: Tally, scheme: str, in_flight: int | None) -> None:
        self._calls = calls
        self._links = links
        self._tally = tally
        self._block = request_block(calls.path, scheme)
        self._in_flight = in_flight
        self._streams: dict[int, _Stream] = {}
        self._open_calls: dict[int, tuple[float, float]] = {}  # unary: number -> when it was due, when it left
        self._backlog: deque[tuple[int, float]] = deque()
        self._next = 0
        self._unanswered = 0
        self._turn = 0
        self._closed_left = 0
        self._answered = trio.Event()
        self.began_s = trio.current_time()
        self.due_times: list[float] = []
        """When each request was due, seconds of the run, by number."""

    # ---- the two loads

    async def open(self, due: Iterator[float]) -> None:
        """Returns when the last request is sent or waits to be."""
        self._open_streams()
        for at_s in due:
            if self._now() < at_s - GAP_S:
                self._push()
                await trio.sleep_until(self.began_s + at_s)
            if len(self._backlog) >= BACKLOG_MAX:
                raise Overrun(f"{BACKLOG_MAX} requests are due and cannot be sent")
            self._backlog.append((self._number(at_s), at_s))
            if len(self._backlog) % BURST_MESSAGES == 0:
                self._push()
                await trio.lowlevel.checkpoint()
        self._push()

    async def closed(self, seconds: float, count: int | None) -> None:
        """Keeps `in_flight` requests unanswered for `seconds`, or until `count` were sent."""
        self._open_streams()
        self._closed_left = count if count is not None else 2**62
        self._refill()
        with trio.move_on_after(seconds):
            while self._closed_left or self._unanswered:
                await self._answered.wait()
                self._answered = trio.Event()
        self._closed_left = 0

    async def drained(self, seconds: float) -> int:
        """Waits for what is unanswered; returns how many then still are."""
        with trio.move_on_after(seconds):
            while self._unanswered or self._backlog:
                await self._answered.wait()
                self._answered = trio.Event()
        return self._unanswered + len(self._backlog)

    @property
    def backlog(self) -> int:
        return len(self._backlog)

    @property
    def unanswered(self) -> int:
        return self._unanswered

    def now(self) -> float:
        """Seconds of the run."""
        return self._now()

    # ---- sending

    def _now(self) -> float:
        return trio.current_time() - self.began_s

    def _number(self, due_s: float) -> int:
        number = self._next
        self._next += 1
        self.due_times.append(due_s)
        return number

    def _open_streams(self) -> None:
        if self._calls.streaming and not self._streams:
            for place, link in enumerate(self._links):
                self._streams[id(link)] = _Stream(link, link.wire.stream(self._block, place))

    def _refill(self) -> None:
        """Closed: as many requests as may be in flight and are not."""
        assert self._in_flight is not None
        want = min(self._in_flight - self._unanswered - len(self._backlog), self._closed_left)
        if want > 0:
            now_s = self._now()
            self._closed_left -= want
            self._backlog.extend((self._number(now_s), now_s) for _ in range(want))
        self._push()

    def _push(self) -> None:
        """Sends what waits, as far as windows and stream limits go."""
        if not self._backlog:
            return
        if self._calls.streaming:
            self._push_streams()
        else:
            self._push_calls()

    def _push_calls(self) -> None:
        tried = 0
        while self._backlog and tried < len(self._links):
            link = self._links[self._turn % len(self._links)]
            self._turn += 1
            number, due_s = self._backlog[0]
            message = self._calls.message(number)
            if not link.wire.has_room(len(message)):
                tried += 1
                continue
            tried = 0
            self._backlog.popleft()
            self._open_calls[number] = (due_s, self._now())
            self._tally.sent(number)
            self._unanswered += 1
            link.wire.unary(self._block, number, message)
            link.wake()

    def _push_streams(self) -> None:
        for _ in range(len(self._links)):
            link = self._links[self._turn % len(self._links)]
            self._turn += 1
            share = -(-len(self._backlog) // len(self._links))
            self._push_stream(self._streams[id(link)], max(share, 1))

    def _push_stream(self, stream: _Stream, share: int) -> None:
        room, now_s = stream.link.wire.room(stream.call), self._now()
        parts = []
        for _ in range(min(share, BURST_MESSAGES, len(self._backlog))):
            number, due_s = self._backlog[0]
            part = framed(self._calls.message(number))
            if len(part) > room:
                break
            room -= len(part)
            self._backlog.popleft()
            self._tally.sent(number)
            stream.waiting.append((number, due_s, now_s))
            parts.append(part)
        if parts:
            self._unanswered += len(parts)
            stream.link.wire.send(stream.call, b"".join(parts))
            stream.link.wake()

    # ---- hearing

    def hear(self, link: Link, answers: list[Answer]) -> None:
        """A link's answers; also called when windows may have opened."""
        now_s = self._now()
        for answer in answers:
            if self._calls.streaming:
                self._hear_stream(self._streams[id(link)], answer, now_s)
            else:
                number = answer.call.token
                assert answer.status is not None
                self._unanswered -= 1
                self._tally.ended(number, answer.status, *self._open_calls.pop(number), now_s)
        if self._closed_left > 0:
            self._refill()
        else:
            self._push()
        if answers:
            self._answered.set()

    def _hear_stream(self, stream: _Stream, answer: Answer, now_s: float) -> None:
        if answer.status is None:
            status = self._calls.judge(answer.body)
            if status == SHED and self._calls.number_of is not None:
                _to_the_front(stream.waiting, self._calls.number_of(answer.body))
            number, due_s, sent_s = stream.waiting.popleft()
            self._unanswered -= 1
            self._tally.ended(number, status, due_s, sent_s, now_s)
            return
        while stream.waiting:  # the call is over: what it did not answer has failed, and the stream is opened anew
            number, due_s, sent_s = stream.waiting.popleft()
            self._unanswered -= 1
            self._tally.ended(number, answer.status or 2, due_s, sent_s, now_s)
        stream.call = stream.link.wire.stream(self._block, answer.call.token)


def _to_the_front(waiting: deque[tuple[int, float, float]], number: int) -> None:
    place = next(place for place, (one, _, _) in enumerate(waiting) if one == number)
    one = waiting[place]
    del waiting[place]
    waiting.appendleft(one)
