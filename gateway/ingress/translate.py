"""The API's messages and the house's own types, each way. Total: whatever a client sends has a translation."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp
from google.type import date_pb2, money_pb2

from causeway.v1 import payment_pb2 as pb
from gateway.core.errors import Violation
from gateway.core.facts import Fact
from gateway.core.payment import (
    Account,
    Address,
    Attempt,
    ChargeBearer,
    Ended,
    Instruction,
    Money,
    Party,
    Payment,
    Rail,
    text_id,
)
from gateway.core.states import State
from gateway.intake.draft import Draft
from gateway.intake.known import KnownParty, known

NANOS: Final = 1_000_000_000
PARTIES_KEPT_MAX: Final = 4_096
PARTY_BYTES_KEPT_MAX: Final = 512
"""A party of a larger message is translated anew each time: what is kept of strangers, here and by intake.known, stays
below 12 MiB."""

_RAILS: Final[dict[int, Rail]] = {
    pb.RAIL_UNSPECIFIED: Rail.NORMAL,
    pb.RAIL_NORMAL: Rail.NORMAL,
    pb.RAIL_INSTANT: Rail.INSTANT,
    pb.RAIL_URGENT: Rail.URGENT,
}
_CHARGE_BEARERS: Final[dict[int, ChargeBearer]] = {
    pb.CHARGE_BEARER_UNSPECIFIED: ChargeBearer.SLEV,  # stands for "open", see Draft
    pb.CHARGE_BEARER_SLEV: ChargeBearer.SLEV,
    pb.CHARGE_BEARER_SHAR: ChargeBearer.SHAR,
    pb.CHARGE_BEARER_DEBT: ChargeBearer.DEBT,
    pb.CHARGE_BEARER_CRED: ChargeBearer.CRED,
}
STATES: Final[dict[State, pb.State]] = {state: getattr(pb, f"STATE_{state.value}") for state in State}
"""Ours → the API's."""
STATES_BACK: Final[dict[int, State]] = {number: state for state, number in STATES.items()}
RAILS_OUT: Final[dict[Rail, pb.Rail]] = {rail: getattr(pb, f"RAIL_{rail.value}") for rail in Rail}
CHARGE_BEARERS_OUT: Final[dict[ChargeBearer, pb.ChargeBearer]] = {
    bearer: getattr(pb, f"CHARGE_BEARER_{bearer.value}") for bearer in ChargeBearer
}
_ENDED: Final = {
    Ended.OPEN: pb.ATTEMPT_RESULT_UNSPECIFIED,
    Ended.NOT_SENT: pb.ATTEMPT_RESULT_NOT_SENT,
    Ended.ANSWERED: pb.ATTEMPT_RESULT_ANSWERED,
    Ended.MAYBE_SENT: pb.ATTEMPT_RESULT_MAYBE_SENT,
}

# ---------------------------------------------------------------- from the API


def draft(message: pb.Instruction) -> Draft:
    """What the client sent, unchecked. What has no translation (30 February, an unknown enum value) is left empty
    and named in `broken`."""
    broken: list[Violation] = []
    debtor, creditor, bearer = _party(message.debtor), _party(message.creditor), message.charge_bearer
    told = Instruction(
        message.idempotency_key,
        message.end_to_end_id,
        _money(message.amount, broken),
        debtor.came,
        creditor.came,
        message.bank,
        _date(message, broken),
        message.purpose_code,
        message.unstructured_remittance,
        message.creditor_reference,
        _charge_bearer(bearer, broken),
        _rail(message.rail, broken),
        tuple(message.labels.items()) if message.labels else (),
    )
    return Draft(told, tuple(broken), bearer == pb.CHARGE_BEARER_UNSPECIFIED, (debtor, creditor))


def _money(message: money_pb2.Money, broken: list[Violation]) -> Money:
    units, nanos = message.units, message.nanos
    if 0 < nanos < NANOS and units >= 0:  # at most 28 digits, which is decimal's precision: exact
        return Money(message.currency_code, Decimal(units * NANOS + nanos).scaleb(-9).normalize())
    if not nanos:
        return Money(message.currency_code, Decimal(units))
    if abs(nanos) >= NANOS or (units > 0) > (nanos > 0) or (units < 0) > (nanos < 0):
        said = "units and nanos must have the same sign, and nanos must stay below one unit (google.type.Money)"
        broken.append(Violation("instruction.amount", "AMOUNT_MALFORMED", said))
        return Money(message.currency_code, Decimal(units))
    # Exact, as above. Normalized, so that only decimals in use count.
    return Money(message.currency_code, (Decimal(units) + Decimal(nanos).scaleb(-9)).normalize())


def _party(message: pb.Party) -> KnownParty:
    """Parties recur; the same bytes are the same party, and the same object."""
    raw = message.SerializeToString()
    return _kept_party(raw) if len(raw) <= PARTY_BYTES_KEPT_MAX else _new_party(raw)


def _new_party(raw: bytes) -> KnownParty:
    message = pb.Party.FromString(raw)
    account = message.account
    return known(
        Party(
            name=message.name,
            account=Account(iban=account.iban, other=account.other),
            agent_bic=message.agent_bic,
            address=_address(message.address) if message.HasField("address") else Address(),
        )
    )


_kept_party: Final = lru_cache(maxsize=PARTIES_KEPT_MAX)(_new_party)


def _address(message: pb.Address) -> Address:
    return Address(
        street=message.street_name,
        building=message.building_number,
        postal_code=message.postal_code,
        town=message.town_name,
        country=message.country_code,
    )


def _date(message: pb.Instruction, broken: list[Violation]) -> date | None:
    if not message.HasField("requested_execution_date"):
        return None
    asked = message.requested_execution_date
    try:
        return date(asked.year, asked.month, asked.day)
    except ValueError:
        said = "must be a day of the calendar with year, month and day, or be absent"
        broken.append(Violation("instruction.requested_execution_date", "EXECUTION_DATE_MALFORMED", said))
        return None


def _charge_bearer(number: int, broken: list[Violation]) -> ChargeBearer:
    bearer = _CHARGE_BEARERS.get(number)
    if bearer is None:
        broken.append(Violation("instruction.charge_bearer", "CHARGE_BEARER_UNKNOWN", "SLEV, SHAR, DEBT or CRED"))
        return ChargeBearer.SHAR  # the one that no other rule objects to
    return bearer


def _rail(number: int, broken: list[Violation]) -> Rail:
    rail = _RAILS.get(number)
    if rail is None:
        broken.append(Violation("instruction.rail", "RAIL_UNKNOWN", "NORMAL, INSTANT or URGENT"))
        return Rail.NORMAL
    return rail


def nanoseconds(moment: Timestamp) -> int:
    """Unix nanoseconds. Of a timestamp outside its own type's range, the nearest end of what we can say."""
    return max(0, moment.seconds * NANOS + moment.nanos)


# ---------------------------------------------------------------- to the API


def instruction(told: Instruction) -> pb.Instruction:
    message = pb.Instruction(
        idempotency_key=told.idempotency_key,
        end_to_end_id=told.end_to_end_id,
        amount=money(told.amount),
        debtor=party(told.debtor),
        creditor=party(told.creditor),
        purpose_code=told.purpose,
        charge_bearer=CHARGE_BEARERS_OUT[told.charge_bearer],
        rail=RAILS_OUT[told.rail],
        bank=told.bank,
        labels=dict(told.labels),
    )
    if told.remittance:
        message.unstructured_remittance = told.remittance
    if told.creditor_reference:
        message.creditor_reference = told.creditor_reference
    if told.requested_execution_date is not None:
        day = told.requested_execution_date
        message.requested_execution_date.CopyFrom(date_pb2.Date(year=day.year, month=day.month, day=day.day))
    return message


def money(amount: Money) -> money_pb2.Money:
    units = int(amount.value)
    nanos = int((amount.value - units).scaleb(9))
    return money_pb2.Money(currency_code=amount.currency, units=units, nanos=nanos)


def party(told: Party) -> pb.Party:
    message = pb.Party(name=told.name, agent_bic=told.agent_bic)
    if told.account.iban:
        message.account.iban = told.account.iban
    elif told.account.other:
        message.account.other = told.account.other
    if told.address:
        message.address.CopyFrom(address(told.address))
    return message


def address(told: Address) -> pb.Address:
    return pb.Address(
        street_name=told.street,
        building_number=told.building,
        postal_code=told.postal_code,
        town_name=told.town,
        country_code=told.country,
    )


def payment(record: Payment) -> pb.Payment:
    return pb.Payment(
        id=text_id(record.id),
        instruction=instruction(record.instruction),
        state=STATES[record.state],
        version=record.version,
        receive_time=timestamp(record.received_at_ns),
        update_time=timestamp(record.updated_at_ns),
        holds=record.holds,
        attempts=[attempt(one) for one in record.attempts],
        wire_reference=record.wire_reference,
        bank_status_code=record.bank_status,
        bank_reason_code=record.bank_reason,
        doubt_time=timestamp(record.doubt_since_ns),
        inquiry_count=record.inquiries,
        next_inquiry_time=timestamp(record.inquire_at_ns),
        send_after_time=timestamp(record.send_after_ns),
        traceparent=record.traceparent,
        contradiction=record.contradiction,
    )


def attempt(told: Attempt) -> pb.Attempt:
    return pb.Attempt(
        number=told.number,
        bank=told.bank,
        message_reference=told.message_reference,
        mark_time=timestamp(told.marked_at_ns),
        deadline_time=timestamp(told.deadline_ns),
        result=_ENDED[told.ended],
        reason=told.reason.value if told.reason else "",
    )


def fact(told: Fact) -> pb.Fact:
    return pb.Fact(
        sequence=told.sequence,
        payment_id=text_id(told.payment_id),
        version=told.version,
        time=timestamp(told.at_ns),
        kind=told.kind.value,
        previous_state=STATES[told.before] if told.before else pb.STATE_UNSPECIFIED,
        state=STATES[told.after] if told.after else pb.STATE_UNSPECIFIED,
        reason=told.reason.value if told.reason else "",
        bank=told.bank,
        attempt=told.attempt,
        wire_reference=told.wire_reference,
        bank_status_code=told.bank_status,
        bank_reason_code=told.bank_reason,
        holds=told.holds,
        actor=told.actor,
        traceparent=told.traceparent,
        decision=told.decision.value if told.decision else "",
        proposer=told.proposer,
    )


def timestamp(at_ns: int) -> Timestamp | None:
    """None for 0, which means never."""
    return Timestamp(seconds=at_ns // NANOS, nanos=at_ns % NANOS) if at_ns else None


def timestamp_of(moment: datetime | None) -> Timestamp | None:
    return timestamp(int(moment.astimezone(UTC).timestamp()) * NANOS) if moment else None


def states(numbers: Sequence[int]) -> frozenset[State] | None:
    """None where one of them is no state we know."""
    known = [STATES_BACK.get(number) for number in numbers]
    return None if None in known else frozenset(state for state in known if state is not None)
