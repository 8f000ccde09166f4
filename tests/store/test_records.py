"""What is stored comes back as it was, or not at all."""

from dataclasses import fields, replace
from decimal import Decimal

import pytest

from causeway.store.v1 import record_pb2 as pb
from gateway import limits
from gateway.core import happenings, life
from gateway.core.happenings import Happening
from gateway.core.payment import Account, ChargeBearer, Ended, Money, Party, Payment, Rail, Uptime
from gateway.core.proposal import Decision, Proposal
from gateway.core.reasons import Reason
from gateway.core.states import Kind, State
from gateway.store import codes, envelope, layout, log, records
from gateway.store.envelope import CorruptRecord
from tests.fakes.admissions import a_payment, mark
from tests.fills import fills

PROPOSAL = Proposal(Decision.NOT_HELD, "ada", 11, b"d" * 32)


def full_payment() -> Payment:
    """A payment in which every field differs from its default."""
    payment = a_payment(
        purpose="SALA",
        creditor_reference="RF18539007547034",
        charge_bearer=ChargeBearer.SHAR,
        rail=Rail.INSTANT,
        amount=Money("KWD", Decimal("10.100")),
        creditor=Party("Ünïcode & Söhne", Account(other="4711"), "NWBKGB2L"),
    )
    payment = life.after(payment, happenings.cleared(), 5)
    payment = life.after(payment, mark(payment), 6)
    first = replace(payment.attempts[0], ended=Ended.NOT_SENT, reason=Reason.CONNECT_FAILED)
    second = replace(first, number=2, message_reference="CBBULK", ended=Ended.OPEN, reason=None)
    return replace(
        payment,
        attempts=(first, second),
        holds=("operator", "limit"),
        send_after_ns=7,
        doubt_since_ns=8,
        inquiries=9,
        inquire_at_ns=10,
        bank_status="RJCT",
        bank_reason="AC04",
        contradiction="ACSC",
        proposal=PROPOSAL,
        missing_since=Uptime(b"b" * 16, 12),
    )


@pytest.mark.parametrize("payment", [a_payment(), full_payment()], ids=["new", "full"])
def test_a_payment_comes_back_field_for_field(payment: Payment) -> None:
    """No field is lost or rounded on the way to the disk and back."""
    assert records.unseal_payment("payment2record", payment.id, records.seal_payment(payment)) == payment


def test_the_full_payment_leaves_no_field_out() -> None:
    """The test above means every field there is, also those added later."""
    payment = full_payment()
    instruction = payment.instruction
    of_instruction = [f.name for f in fields(instruction) if not getattr(instruction, f.name)]
    assert [name.name for name in fields(payment) if not getattr(payment, name.name)] + of_instruction == []


def test_an_amount_keeps_its_decimals() -> None:
    """10.10 does not become 10.1, and nothing becomes a float."""
    for text in ("10.10", "0.01", "123456789012345.67", "1E+3"):
        payment = a_payment(amount=Money("EUR", Decimal(text)))
        back = records.unseal_payment("payment2record", payment.id, records.seal_payment(payment))
        assert str(back.instruction.amount.value) == text


def test_a_fact_comes_back_field_for_field() -> None:
    """A fact read from the log is the fact that happened."""
    payment = full_payment()
    happening = Happening(
        Kind.REJECTED,
        reason=Reason.BANK_ANSWERED,
        bank_status="RJCT",
        bank_reason="AC04",
        holds=("a", "b"),
        evidence=b"<xml/>",
        actor="bob",
        proposal=PROPOSAL,
    )
    entry = life.fact(life.after(payment, happening, 11), State.SENDING, happening, 42)
    key, body = layout.number(42), log.fact_body(entry)
    assert all(getattr(entry, name.name) for name in fields(entry))
    assert log.unseal_fact("seq2fact", key, log.seal_fact(key, b"h" * 32, b"", body)) == (entry, b"hhhh", body)


def test_every_altered_byte_is_found() -> None:
    """Whichever single byte of a record changes or is cut off, the record is corrupt, never another payment."""
    payment = a_payment()
    stored = records.seal_payment(payment)
    for place in range(len(stored)):
        torn = bytearray(stored)
        torn[place] ^= 0x40
        for altered in (bytes(torn), stored[:place]):
            with pytest.raises(CorruptRecord):
                records.unseal_payment("payment2record", payment.id, altered)


def test_a_record_under_another_key_is_corrupt() -> None:
    """A whole record in the wrong place is no record of that place; the error names mapping and key, no content."""
    one, two = a_payment("order-1"), a_payment("order-2")
    with pytest.raises(CorruptRecord) as caught:
        records.unseal_payment("payment2record", two.id, records.seal_payment(one))
    assert (caught.value.mapping, caught.value.key) == ("payment2record", two.id)
    assert "Muster" not in str(caught.value)


def test_a_state_of_a_newer_version_is_not_guessed() -> None:
    """A record that is whole but says what this version does not know is corrupt, without showing its content."""
    payment = a_payment()
    body = envelope.unseal("payment2record", payment.id, records.seal_payment(payment))
    state = pb.Payment(state=codes.STATES[State.RECEIVED], version=1).SerializeToString()
    assert body.count(state) == 1
    body = body.replace(state, pb.Payment(state=99, version=1).SerializeToString())
    with pytest.raises(CorruptRecord, match="cannot be read"):
        records.unseal_payment("payment2record", payment.id, envelope.seal(payment.id, body))


@fills("INSTRUCTION_BYTES_MAX", "RECORD_BYTES_MAX")
def test_the_largest_legal_record_fits() -> None:
    """An instruction at its bound with all attempts a record may carry stays below RECORD_BYTES_MAX."""
    payment = a_payment(remittance="x" * limits.INSTRUCTION_BYTES_MAX)
    attempt = mark(payment).attempt
    assert attempt is not None
    attempt = replace(attempt, message_reference="C" * 35, bank="b" * 100, reason=Reason.RESTARTED_WHILE_SENDING)
    payment = replace(payment, attempts=(attempt,) * life.ATTEMPTS_KEPT)
    assert len(records.seal_payment(payment)) < limits.RECORD_BYTES_MAX


def test_pairs_cannot_be_confused() -> None:
    """Moving a character from tenant to key, or a bank that begins like another, gives another place."""
    assert layout.key_key("ab", "c") != layout.key_key("a", "bc")
    assert not layout.due_prefix("northbank", layout.NOW).startswith(layout.due_prefix("north", layout.NOW))
    assert not layout.prefix("b\x00").startswith(layout.prefix("b"))


def test_every_key_fits_into_lmdb() -> None:
    """The longest names and texts still make keys below 511 bytes, and stay distinct; a longer name is refused."""
    payment = a_payment("k" * 2000, tenant="t" * 255, bank="b" * 255)
    for key in (layout.key_key, layout.wire_key):
        keys = {key("t" * 255, "ü" * count + end) for count in (99, 100, 1000) for end in ("", "a", "b")}
        assert len(keys) == 9
        assert max(len(one) for one in keys) < 511
    assert max(len(key) for _, key in (*layout.standing(payment), ("", layout.due_key(payment)))) < 511
    with pytest.raises(ValueError, match="255"):
        layout.prefix("ü" * 128)
