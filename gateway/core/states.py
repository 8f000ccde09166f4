"""What a payment's state is, and the one table of what may follow what.

What can go wrong here is the worst that can go wrong anywhere: a step that is not in this table, taken once, pays
twice or forgets a payment. So the table is data, `step` is its only reader, and nothing else in the house assigns a
state. The order of thought behind it:

* Before the mark (RECEIVED, HELD, QUEUED) no byte has left; everything may still be refused, cancelled or expire.
* SENDING means an attempt is committed and bytes may be leaving. It ends in exactly one of: a proof that nothing
  left (back to QUEUED), an answer (ACCEPTED, SETTLED, REJECTED), or doubt.
* IN_DOUBT is left by evidence only: the bank's word that it holds the payment, a definite word that it does not, or
  what two people have found out (core/decisions.py). No happening in this table is a timer.
* Giving up a doubt is a kind of its own. CANCELLED is what a client alone may do before sending; were it allowed here,
  one client's call would end a doubt.
* A store restored from a backup may be older than what the banks know. Whatever it takes for unsent is then SUSPECTED:
  doubt without an attempt. Proof that the bank does not hold it leads back to where it was: to the outbox, or to its
  holds, which are as open as before (WITHHELD).
* A bank can contradict itself. After an end, its contradiction is written down and changes nothing; before sending
  (the bank claims a payment we believe it does not hold) it leads to IN_DOUBT, never to a second send. Of a payment
  IN_DOUBT or ACCEPTED it is a rejection of an older message: the bank had what it denied then, and the latest is open.
"""

from enum import StrEnum


class State(StrEnum):
    """Where a payment stands. The values are stable: they are stored, shown and published."""

    RECEIVED = "RECEIVED"
    HELD = "HELD"
    QUEUED = "QUEUED"
    SENDING = "SENDING"
    IN_DOUBT = "IN_DOUBT"
    ACCEPTED = "ACCEPTED"
    SETTLED = "SETTLED"
    REFUSED = "REFUSED"
    REJECTED = "REJECTED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    RETURNED = "RETURNED"


class Kind(StrEnum):
    """What can happen to a payment: the inputs of the table."""

    RECEIVED = "received"  # admitted and durable; the first fact of every payment
    CLEARED = "cleared"  # every check before sending passed
    HOLD_PLACED = "hold_placed"
    HOLD_RELEASED = "hold_released"  # one of several holds
    HOLDS_CLEARED = "holds_cleared"  # the last hold
    REFUSED = "refused"  # we will not send it
    CANCELLED = "cancelled"  # the client took it back before it was sent
    EXPIRED = "expired"
    MARKED = "marked"  # the attempt is committed; bytes may leave from now on
    NOT_SENT = "not_sent"  # proof that the bank never processed the attempt
    SUSPECTED = "suspected"  # we are older than the bank may be: it could have been sent after our backup was taken
    DOUBTED = "doubted"  # the attempt ended without a proof or a readable answer
    INQUIRED = "inquired"  # the bank was asked and nothing was learnt
    NOT_HELD = "not_held"  # definite: the bank does not hold the payment
    WITHHELD = "withheld"  # the same of a payment with open holds: it goes back to them, not to the outbox
    PROPOSED = "proposed"  # one person says what became of it; a second one must confirm
    ABANDONED = "abandoned"  # two people gave it up: never to be sent
    ACCEPTED = "accepted"
    SETTLED = "settled"
    REJECTED = "rejected"
    RETURNED = "returned"  # money that was settled came back
    CONTRADICTED = "contradicted"  # the bank says what does not fit the state


class IllegalStep(Exception):
    """A happening that the table does not allow in this state. Nothing was changed."""

    def __init__(self, state: State, kind: Kind) -> None:
        super().__init__(f"{kind.value} cannot happen to a payment that is {state.value}")
        self.state = state
        self.kind = kind


MEANING: dict[State, tuple[str, str]] = {
    State.RECEIVED: ("durable, acknowledged", "RCVD"),
    State.HELD: ("at least one open hold", "PDNG"),
    State.QUEUED: ("may be sent when its lane, value date and cut-off allow", "ACTC"),
    State.SENDING: ("attempt committed; bytes may be leaving", "–"),
    State.IN_DOUBT: ("the bank may or may not have it; only evidence or two people lead out", "–"),
    State.ACCEPTED: ("the bank has taken it", "ACCP / ACSP"),
    State.SETTLED: ("the bank says settled, or the statement shows it booked", "ACSC / ACCC"),
    State.REFUSED: ("we will not send it", "RJCT"),
    State.REJECTED: ("the bank will not pay it", "RJCT"),
    State.CANCELLED: ("taken back before it was sent, or given up in doubt by two people; never to be sent", "CANC"),
    State.EXPIRED: ("not sent in time", "–"),
    State.RETURNED: ("settled, then the money came back", "–"),
}
"""State → its meaning in a line, and the nearest ISO 20022 status."""

_S, _K = State, Kind

STEPS: dict[tuple[State, Kind], State] = {
    (_S.RECEIVED, _K.CLEARED): _S.QUEUED,
    (_S.RECEIVED, _K.HOLD_PLACED): _S.HELD,
    (_S.RECEIVED, _K.REFUSED): _S.REFUSED,
    (_S.RECEIVED, _K.CANCELLED): _S.CANCELLED,
    (_S.HELD, _K.HOLD_PLACED): _S.HELD,
    (_S.HELD, _K.HOLD_RELEASED): _S.HELD,
    (_S.HELD, _K.HOLDS_CLEARED): _S.QUEUED,
    (_S.HELD, _K.REFUSED): _S.REFUSED,
    (_S.HELD, _K.CANCELLED): _S.CANCELLED,
    (_S.HELD, _K.EXPIRED): _S.EXPIRED,
    (_S.HELD, _K.SUSPECTED): _S.IN_DOUBT,
    (_S.QUEUED, _K.MARKED): _S.SENDING,
    (_S.QUEUED, _K.HOLD_PLACED): _S.HELD,
    (_S.QUEUED, _K.REFUSED): _S.REFUSED,
    (_S.QUEUED, _K.CANCELLED): _S.CANCELLED,
    (_S.QUEUED, _K.EXPIRED): _S.EXPIRED,
    (_S.QUEUED, _K.SUSPECTED): _S.IN_DOUBT,
    (_S.QUEUED, _K.CONTRADICTED): _S.IN_DOUBT,
    (_S.SENDING, _K.NOT_SENT): _S.QUEUED,
    (_S.SENDING, _K.DOUBTED): _S.IN_DOUBT,
    (_S.SENDING, _K.ACCEPTED): _S.ACCEPTED,
    (_S.SENDING, _K.SETTLED): _S.SETTLED,
    (_S.SENDING, _K.REJECTED): _S.REJECTED,
    (_S.IN_DOUBT, _K.SUSPECTED): _S.IN_DOUBT,
    (_S.IN_DOUBT, _K.INQUIRED): _S.IN_DOUBT,
    (_S.IN_DOUBT, _K.PROPOSED): _S.IN_DOUBT,
    (_S.IN_DOUBT, _K.NOT_HELD): _S.QUEUED,
    (_S.IN_DOUBT, _K.WITHHELD): _S.HELD,
    (_S.IN_DOUBT, _K.ABANDONED): _S.CANCELLED,
    (_S.IN_DOUBT, _K.ACCEPTED): _S.ACCEPTED,
    (_S.IN_DOUBT, _K.SETTLED): _S.SETTLED,
    (_S.IN_DOUBT, _K.REJECTED): _S.REJECTED,
    (_S.IN_DOUBT, _K.CONTRADICTED): _S.IN_DOUBT,
    (_S.ACCEPTED, _K.INQUIRED): _S.ACCEPTED,
    (_S.ACCEPTED, _K.ACCEPTED): _S.ACCEPTED,
    (_S.ACCEPTED, _K.SETTLED): _S.SETTLED,
    (_S.ACCEPTED, _K.REJECTED): _S.REJECTED,
    (_S.ACCEPTED, _K.RETURNED): _S.RETURNED,
    (_S.ACCEPTED, _K.CONTRADICTED): _S.ACCEPTED,
    (_S.SETTLED, _K.RETURNED): _S.RETURNED,
    (_S.SETTLED, _K.CONTRADICTED): _S.SETTLED,
    (_S.REJECTED, _K.CONTRADICTED): _S.REJECTED,
    (_S.HELD, _K.CONTRADICTED): _S.HELD,
    (_S.CANCELLED, _K.CONTRADICTED): _S.CANCELLED,
    (_S.REFUSED, _K.CONTRADICTED): _S.REFUSED,
    (_S.EXPIRED, _K.CONTRADICTED): _S.EXPIRED,
    (_S.RETURNED, _K.CONTRADICTED): _S.RETURNED,
}
"""(state, what happens) → the state after it. What is not here cannot happen."""

ENDS: frozenset[State] = frozenset({_S.SETTLED, _S.REFUSED, _S.REJECTED, _S.CANCELLED, _S.EXPIRED, _S.RETURNED})
"""States that need no further work from us. SETTLED may still become RETURNED: money can come back."""


def step(state: State, kind: Kind) -> State:
    """The state after `kind` happened in `state`. Raises IllegalStep, which changes nothing."""
    try:
        return STEPS[state, kind]
    except KeyError as error:
        raise IllegalStep(state, kind) from error
