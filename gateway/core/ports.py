"""What the rooms need from each other, as Protocols: no vendor type crosses them."""

from collections.abc import Callable, Container, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol, runtime_checkable

from gateway.core.decisions import Act, Objection
from gateway.core.facts import Fact, StoreHappening
from gateway.core.happenings import Happening
from gateway.core.outcome import Outcome
from gateway.core.payment import Payment, Uptime
from gateway.core.states import State

# ---------------------------------------------------------------- clock


class WallClock(Protocol):
    """Dates come from here; durations come from trio's clock, or from `uptime` where they outlive the process."""

    def now_ns(self) -> int:
        """Unix time in nanoseconds."""
        ...

    def uptime(self) -> Uptime:
        """Now, on the machine's own clock: setting the wall clock does not move it, a sleeping machine counts on."""
        ...


# ---------------------------------------------------------------- the wire to a bank


@dataclass(frozen=True, slots=True)
class WireRequest:
    """An HTTP request as an adapter composes it. Header names are lower case; no pseudo headers."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class WireAnswer:
    """A whole HTTP answer: its end was seen. Header names are lower case."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key == name), "")


def always() -> bool:
    """For a request that nothing makes unwanted, such as a question."""
    return True


class Link(Protocol):
    """The wire to one bank: a pool of sessions."""

    async def exchange(
        self, request: WireRequest, *, timeout_s: float, wanted: Callable[[], bool] = always
    ) -> WireAnswer:
        """One request, one whole answer. Raises NotSent or MaybeSent, and nothing else but Cancelled.

        `wanted` is asked once, in the moment in which the request becomes bytes, with no checkpoint between; False:
        no byte is made and the exchange raises NotSent."""
        ...

    def snapshot(self) -> "LinkSnapshot": ...


@dataclass(frozen=True, slots=True)
class LinkSnapshot:
    """What operators see of a bank's wire."""

    sessions: int = 0
    in_flight: int = 0
    certificate_expires_at: datetime | None = None
    """Not-after of the earlier to expire of our client certificate and the bank's; None before the first session."""
    last_failure: str = ""
    """Reason of the last exchange that failed; empty after one that succeeded."""


# ---------------------------------------------------------------- a bank's words


@dataclass(frozen=True, slots=True)
class Declaration:
    """What an adapter and its profile promise about a bank. Without these no automatic resend is granted."""

    duplicate_key: str
    """The field by which the bank itself detects a duplicate; empty: it does not."""
    duplicate_window_s: int
    """For how long it does; 0: unknown."""
    inquiry: bool
    """Whether a payment's status can be asked for by our reference."""
    not_found_is_proof: bool
    """Whether the bank's "not found", after its visibility window, proves that it does not hold the payment."""
    visibility_s: float
    """How long after sending a "not found" proves nothing."""
    statement_evidence: str
    """The statement field that carries our reference; empty: statements prove nothing."""
    bulk_lines_max: int = 1
    """Payments one message may carry."""


@dataclass(frozen=True, slots=True)
class Submission:
    """What goes into one message: payments of one bank, debtor account, date and rail."""

    message_reference: str
    payments: tuple[Payment, ...]
    created_at: datetime
    execution_date: date


@runtime_checkable
class Adapter(Protocol):
    """A bank's words: pure, no I/O. Every `read_…` raises errors.Unreadable where the answer cannot be read."""

    @property
    def declaration(self) -> Declaration: ...

    def compose(self, submission: Submission) -> WireRequest:
        """The request that submits these payments. ValueError where a payment cannot be said in this bank's words."""
        ...

    def read(self, submission: Submission, answer: WireAnswer) -> tuple[Outcome, ...]:
        """The bank's word for each payment it speaks of; payments it does not mention are absent."""
        ...

    def inquire(self, payment: Payment) -> WireRequest:
        """The request that asks for one payment's status, by the reference it was sent under."""
        ...

    def read_inquiry(self, payment: Payment, answer: WireAnswer) -> tuple[Outcome, ...]:
        """As `read`; a definite "not found" is Word.NOT_FOUND."""
        ...


@dataclass(frozen=True, slots=True)
class Collection:
    """What lay in a bank's mailbox: outcomes in the bank's order, and where to go on."""

    outcomes: tuple[Outcome, ...]
    cursor: str
    unreadable: tuple[bytes, ...] = ()
    """Documents nobody could read: kept, counted, reported; they do not stop the rest."""


@runtime_checkable
class Collects(Protocol):
    """An adapter whose bank offers reports to fetch (pain.002 "later")."""

    def collect(self, cursor: str) -> WireRequest:
        """The request for the reports after `cursor` ("" = from the beginning)."""
        ...

    def read_collection(self, cursor: str, answer: WireAnswer) -> Collection: ...


# ---------------------------------------------------------------- the store


@dataclass(frozen=True, slots=True)
class Admission:
    """A new payment (state RECEIVED, version 1) with what happens to it in the same transaction."""

    payment: Payment
    then: tuple[Happening, ...] = ()
    """Cleared, or holds: applied in order after RECEIVED."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """The answer to an Admission, after its commit returned (law 1)."""

    payment: Payment
    """As stored now: for a replay, the payment of the first submission in its present state."""
    replay: bool = False
    key_reused: bool = False
    """True: the key belongs to other content, nothing was stored, `payment` is the one that has the key."""


@dataclass(frozen=True, slots=True)
class Step:
    """A happening, a bank's word or a person's act for one payment. Exactly one of `payment_id` and `wire` names it,
    exactly one of `happening`, `outcome` and `act` says what."""

    payment_id: bytes = b""
    wire: tuple[str, str] = ("", "")
    """(bank, wire reference)."""
    happening: Happening | None = None
    outcome: Outcome | None = None
    act: Act | None = None
    inquire_at_ns: int = 0
    """With an outcome or an act: when to ask again if the payment is then ACCEPTED."""
    expected_version: int = 0
    """0 = any; otherwise the step is refused if the payment has moved on."""


@dataclass(frozen=True, slots=True)
class Stepped:
    """The answer to a Step, after its commit returned."""

    payment: Payment | None
    """As stored now; None where no such payment exists."""
    taken: bool
    """Whether the step was taken. False with a payment: the table refused it, or the word said nothing new."""
    objection: Objection | None = None
    """Why a person's act was not taken."""
    unreadable: bool = False
    """There is such a payment, and its record cannot be read. A bank's word about it is in the log, as a fact about the
    store."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a fact rests on. `original_bytes` is larger than the body where a bank's answer was cut."""

    body: bytes
    original_bytes: int


@dataclass(frozen=True, slots=True)
class PaymentFilter:
    tenant: str = ""
    states: frozenset[State] = frozenset()
    bank: str = ""
    end_to_end_id: str = ""
    received_from_ns: int = 0
    received_before_ns: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LaneCounts:
    """Payments of one bank by what they wait for."""

    queued: int = 0
    sending: int = 0
    in_doubt: int = 0
    accepted: int = 0
    held: int = 0


class Store(Protocol):
    """Small and batch-shaped, so that LMDB and a PostgreSQL-wire cluster both fit.

    Every write returns after its commit is durable. Many callers' writes share one commit. Raises StoreFailed when
    nobody can know whether a batch is durable. `admit` raises Overloaded when the queue to the writer or the store is
    full; `take`, `log` and `set_cursor` wait for room, because what a bank said must be written down.
    """

    def check_room(self, admissions: int) -> None:
        """Raises what `admit` of so many would raise now, before any work goes into them: overload is shed first."""
        ...

    async def admit(self, admissions: Sequence[Admission]) -> list[Admitted]: ...
    async def take(self, steps: Sequence[Step]) -> list[Stepped]: ...
    async def log(self, happenings: Sequence[StoreHappening]) -> None:
        """Facts about the store itself, in the same log and chain as those about payments."""
        ...

    async def quarantine(self) -> list[Fact]:
        """The store's facts since it was restored from a backup, the restore first; empty: no quarantine, or over."""
        ...

    async def get(self, payment_id: bytes) -> Payment | None: ...
    async def get_many(self, payment_ids: Sequence[bytes]) -> list[Payment | None]: ...
    async def by_key(self, tenant: str, idempotency_key: str) -> Payment | None: ...
    async def by_end_to_end_id(self, tenant: str, end_to_end_id: str, limit: int) -> list[Payment]: ...
    async def by_wire(self, bank: str, wire_reference: str) -> Payment | None: ...
    async def page(self, which: PaymentFilter, *, after: bytes = b"", limit: int) -> tuple[list[Payment], bytes]:
        """Newest last; the second value continues after the last looked-at payment, b"" at the end. A page may be
        shorter than `limit`, even empty, before the end: the look-up is bounded."""
        ...

    async def due(self, bank: str, now_ns: int, limit: int, without: Container[bytes] = frozenset()) -> list[Payment]:
        """QUEUED payments of a bank that may be sent now (the outbox): the instant ones first, then the oldest due,
        and none of those whose ids are in `without`."""
        ...

    async def next_due_ns(self, bank: str, after_ns: int) -> int:
        """When the bank's next QUEUED payment becomes due, later than `after_ns`; 0 = none does."""
        ...

    async def inquiries_due(self, bank: str, now_ns: int, limit: int) -> list[Payment]:
        """Payments whose inquiry is due: those IN_DOUBT first, then those ACCEPTED, each the oldest first."""
        ...

    async def next_inquiry_ns(self, bank: str) -> int:
        """When the bank's next inquiry becomes due (it may be overdue); 0 = none is planned."""
        ...

    async def in_state(self, state: State, *, after: bytes = b"", limit: int) -> list[Payment]:
        """By index, for recovery and operators."""
        ...

    async def counts(self, bank: str) -> LaneCounts: ...
    async def facts(self, after: int, limit: int) -> list[Fact]:
        """Facts with a sequence above `after`, in order."""
        ...

    async def facts_of(self, payment_id: bytes, limit: int) -> list[Fact]: ...
    async def evidence(self, sha256: bytes) -> Evidence | None:
        """What a fact's `evidence_sha256` names."""
        ...

    async def last_sequence(self) -> int: ...

    async def cursor(self, bank: str) -> str: ...
    async def set_cursor(self, bank: str, cursor: str, kept: Sequence[bytes] = ()) -> None:
        """Durable before it returns; set after the outcomes that came with it are durable. `kept` are documents that
        nobody could read: they are kept as evidence in the same commit, so that moving on loses nothing."""
        ...

    def on_commit(self, told: "CommitListener") -> None:
        """`told` is called on the event loop after each commit with the facts it made durable, in order."""
        ...


class CommitListener(Protocol):
    def __call__(self, facts: Sequence[Fact]) -> None: ...


# ---------------------------------------------------------------- telemetry


class Span(Protocol):
    """An open span."""

    @property
    def traceparent(self) -> str:
        """W3C Trace Context of this span; "" when nothing is traced."""
        ...

    def note(self, **attributes: str | int | float | bool) -> None:
        """Attributes by their Python names (`bank`, `state`, `attempt`); telemetry.names holds the allow-list."""
        ...

    def failed(self, reason: str) -> None:
        """Marks an error; `reason` is a name from a closed list (Reason, a state, a status), never free text."""
        ...


class Trail(Protocol):
    """The only way to telemetry. Names are those of telemetry.names; an unknown name or attribute is a bug that the
    tests find, and is dropped (never raised) in production."""

    def span(
        self, name: str, *, parent: str = "", links: Sequence[str] = (), **attributes: str | int | float | bool
    ) -> AbstractContextManager[Span]:
        """Opens a span. `parent` and `links` are traceparents; without a parent a new trace begins. Explicit parents
        rather than ambient context: a payment's trace goes on over restarts and days, and across threads."""
        ...

    def count(self, name: str, n: int = 1, **attributes: str | int | bool) -> None:
        """Adds to a counter."""
        ...

    def observe(self, name: str, value: float, **attributes: str | int | bool) -> None:
        """Records into a histogram (unit in telemetry.names)."""
        ...
