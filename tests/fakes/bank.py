"""A bank in memory: words in one line each, a wire that obeys a script, and a ledger that counts bookings.

The words (`FakeAdapter`) are the simplest that can carry the house's meaning, so that tests of lanes and inquiries
speak about payments and not about XML. The wire (`FakeLink`) books first and fails afterwards unless told otherwise,
because that is the order that costs money.
"""

from collections import Counter, deque
from collections.abc import Awaitable, Callable

import trio

from gateway.core.errors import MaybeSent, NotSent, Unreadable
from gateway.core.outcome import Outcome, Word
from gateway.core.payment import Payment
from gateway.core.ports import Collection, Declaration, LinkSnapshot, Submission, WireAnswer, WireRequest, always
from gateway.core.reasons import Reason

DECLARATION = Declaration(
    duplicate_key="reference",
    duplicate_window_s=0,
    inquiry=True,
    not_found_is_proof=True,
    visibility_s=60.0,
    statement_evidence="reference",
    bulk_lines_max=100,
)


WORDS = frozenset(word.value for word in Word)


class FakeAdapter:
    """`POST /pay` with a reference a line; answers carry `reference WORD status reason message` a line."""

    def __init__(self, declaration: Declaration = DECLARATION) -> None:
        self.declaration = declaration

    def compose(self, submission: Submission) -> WireRequest:
        if any(payment.instruction.remittance == "unsayable" for payment in submission.payments):
            raise ValueError("these words do not exist here")
        lines = [payment.wire_reference for payment in submission.payments]
        return WireRequest("POST", "/pay", (), "\n".join(lines).encode())

    def read(self, submission: Submission, answer: WireAnswer) -> tuple[Outcome, ...]:
        return self._words(answer)

    def inquire(self, payment: Payment) -> WireRequest:
        return WireRequest("GET", f"/status/{payment.wire_reference}")

    def read_inquiry(self, payment: Payment, answer: WireAnswer) -> tuple[Outcome, ...]:
        if answer.status == 404:
            return (Outcome(Word.NOT_FOUND, payment.wire_reference),)
        return self._words(answer)

    def collect(self, cursor: str) -> WireRequest:
        return WireRequest("GET", f"/reports/{cursor or 0}")

    def read_collection(self, cursor: str, answer: WireAnswer) -> Collection:
        first, *rest = answer.body.decode(errors="replace").splitlines() or [""]
        if answer.status != 200 or not first.isdecimal():
            raise Unreadable(f"status {answer.status}, and no position")
        readable = "\n".join(line for line in rest if not line.startswith("?"))
        unreadable = tuple(line.encode() for line in rest if line.startswith("?"))
        return Collection(self._words(WireAnswer(200, (), readable.encode())), first, unreadable)

    def _words(self, answer: WireAnswer) -> tuple[Outcome, ...]:
        if answer.status >= 400:
            raise Unreadable(f"status {answer.status}")
        outcomes = []
        for line in answer.body.decode().splitlines():
            reference, word, status, reason, message = (*line.split(" "), "", "", "", "")[:5]
            if word not in WORDS:
                raise Unreadable("no such word")
            outcomes.append(Outcome(Word(word), reference, status, reason, answer.body, message_reference=message))
        return tuple(outcomes)


Turn = Callable[["FakeLink", WireRequest], Awaitable[WireAnswer]]


class FakeLink:
    """The wire and the bank behind it. `script` holds what the next submissions meet; then all goes well."""

    def __init__(self) -> None:
        self.script: deque[Turn] = deque()
        self.bookings: Counter[str] = Counter()
        self.known: dict[str, str] = {}
        """Reference → the line the bank would answer with."""
        self.reports: list[str] = []
        self.requests: list[WireRequest] = []
        self.asked_at_s: list[float] = []
        self.inquiry_turn: Turn | None = None
        self.queue: Callable[[], Awaitable[None]] = trio.lowlevel.checkpoint
        """Where a request waits before it becomes bytes, as in a pool without room."""
        self.unreadable: set[str] = set()
        """References that the bank answers inquiries about with a 500."""

    async def exchange(
        self, request: WireRequest, *, timeout_s: float, wanted: Callable[[], bool] = always
    ) -> WireAnswer:
        await self.queue()
        if not wanted():
            raise NotSent(Reason.NEVER_WRITTEN)
        self.requests.append(request)
        if request.path.startswith("/status/"):
            self.asked_at_s.append(trio.current_time())
            return await (self.inquiry_turn or answer_status)(self, request)
        if request.path.startswith("/reports/"):
            start = int(request.path.rpartition("/")[2])
            return WireAnswer(200, (), "\n".join([str(len(self.reports)), *self.reports[start:]]).encode())
        turn = self.script.popleft() if self.script else accept
        with trio.move_on_after(timeout_s):
            return await turn(self, request)
        raise MaybeSent(Reason.REPLY_TIMEOUT)

    def book(self, request: WireRequest, word: str = "TAKEN ACCP") -> str:
        references = request.body.decode().splitlines()
        self.bookings.update(references)
        for reference in references:
            self.known[reference] = f"{reference} {word}"
        return "\n".join(self.known[reference] for reference in references)

    def snapshot(self) -> LinkSnapshot:
        return LinkSnapshot()


async def accept(link: FakeLink, request: WireRequest) -> WireAnswer:
    await trio.lowlevel.checkpoint()
    return WireAnswer(200, (), link.book(request).encode())


async def settle(link: FakeLink, request: WireRequest) -> WireAnswer:
    await trio.lowlevel.checkpoint()
    return WireAnswer(200, (), link.book(request, "SETTLED ACSC").encode())


async def hang(link: FakeLink, request: WireRequest) -> WireAnswer:
    """Books, and never answers."""
    link.book(request)
    await trio.sleep_forever()
    raise AssertionError("slept forever")


async def answer_status(link: FakeLink, request: WireRequest) -> WireAnswer:
    await trio.lowlevel.checkpoint()
    reference = request.path.rpartition("/")[2]
    known = link.known.get(reference)
    if reference in link.unreadable:
        return WireAnswer(500)
    return WireAnswer(200, (), known.encode()) if known else WireAnswer(404)


def fails(error: NotSent | MaybeSent, *, booked: bool = False) -> Turn:
    """The exchange ends with `error`; `booked` says what the bank had done by then."""

    async def turn(link: FakeLink, request: WireRequest) -> WireAnswer:
        await trio.lowlevel.checkpoint()
        if booked:
            link.book(request)
        raise error

    return turn


def says(status: int, body: bytes = b"", *, booked: bool = False) -> Turn:
    """The bank answers with these bytes, whatever it did."""

    async def turn(link: FakeLink, request: WireRequest) -> WireAnswer:
        await trio.lowlevel.checkpoint()
        if booked:
            link.book(request)
        return WireAnswer(status, (), body)

    return turn
