"""What must hold at every step, whatever the seed: laws 1 to 8, checked against the banks' own ledgers.

Everything reports here: the store each commit the moment it is durable, the wire each request before its first byte,
the ledgers each booking, the clients each answer, the watchers each fact. The first violation ends the run. It is
kept rather than raised alone, because the house rightly turns what it does not expect into doubt, and would swallow
it.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import trio

from gateway.core.facts import Fact, StoreKind
from gateway.core.life import HOLD_CONTRADICTION
from gateway.core.payment import Payment, is_wire_reference
from gateway.core.reasons import Reason, may_retry
from gateway.core.states import STEPS, Kind, State

LEDGER_WORDS = frozenset({Reason.BANK_ANSWERED, Reason.BANK_DOES_NOT_HOLD, Reason.BANK_CONTRADICTS})


class Violated(Exception):
    """A law was broken."""


@dataclass(slots=True)
class Life:
    """One payment as its facts tell it."""

    tenant: str
    bank: str
    state: State = State.RECEIVED
    version: int = 0
    wire_reference: str = ""
    """Of its first attempt; empty before."""
    holds: frozenset[str] = frozenset()
    inquiries_asked: int = 0
    """Inquiries that reached the bank during the present doubt."""
    processes: int = 0
    """Processes that lived during the present doubt: each may lose the record of the inquiry it died in."""


def held_after(holds: frozenset[str], fact: Fact) -> frozenset[str]:
    """A payment's open holds after a fact, as the log tells them."""
    if fact.kind is Kind.HOLD_PLACED:
        return holds | frozenset(fact.holds)
    if fact.kind in (Kind.HOLD_RELEASED, Kind.HOLDS_CLEARED):
        return holds - frozenset(fact.holds)
    return holds | {HOLD_CONTRADICTION} if fact.before is State.HELD and fact.kind is Kind.CONTRADICTED else holds


@dataclass(slots=True)
class Oracle:
    """One run's witness. `holds(bank, reference)` looks into the bank's ledger and its post room."""

    holds: Callable[[str, str], bool]
    lives: dict[bytes, Life] = field(default_factory=dict)
    by_wire: dict[tuple[str, str], bytes] = field(default_factory=dict)
    log: list[Fact] = field(default_factory=list)
    steps: Counter[tuple[State, Kind]] = field(default_factory=Counter)
    bookings: Counter[tuple[str, str]] = field(default_factory=Counter)
    acknowledged: dict[tuple[str, str], bytes] = field(default_factory=dict)
    """(tenant, key) → the payment that a client was told of."""
    inquiries_max: dict[str, int] = field(default_factory=dict)
    """Bank → inquiries per payment in doubt at most."""
    windows_s: dict[str, float] = field(default_factory=dict)
    """Bank → how long it detects duplicates; absent or 0: nobody knows."""
    first_s: dict[bytes, float] = field(default_factory=dict)
    """Payment → when it was first marked, on trio's clock, which nobody sets."""
    lost: list[Fact] = field(default_factory=list)
    """Facts that went with a disk."""
    quarantined: bool = False
    broken: list[str] = field(default_factory=list)
    stop: trio.Event = field(default_factory=trio.Event)
    checks: int = 0

    def must(self, holds: bool, law: str, what: object = "") -> None:
        """Raises Violated unless `holds`, and ends the run."""
        self.checks += 1
        if not holds:
            self.broken.append(f"{law}: {what}")
            self.stop.set()
            raise Violated(self.broken[0])

    # ------------------------------------------------------------ the store

    def committed(self, facts: Sequence[Fact]) -> None:
        """Called for each commit, in order, the moment it is durable."""
        for fact in facts:
            self.must(fact.sequence == len(self.log) + 1, "facts have no gaps (law 10)", fact)
            self.log.append(fact)
            if isinstance(fact.kind, StoreKind):
                self._of_the_store(fact)
                continue
            if fact.kind is Kind.RECEIVED:
                self.must(fact.payment_id not in self.lives, "a payment is received once", fact)
                self.must(not self.quarantined, "nothing is admitted in quarantine (law 6)", fact)
                self.lives[fact.payment_id] = Life(fact.tenant, fact.bank)
            else:
                self._stepped(self.lives[fact.payment_id], fact)
            life = self.lives[fact.payment_id]
            self.must(fact.version == life.version + 1, "facts of a payment are in order", fact)
            assert fact.after is not None
            life.state, life.version = fact.after, fact.version

    def _of_the_store(self, fact: Fact) -> None:
        if fact.kind is StoreKind.RESTORED:
            self.quarantined = True
        elif fact.kind is StoreKind.QUARANTINE_ENDED:
            undecided = [one for one in self.lives.values() if one.state in (State.SENDING, State.IN_DOUBT)]
            self.must(not undecided, "a quarantine ends when all is decided (law 6)", undecided[:1])
            self.quarantined = False

    def restored(self, sequence: int) -> list[tuple[str, str]]:
        """The disk was lost; what is left are the facts up to `sequence`. Returns the keys whose acknowledgement is
        lost with it: that they are is no violation, as docs/backup.md says."""
        self.lost += self.log[sequence:]
        del self.log[sequence:]
        self.lives, self.quarantined = {}, False
        for fact in self.log:
            if isinstance(fact.kind, StoreKind):
                self.quarantined = fact.kind is not StoreKind.QUARANTINE_ENDED
                continue
            life = self.lives.setdefault(fact.payment_id, Life(fact.tenant, fact.bank))
            assert fact.after is not None
            life.holds = held_after(life.holds, fact)
            life.state, life.version = fact.after, fact.version
        lost = [key for key, payment_id in self.acknowledged.items() if payment_id not in self.lives]
        for key in lost:
            del self.acknowledged[key]
        return lost

    def _stepped(self, life: Life, fact: Fact) -> None:
        assert isinstance(fact.kind, Kind)
        self.must(fact.before is life.state, "a fact begins where the last one ended", fact)
        self.must(STEPS.get((life.state, fact.kind)) is fact.after, "only steps of the table are taken", fact)
        self.steps[life.state, fact.kind] += 1
        self.must(
            fact.tenant == life.tenant and fact.bank == life.bank,
            "a payment never changes tenant or bank (law 8)",
            fact,
        )
        if fact.kind is Kind.MARKED:
            self.must(
                not self.holds(fact.bank, fact.wire_reference), "nothing is resent that the bank holds (law 4)", fact
            )
            self.must(
                is_wire_reference(fact.wire_reference) and life.wire_reference in ("", fact.wire_reference),
                "a resend bears the same wire reference (law 3)",
                fact,
            )
            self.first_s.setdefault(fact.payment_id, trio.current_time())
            life.wire_reference = fact.wire_reference
            first = self.by_wire.setdefault((fact.bank, fact.wire_reference), fact.payment_id)
            self.must(first == fact.payment_id, "a wire reference names one payment", fact)
            self.must(not life.holds, "what is held is not sent", fact)
        life.holds = held_after(life.holds, fact)
        self.must(bool(life.holds) or fact.after is not State.HELD, "what is held has a hold", fact)
        self.must(not life.holds or fact.after is not State.QUEUED, "nothing is queued past a hold", fact)
        if fact.kind is Kind.NOT_SENT:
            self.must(
                fact.reason is not None and may_retry(fact.reason), "back to the queue only by proof (law 4)", fact
            )
        if fact.before is State.IN_DOUBT and fact.after is not State.IN_DOUBT:
            self._decided(fact)
        if fact.kind is Kind.SUSPECTED:
            self.by_wire.setdefault((fact.bank, fact.wire_reference), fact.payment_id)
        if fact.after is State.IN_DOUBT and (fact.before is not State.IN_DOUBT or fact.kind is Kind.SUSPECTED):
            life.inquiries_asked, life.processes = 0, 1

    def _decided(self, fact: Fact) -> None:
        """A doubt has ended."""
        by_two = fact.reason is Reason.DECIDED_BY_TWO and bool(fact.actor) and fact.actor != fact.proposer
        self.must(
            bool(fact.evidence_sha256) and (fact.reason in LEDGER_WORDS or by_two),
            "only evidence or two people lead out of doubt (law 5)",
            fact,
        )
        if fact.kind not in (Kind.NOT_HELD, Kind.WITHHELD):
            return
        self.must(not self.holds(fact.bank, fact.wire_reference), "not held means not held (law 5)", fact)
        window_s = self.windows_s.get(fact.bank, 0.0)
        since_s = trio.current_time() - self.first_s.get(fact.payment_id, trio.current_time())
        self.must(
            by_two or not window_s or since_s < window_s,
            "no resend by a denial once the bank has forgotten the first (law 4)",
            fact,
        )

    # ------------------------------------------------------------ the wire and the ledger

    def leaving(self, bank: str, references: Sequence[str], durable: Sequence[Payment | None], body: bytes) -> None:
        """A submission is about to leave; `durable` is what the disk says of its payments at this moment."""
        self.must(not self.quarantined, "nothing is sent in quarantine (law 6)", references)
        digest = hashlib.sha256(body).digest()
        for reference, payment in zip(references, durable, strict=True):
            self.must(payment is not None and payment.attempt is not None, "mark before you send (law 3)", reference)
            assert payment is not None
            assert payment.attempt is not None
            self.must(payment.state is State.SENDING, "mark before you send (law 3)", f"{reference} {payment.state}")
            self.must(payment.attempt.payload_sha256 == digest, "what leaves is what was marked (law 3)", reference)
            self.must(payment.attempt.wire_reference == reference, "what leaves is what was marked (law 3)", reference)
            self.must(payment.instruction.bank == bank, "what leaves goes to its own bank", reference)
            self.must(not self.holds(bank, reference), "nothing is resent that the bank holds (law 4)", reference)

    def booked(self, bank: str, reference: str) -> None:
        self.bookings[bank, reference] += 1
        self.must(self.bookings[bank, reference] == 1, "never twice", f"{bank} booked {reference} again")

    def inquired(self, bank: str, reference: str) -> None:
        """An inquiry arrived at the bank."""
        life = self.lives[self.by_wire[bank, reference]]
        if life.state is not State.IN_DOUBT:
            return
        life.inquiries_asked += 1
        allowed = self.inquiries_max[bank] + life.processes - 1
        self.must(life.inquiries_asked <= allowed, "inquiries are budgeted per payment (law 5)", reference)

    # ------------------------------------------------------------ processes, clients

    def started(self, found: Callable[[bytes], Payment | None]) -> None:
        """A process has started over `found`, the disk: everything acknowledged is there, and is what its facts say."""
        for key, payment_id in self.acknowledged.items():
            self.must(found(payment_id) is not None, "acknowledged means durable (law 1)", key)
        for payment_id, life in self.lives.items():
            life.processes += 1
            payment = found(payment_id)
            self.must(payment is not None, "what is in the log is in the store", payment_id.hex())
            assert payment is not None
            self.must((payment.state, payment.version) == (life.state, life.version), "facts replay", payment_id.hex())

    def answered(self, tenant: str, key: str, payment: Payment, *, replay: bool) -> None:
        """A client has its acknowledgement."""
        self.must(payment.id in self.lives, "acknowledged means durable (law 1)", key)
        first = self.acknowledged.setdefault((tenant, key), payment.id)
        self.must(first == payment.id, "one key, one payment (law 2)", key)
        self.must(payment.tenant == tenant and payment.instruction.idempotency_key == key, "the answer is its own", key)
        self.must(replay or payment.version >= 1, "an answer shows the payment", key)

    def digest(self) -> str:
        """One line for the whole run: every fact and every booking, in order."""
        told = "\n".join(map(repr, [*self.lost, *self.log])) + "\n".join(map(repr, self.bookings.items()))
        return hashlib.sha256(told.encode()).hexdigest()


@dataclass(slots=True)
class Seen:
    """What one watcher was told, over all its connections."""

    oracle: Oracle
    tenant: str
    sequences: set[int] = field(default_factory=set)
    furthest: dict[bytes, int] = field(default_factory=lambda: defaultdict(int))

    def told(self, facts: Sequence[Fact], on_this_connection: dict[bytes, int]) -> None:
        """A page. Versions of a payment never go backwards on one connection, and never skip one altogether."""
        must = self.oracle.must
        for fact in facts:
            must(fact.tenant == self.tenant, "a watcher sees its own tenant only", fact)
            must(fact.sequence <= len(self.oracle.log), "a watcher is told what is durable", fact)
            must(fact == self.oracle.log[fact.sequence - 1], "a watcher is told the log", fact)
            must(on_this_connection.get(fact.payment_id, 0) < fact.version, "in order per payment", fact)
            must(fact.version <= self.furthest[fact.payment_id] + 1, "no fact of a payment is skipped", fact)
            on_this_connection[fact.payment_id] = fact.version
            self.furthest[fact.payment_id] = max(self.furthest[fact.payment_id], fact.version)
            self.sequences.add(fact.sequence)

    def restored(self, sequence: int) -> None:
        """The log behind `sequence` is lost; another one follows."""
        self.sequences = {one for one in self.sequences if one <= sequence}
        for payment_id in list(self.furthest):
            life = self.oracle.lives.get(payment_id)
            self.furthest[payment_id] = min(self.furthest[payment_id], life.version if life else 0)

    def complete(self) -> None:
        missed = [
            fact for fact in self.oracle.log if fact.tenant == self.tenant and fact.sequence not in self.sequences
        ]
        self.oracle.must(not missed, "a watcher sees every fact", missed[:1])
