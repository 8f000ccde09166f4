"""The answers to submissions, written as bytes from the record.

An answer repeats the whole instruction. Built as a message, field by field, and then encoded, it costs more than the
checks of the instruction did; written at once it takes a fifth of that. What is rare (labels, an address, a bank's
words on a payment that has gone on) is still written by protobuf and stands behind the rest: the fields of a message
may come in any order, and of these each comes once. tests/ingress/test_answers.py reads both with the same eyes.

Encoding: protobuf.dev/programming-guides/encoding; field numbers: causeway/v1/payment.proto and payment_service.proto.
"""

from functools import lru_cache
from typing import Final

from google.type import date_pb2

from causeway.v1 import payment_pb2 as pb
from gateway.core.payment import Instruction, Money, Party, Payment, text_id
from gateway.core.ports import Admitted
from gateway.ingress import translate
from gateway.ingress.translate import NANOS
from gateway.rpc.call import Encoded

SECONDS_KEPT_MAX: Final = 64
PARTIES_WRITTEN_MAX: Final = 1_024  # some 1 KiB each
_ONE_BYTE: Final = 0x7F  # what a varint of one byte holds
_TWO_BYTES_END: Final = 0x4000


def submitted(answer: Admitted) -> Encoded:
    """A SubmitPaymentResponse."""
    return Encoded(_message(0x0A, _payment(answer.payment)) + (b"\x10\x01" if answer.replay else b""))


def submitted_in_stream(answer: Admitted) -> Encoded:
    """A SubmitPaymentsResponse."""
    payment = answer.payment
    told = payment.instruction
    return Encoded(
        _text(0x0A, told.idempotency_key)
        + _text(0x12, text_id(payment.id))
        + _text(0x1A, told.end_to_end_id)
        + _number(0x20, translate.STATES[payment.state])
        + (b"\x28\x01" if answer.replay else b"")
    )


def _payment(record: Payment) -> bytes:
    received = _moment(record.received_at_ns)
    updated = received if record.updated_at_ns == record.received_at_ns else _moment(record.updated_at_ns)
    told = (
        _text(0x0A, text_id(record.id))
        + _message(0x12, _instruction(record.instruction))
        + _number(0x18, translate.STATES[record.state])
        + _number(0x20, record.version)
        + _message(0x2A, received)
        + _message(0x32, updated)
        + _text(0x4A, record.wire_reference)
    )
    if record.traceparent:
        told += b"\x82\x01" + _length(record.traceparent.encode())
    return told + _gone_on(record)


def _gone_on(record: Payment) -> bytes:
    """What only a payment has that has gone on since it was admitted."""
    if not (
        record.attempts
        or record.holds
        or record.bank_status
        or record.bank_reason
        or record.contradiction
        or record.doubt_since_ns
        or record.inquiries
        or record.inquire_at_ns
        or record.send_after_ns
    ):
        return b""
    rest: bytes = pb.Payment(
        holds=record.holds,
        attempts=[translate.attempt(one) for one in record.attempts],
        bank_status_code=record.bank_status,
        bank_reason_code=record.bank_reason,
        doubt_time=translate.timestamp(record.doubt_since_ns),
        inquiry_count=record.inquiries,
        next_inquiry_time=translate.timestamp(record.inquire_at_ns),
        send_after_time=translate.timestamp(record.send_after_ns),
        contradiction=record.contradiction,
    ).SerializeToString()
    return rest


def _instruction(told: Instruction) -> bytes:
    made = (
        _text(0x0A, told.idempotency_key)
        + _text(0x12, told.end_to_end_id)
        + _message(0x1A, _money(told.amount))
        + _message(0x22, _party(told.debtor))
        + _message(0x2A, _party(told.creditor))
        + _text(0x32, told.purpose)
        + _text(0x3A, told.remittance)
        + _text(0x42, told.creditor_reference)
        + _number(0x50, translate.CHARGE_BEARERS_OUT[told.charge_bearer])
        + _number(0x58, translate.RAILS_OUT[told.rail])
        + _text(0x62, told.bank)
    )
    if told.labels or told.requested_execution_date is not None:
        day = told.requested_execution_date
        asked = date_pb2.Date(year=day.year, month=day.month, day=day.day) if day else None
        made += pb.Instruction(requested_execution_date=asked, labels=dict(told.labels)).SerializeToString()
    return made


def _money(amount: Money) -> bytes:
    """Of an admitted instruction: above zero."""
    units, nanos = divmod(int(amount.value.scaleb(9)), NANOS)
    return _text(0x0A, amount.currency) + _number(0x10, units) + _number(0x18, nanos)


def _party(told: Party) -> bytes:
    """Of an admitted instruction: with an account. Known by the object: a party that intake knows is the same one in
    all of its instructions, and to hash one takes as long as to write it."""
    kept = _PARTIES.get(id(told))
    if kept is not None:
        return kept[1]
    if len(_PARTIES) >= PARTIES_WRITTEN_MAX:
        _PARTIES.clear()
    made = _new_party(told)
    _PARTIES[id(told)] = (told, made)  # held, so that no other object can have its id
    return made


def _new_party(told: Party) -> bytes:
    account = told.account
    number = _text(0x0A, account.iban) if account.iban else _text(0x12, account.other)
    made = _text(0x0A, told.name) + _message(0x12, number) + _text(0x1A, told.agent_bic)
    if told.address:
        made += pb.Party(address=translate.address(told.address)).SerializeToString()
    return made


def _moment(at_ns: int) -> bytes:
    seconds, nanos = divmod(at_ns, NANOS)
    return _seconds(seconds) + _number(0x10, nanos)


_PARTIES: Final[dict[int, tuple[Party, bytes]]] = {}


@lru_cache(maxsize=SECONDS_KEPT_MAX)
def _seconds(seconds: int) -> bytes:
    return _number(0x08, seconds)


# ---------------------------------------------------------------- fields


def _text(tag: int, text: str) -> bytes:
    """Of a string field; nothing where it is empty, as proto3 wants it."""
    if not text:
        return b""
    octets = text.encode()
    size = len(octets)
    return b"%c%c%b" % (tag, size, octets) if size <= _ONE_BYTE else b"%c%b%b" % (tag, _varint(size), octets)


def _message(tag: int, octets: bytes) -> bytes:
    """Of a message field, which may be empty and still be there."""
    size = len(octets)
    return b"%c%c%b" % (tag, size, octets) if size <= _ONE_BYTE else b"%c%b%b" % (tag, _varint(size), octets)


def _length(octets: bytes) -> bytes:
    return _varint(len(octets)) + octets


def _number(tag: int, number: int) -> bytes:
    """Of a field of numbers, none of them negative; nothing for 0."""
    if not number:
        return b""
    return b"%c%c" % (tag, number) if number <= _ONE_BYTE else b"%c%b" % (tag, _varint(number))


def _varint(number: int) -> bytes:
    if number < _TWO_BYTES_END:  # mostly a length
        return bytes((number & 0x7F | 0x80, number >> 7)) if number > _ONE_BYTE else bytes((number,))
    octets = bytearray()
    while number > _ONE_BYTE:
        octets.append(number & 0x7F | 0x80)
        number >>= 7
    octets.append(number)
    return bytes(octets)
