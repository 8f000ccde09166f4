"""The numbers by which states, kinds and reasons are stored: total, and never given to another.

A name takes ten bytes and a number two, several times in every fact and record. 0 is what protobuf does not store: it
stands for "none" where there may be none and for the usual where there is a usual, and is nowhere a state or a kind.
"""

from typing import Final

from gateway.core.facts import StoreKind
from gateway.core.payment import ChargeBearer, Ended, Rail
from gateway.core.proposal import Decision
from gateway.core.reasons import Reason
from gateway.core.states import Kind, State

STATES: Final[dict[State, int]] = {
    State.RECEIVED: 1,
    State.HELD: 2,
    State.QUEUED: 3,
    State.SENDING: 4,
    State.IN_DOUBT: 5,
    State.ACCEPTED: 6,
    State.SETTLED: 7,
    State.REFUSED: 8,
    State.REJECTED: 9,
    State.CANCELLED: 10,
    State.EXPIRED: 11,
    State.RETURNED: 12,
}

KINDS: Final[dict[Kind | StoreKind, int]] = {
    Kind.RECEIVED: 1,
    Kind.CLEARED: 2,
    Kind.HOLD_PLACED: 3,
    Kind.HOLD_RELEASED: 4,
    Kind.HOLDS_CLEARED: 5,
    Kind.REFUSED: 6,
    Kind.CANCELLED: 7,
    Kind.EXPIRED: 8,
    Kind.MARKED: 9,
    Kind.NOT_SENT: 10,
    Kind.SUSPECTED: 11,
    Kind.DOUBTED: 12,
    Kind.INQUIRED: 13,
    Kind.NOT_HELD: 14,
    Kind.WITHHELD: 15,
    Kind.PROPOSED: 16,
    Kind.ABANDONED: 17,
    Kind.ACCEPTED: 18,
    Kind.SETTLED: 19,
    Kind.REJECTED: 20,
    Kind.RETURNED: 21,
    Kind.CONTRADICTED: 22,
    StoreKind.RESTORED: 100,
    StoreKind.UNKNOWN_REFERENCE: 101,
    StoreKind.UNREADABLE_PAYMENT: 102,
    StoreKind.QUARANTINE_ENDED: 103,
}

REASONS: Final[dict[Reason | None, int]] = {
    None: 0,
    Reason.CONNECT_FAILED: 1,
    Reason.TLS_FAILED: 2,
    Reason.CERTIFICATE_REFUSED: 3,
    Reason.PROTOCOL_NOT_OFFERED: 4,
    Reason.STREAM_REFUSED: 5,
    Reason.GOAWAY_ABOVE_LAST: 6,
    Reason.NEVER_WRITTEN: 7,
    Reason.BANK_THROTTLED: 8,
    Reason.REPLY_LOST: 9,
    Reason.REPLY_TIMEOUT: 10,
    Reason.REPLY_TRUNCATED: 11,
    Reason.REPLY_UNREADABLE: 12,
    Reason.REPLY_INCOMPLETE: 13,
    Reason.STREAM_RESET: 14,
    Reason.BANK_ERROR: 15,
    Reason.RESTARTED_WHILE_SENDING: 16,
    Reason.BANK_CONTRADICTS: 17,
    Reason.RESTORED_FROM_BACKUP: 18,
    Reason.BANK_ANSWERED: 19,
    Reason.BANK_DOES_NOT_HOLD: 20,
    Reason.NOTHING_LEARNT: 21,
    Reason.DECIDED_BY_TWO: 22,
    Reason.CLIENT_ASKED: 23,
    Reason.COMPOSE_FAILED: 24,
    Reason.RELEASED: 25,
}

ENDS: Final[dict[Ended, int]] = {Ended.OPEN: 0, Ended.NOT_SENT: 1, Ended.ANSWERED: 2, Ended.MAYBE_SENT: 3}

BEARERS: Final[dict[ChargeBearer, int]] = {
    ChargeBearer.SLEV: 0,
    ChargeBearer.SHAR: 1,
    ChargeBearer.DEBT: 2,
    ChargeBearer.CRED: 3,
}

RAILS: Final[dict[Rail, int]] = {Rail.NORMAL: 0, Rail.INSTANT: 1, Rail.URGENT: 2}

DECISIONS: Final[dict[Decision | None, int]] = {
    None: 0,
    Decision.HELD_BY_BANK: 1,
    Decision.SETTLED: 2,
    Decision.REJECTED: 3,
    Decision.NOT_HELD: 4,
    Decision.ABANDONED: 5,
}

TABLES: Final = (STATES, KINDS, REASONS, ENDS, BEARERS, RAILS, DECISIONS)

STATE_OF: Final = {code: state for state, code in STATES.items()}
KIND_OF: Final = {code: kind for kind, code in KINDS.items()}
REASON_OF: Final = {code: reason for reason, code in REASONS.items()}
ENDED_OF: Final = {code: ended for ended, code in ENDS.items()}
BEARER_OF: Final = {code: bearer for bearer, code in BEARERS.items()}
RAIL_OF: Final = {code: rail for rail, code in RAILS.items()}
DECISION_OF: Final = {code: decision for decision, code in DECISIONS.items()}

STATE_OR_NONE: Final = dict[State | None, int]([(None, 0), *STATES.items()])
STATE_OR_NONE_OF: Final = dict[int, State | None]([(0, None), *STATE_OF.items()])
"""Of a fact: one about the store has no states."""

assert set(STATES) == set(State)
assert set(KINDS) == {*Kind, *StoreKind}
assert set(REASONS) == {None, *Reason}
assert set(ENDS) == set(Ended)
assert set(BEARERS) == set(ChargeBearer)
assert set(RAILS) == set(Rail)
assert set(DECISIONS) == {None, *Decision}
assert all(len(set(table.values())) == len(table) for table in TABLES)
