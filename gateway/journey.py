"""THE STORY: the way of a payment through the house, in two functions.

`accept` takes what a client sent to where it is durable; `deliver` takes what is due to where the bank has answered,
or where we know that we do not know. Between the two lies the store, and nothing else: whoever wants to understand
what happens to money here reads this file, then core/states.py.

What must hold at every line of `deliver` (laws 3 and 4): the attempt is committed before the first byte; every way
out of the exchange is *not sent*, *answered* or *maybe sent*; what is none of the three is *maybe sent*.
"""

import hashlib
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Final

import trio

from gateway import failpoints, limits
from gateway.core import happenings
from gateway.core.backoff import backoff_s
from gateway.core.errors import (
    BankUnknown,
    InvalidInstruction,
    KeyReused,
    MaybeSent,
    NotSent,
    Overloaded,
    Quarantined,
    Unreadable,
)
from gateway.core.happenings import Happening
from gateway.core.holds import HOLD_DEFECT
from gateway.core.outcome import Outcome, Word, said_of
from gateway.core.payment import Attempt, Payment, Principal, made_end_to_end_id, message_reference, new_id
from gateway.core.ports import Admission, Admitted, Span, Step, Stepped, Submission, WireAnswer, WireRequest, always
from gateway.core.reasons import Reason
from gateway.core.states import State
from gateway.failpoints import Point
from gateway.house import Bank, House
from gateway.intake.draft import Draft
from gateway.intake.prepare import Prepared, prepare
from gateway.telemetry import names

logger = logging.getLogger(__name__)

Refusal = InvalidInstruction | BankUnknown | KeyReused | Quarantined
"""Why an instruction was not admitted."""
PREPARED_MAX: Final = 16
"""Instructions checked before others have their turn: about half a millisecond of work."""


def room_for(house: House, count: int) -> int:
    """How many instructions `accept` would take now, at least one; asked first. Raises Overloaded or StoreFailed."""
    try:
        room = house.store.check_room(count)
    except Overloaded:
        house.trail.count(names.SHED, count, queue="writer")
        raise
    if room < count:
        house.trail.count(names.SHED, count - room, queue="writer")
    return room


async def accept(
    house: House,
    principal: Principal,
    drafts: Sequence[Draft],
    traceparent: str | Sequence[str],
    pause: Callable[[], Awaitable[object]] = trio.lowlevel.checkpoint,
    handed_over: Callable[[], None] = lambda: None,
) -> list[Admitted | Refusal]:
    """Admits each instruction exactly once; the answers come in the order of the drafts, after their commit.

    `drafts` are unchecked; a `pause` comes after PREPARED_MAX. Who runs after `handed_over` comes behind them in the
    store's queue. `traceparent`: of all, or one for each; then the admission is a trace of its own, linked to theirs.
    Raises Overloaded or StoreFailed: nothing of the batch is acknowledged.
    """
    today = datetime.fromtimestamp((now_ns := house.clock.now_ns()) / 1e9, UTC).date()
    answers: list[Admitted | Refusal | None] = [None] * len(drafts)
    admissions: list[tuple[int, Admission]] = []
    parent, links = (traceparent, ()) if isinstance(traceparent, str) else ("", traceparent)
    with house.trail.span(names.ADMIT, parent=parent, links=links, batch=len(drafts)) as span:
        for place, draft in enumerate(drafts):
            if place and place % PREPARED_MAX == 0:
                await pause()
            prepared = prepare(draft, today=today, banks=house.book)
            refusal = prepared.refusal or (Quarantined() if house.quarantine.active else None)
            if refusal is None:
                trace = links[place] if links else span.traceparent or parent
                admissions.append((place, _admission(house, principal, prepared, now_ns, trace)))
            else:
                answers[place] = await _replay_of(house, principal, prepared) or refusal
        handed_over()
        admitted = await _committed(house, [admission for _, admission in admissions], span.traceparent)
        for (place, _), answer in zip(admissions, admitted, strict=True):
            answers[place] = KeyReused(answer.payment.id) if answer.key_reused else answer
    done = [answer for answer in answers if answer is not None]
    assert len(done) == len(drafts), "an instruction without an answer"
    for result, count in Counter(map(_result_of, done)).items():
        house.trail.count(names.ADMISSIONS, count, result=result)
    return done


async def deliver(house: House, bank: Bank, payments: Sequence[Payment]) -> bool | None:
    """One message with these due payments to one bank, and what came of it into the store.

    Returns whether the bank took it in and said something that could be used (the lane's breaker asks); None where
    nothing was sent. Raises StoreFailed, never anything about the bank: its failures are outcomes.
    """
    submission = _submission(house, payments)
    try:
        request = bank.adapter.compose(submission)
    except ValueError:
        return await _uncomposable(house, bank, payments, happenings.refused(Reason.COMPOSE_FAILED))
    except Exception:
        # A defect of ours that a payment meets. Nothing was sent; the daemon must not die of it at every start.
        logger.exception("composing failed unexpectedly", extra={"bank": bank.name})
        return await _uncomposable(house, bank, payments, happenings.held(Reason.COMPOSE_FAILED, HOLD_DEFECT))
    if len(payments) > 1 and len(request.body) > bank.profile.lane.bulk_bytes_max:
        return await _in_parts(house, bank, (payments[: len(payments) // 2], payments[len(payments) // 2 :]))
    with _send_span(house, bank, payments) as span, house.departures.of(payments) as departure:
        if not await _mark(house, bank, submission, request):
            return None
        if failpoints.armed:
            failpoints.reached(Point.SEND_MARKED)
        steps, answered = await _exchange(house, bank, submission, request, span.traceparent, departure.wanted)
        if failpoints.armed:
            failpoints.reached(Point.SEND_ANSWERED)
        _tell(house, bank, await house.store.take(steps))
        if failpoints.armed:
            failpoints.reached(Point.SEND_RECORDED)
        if answered is False:
            span.failed(_reason_of(steps))
        return answered


async def _exchange(
    house: House, bank: Bank, submission: Submission, request: WireRequest, parent: str, wanted: Callable[[], bool]
) -> tuple[list[Step], bool | None]:
    """Sends, waits, and says for each payment what happened (law 4). The bool as `deliver` returns it."""
    answer: WireAnswer | None = None
    began_s = trio.current_time()
    try:
        answer = await ask(house, bank, request, parent, wanted)
        steps = _answered(house, bank, submission, bank.adapter.read(submission, answer), answer)
        _observe(house, bank, began_s, "answered")
        return steps, any(step.outcome and step.outcome.word is not Word.NOT_PROCESSED for step in steps)
    except NotSent as error:
        reason = error.reason
        _observe(house, bank, began_s, "not_sent", reason)
        return _each(submission, lambda payment: _try_again(house, bank, payment, reason)), False if wanted() else None
    except MaybeSent as error:
        reason, body = error.reason, b""
    except Unreadable:
        body = answer.body if answer else b""
        reason = Reason.BANK_ERROR if answer and answer.status >= 500 else Reason.REPLY_UNREADABLE
    except Exception:
        # A fault of ours after bytes may have left. Law 4: everything that is no proof is doubt.
        logger.exception("delivery failed unexpectedly", extra={"bank": bank.name})
        reason, body = Reason.REPLY_LOST, answer.body if answer else b""
    _observe(house, bank, began_s, "maybe_sent", reason)
    return _each(submission, lambda _: doubt(house, bank, reason, body)), False


async def ask(
    house: House, bank: Bank, request: WireRequest, parent: str, wanted: Callable[[], bool] = always
) -> WireAnswer:
    """One exchange with a bank, traced below `parent`, unless it is not `wanted` any more when it is about to become
    bytes. Raises NotSent or MaybeSent."""
    with house.trail.span(names.EXCHANGE, parent=parent, bank=bank.name, http_method=request.method) as span:
        if bank.profile.propagate_trace and span.traceparent:
            traced = (*request.headers, ("traceparent", span.traceparent))
            request = WireRequest(request.method, request.path, traced, request.body)
        try:
            answer = await bank.link.exchange(request, timeout_s=bank.profile.lane.request_timeout_s, wanted=wanted)
        except (NotSent, MaybeSent) as error:
            span.failed(error.reason.value)
            raise
        span.note(http_status=answer.status)
        return answer


def doubt(house: House, bank: Bank, reason: Reason, evidence: bytes = b"") -> Happening:
    """The payment may be at the bank; the first inquiry is planned where the bank can be asked (law 5)."""
    if not bank.adapter.declaration.inquiry:
        return happenings.doubted(reason, 0, evidence)
    first_after_s = bank.profile.inquiry.first_after_s * (1.0 + 0.1 * house.dice.random())
    inquire_at_ns = house.clock.now_ns() + int(first_after_s * 1e9)
    return happenings.doubted(reason, inquire_at_ns, evidence)


def follow_at_ns(house: House, bank: Bank) -> int:
    """When to ask about an ACCEPTED payment that no report has settled by then; 0 = never."""
    if bank.profile.inquiry.follow_max == 0 or not bank.adapter.declaration.inquiry:
        return 0
    return house.clock.now_ns() + int(bank.profile.inquiry.follow_after_s * 1e9)


# ---------------------------------------------------------------- the sentences of accept


def _admission(house: House, principal: Principal, prepared: Prepared, now_ns: int, traceparent: str) -> Admission:
    instruction = prepared.instruction
    if not instruction.end_to_end_id:
        made = made_end_to_end_id(principal.tenant, instruction.idempotency_key, prepared.fingerprint)
        instruction = replace(instruction, end_to_end_id=made)
    payment = Payment(
        id=new_id(now_ns, house.entropy(10)),
        tenant=principal.tenant,
        principal=principal.name,
        instruction=instruction,
        fingerprint=prepared.fingerprint,
        state=State.RECEIVED,
        version=1,
        received_at_ns=now_ns,
        updated_at_ns=now_ns,
        traceparent=traceparent,
    )
    return Admission(payment, (happenings.cleared(),))


async def _replay_of(house: House, principal: Principal, prepared: Prepared) -> Admitted | None:
    """The first answer to this very instruction, where it was admitted before: rules that look at today's date or
    banks must not turn a client's retry into an error (law 2)."""
    payment = await house.store.by_key(principal.tenant, prepared.instruction.idempotency_key)
    if payment is None or payment.fingerprint != prepared.fingerprint:
        return None
    return Admitted(payment, replay=True)


async def _committed(house: House, admissions: Sequence[Admission], parent: str) -> list[Admitted]:
    """Law 1: returns after the commit. The span is the wait for it, which many calls share."""
    if not admissions:
        return []
    with house.trail.span(names.COMMIT, parent=parent, batch=len(admissions)):
        try:
            return await house.store.admit(admissions)
        except Overloaded:
            house.trail.count(names.SHED, len(admissions), queue="writer")
            raise


def _result_of(answer: Admitted | Refusal) -> str:
    if isinstance(answer, Admitted):
        return "replay" if answer.replay else "new"
    return "key_reused" if isinstance(answer, KeyReused) else "refused"


# ---------------------------------------------------------------- the sentences of deliver


def _submission(house: House, payments: Sequence[Payment]) -> Submission:
    now = datetime.fromtimestamp(house.clock.now_ns() // 1_000_000_000, UTC)
    return Submission(
        message_reference=message_reference(tuple([payment.wire_reference for payment in payments])),
        payments=tuple(payments),
        created_at=now,
        execution_date=execution_date(payments[0], now.date()),
    )


def execution_date(payment: Payment, today: date) -> date:
    """The date the bank is asked for: never one in the past."""
    return max(payment.instruction.requested_execution_date or today, today)


def _send_span(house: House, bank: Bank, payments: Sequence[Payment]) -> AbstractContextManager[Span]:
    """One payment: a child of its own trace. Several: a trace of the message, linked to each of theirs."""
    if len(payments) == 1:
        only = payments[0]
        return house.trail.span(names.SEND, parent=only.traceparent, bank=bank.name, attempt=_tries(only) + 1)
    parents = [payment.traceparent for payment in payments]
    return house.trail.span(names.SEND, links=parents, bank=bank.name, batch=len(payments))


async def _mark(house: House, bank: Bank, submission: Submission, request: WireRequest) -> bool:
    """Commits the attempt of every payment in the message (law 3). False: not of every one, and it must not leave."""
    now_ns = house.clock.now_ns()
    deadline_ns = now_ns + int(bank.profile.lane.request_timeout_s * 1e9)
    payload_sha256 = hashlib.sha256(request.body).digest()
    steps = [
        Step(
            payment_id=payment.id,
            expected_version=payment.version,
            happening=happenings.marked(
                Attempt(
                    number=_tries(payment) + 1,
                    bank=bank.name,
                    wire_reference=payment.wire_reference,
                    message_reference=submission.message_reference,
                    payload_sha256=payload_sha256,
                    marked_at_ns=now_ns,
                    deadline_ns=deadline_ns,
                )
            ),
        )
        for payment in submission.payments
    ]
    stepped = await house.store.take(steps)
    if all(one.taken for one in stepped):
        return True
    # A payment was cancelled or moved on after it was taken from the outbox.
    # The composed message names it, so the message must not leave; the others are proven unsent and come again.
    back = [
        Step(payment_id=one.payment.id, happening=happenings.not_sent(Reason.NEVER_WRITTEN, now_ns))
        for one in stepped
        if one.taken and one.payment
    ]
    await house.store.take(back)
    return False


def _answered(
    house: House, bank: Bank, submission: Submission, outcomes: Iterable[Outcome], answer: WireAnswer
) -> list[Step]:
    """The bank's words for each payment. One it did not mention, or claims not to know while it answers, is in doubt:
    every payment of the message leaves SENDING here."""
    by_payment: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        by_payment.setdefault(outcome.wire_reference, []).append(outcome)
    steps = []
    follow_ns = follow_at_ns(house, bank)
    for payment in submission.payments:
        words = by_payment.get(payment.wire_reference, [])
        if len(words) > 1:  # of a single word there is nothing to choose
            words = said_of(payment.wire_reference, words)
        if not words or words[0].word is Word.NOT_FOUND:
            happening = doubt(house, bank, Reason.REPLY_INCOMPLETE, answer.body)
            steps.append(Step(payment_id=payment.id, happening=happening))
        for outcome in words:
            if outcome.word is Word.NOT_PROCESSED:
                outcome = replace(outcome, retry_after_s=_throttled_s(house, bank, payment, outcome))
            if outcome.word is not Word.NOT_FOUND:
                steps.append(Step(payment_id=payment.id, outcome=outcome, inquire_at_ns=follow_ns))
    return steps


def _throttled_s(house: House, bank: Bank, payment: Payment, outcome: Outcome) -> float:
    """The wait the bank asks for, at least our own back-off: a bank that names none must not be stormed."""
    asked_s = outcome.retry_after_s if outcome.retry_after_s > 0 else 0.0  # also where it is no number
    return min(max(asked_s, _backoff_s(house, bank, payment)), limits.RETRY_AFTER_S_MAX)


def _try_again(house: House, bank: Bank, payment: Payment, reason: Reason) -> Happening:
    wait_s = _backoff_s(house, bank, payment)
    return happenings.not_sent(reason, house.clock.now_ns() + int(wait_s * 1e9))


def _backoff_s(house: House, bank: Bank, payment: Payment) -> float:
    lane = bank.profile.lane
    return backoff_s(_tries(payment) + 1, lane.retry_first_s, lane.retry_max_s, house.dice.random())


async def _uncomposable(house: House, bank: Bank, payments: Sequence[Payment], alone: Happening) -> bool | None:
    """The adapter cannot say one of these payments. To a single one `alone` happens; of several each is tried alone."""
    if len(payments) > 1:
        return await _in_parts(house, bank, [[payment] for payment in payments])
    _tell(house, bank, await house.store.take([Step(payment_id=payments[0].id, happening=alone)]))
    return None


async def _in_parts(house: House, bank: Bank, parts: Iterable[Sequence[Payment]]) -> bool | None:
    """One message after the other, until the bank fails one: the rest stay queued, and the breaker hears of it."""
    answered: bool | None = None
    for part in parts:
        one = await deliver(house, bank, part)
        if one is False:
            return False
        answered = answered or one
    return answered


def _observe(house: House, bank: Bank, began_s: float, result: str, reason: Reason | None = None) -> None:
    why = {"reason": reason.value} if reason else {}
    seconds = trio.current_time() - began_s
    house.trail.observe(names.EXCHANGE_S, seconds, bank=bank.name, result=result, **why)


def _tries(payment: Payment) -> int:
    return payment.attempt.number if payment.attempt else 0


def _each(submission: Submission, happening: Callable[[Payment], Happening]) -> list[Step]:
    return [Step(payment_id=payment.id, happening=happening(payment)) for payment in submission.payments]


def _reason_of(steps: Sequence[Step]) -> str:
    first = steps[0].happening
    return first.reason.value if first and first.reason else Reason.BANK_THROTTLED.value


def _tell(house: House, bank: Bank, stepped: Iterable[Stepped]) -> None:
    """What became of a message's payments, counted by state."""
    states = [one.payment.state for one in stepped if one.payment is not None and one.taken]
    for state in dict.fromkeys(states):
        house.trail.count(names.PAYMENTS, states.count(state), bank=bank.name, state=state.value)
