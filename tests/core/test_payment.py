"""Claims about references and ids: what goes to a bank must never change from one release to the next."""

import string

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.payment import (
    REFERENCE_CHARS,
    message_reference,
    new_id,
    parse_id,
    text_id,
    wire_reference,
)

ID = bytes.fromhex("01890a5dac96774bbcceb302099a8057")


def test_a_wire_reference_is_the_same_forever() -> None:
    """Golden values: a changed one would make a resend a second payment at the bank (law 3)."""
    assert wire_reference(ID, "northbank") == "CWTNQMJH27M74KNEFKEKC7ATZOSIQT"
    assert wire_reference(ID, "southbank") == "CWYKGISADLV5XCIJ6H7ZHWBJH7MGG2"
    assert message_reference(("CWA", "CWB")) == "CB2665A3EHFHXATKKBLJZP6SAIMRX3"


def test_a_message_of_one_payment_carries_its_reference() -> None:
    """Then a bank that only knows MsgId still detects the duplicate."""
    assert message_reference((wire_reference(ID, "northbank"),)) == wire_reference(ID, "northbank")


@given(one=st.binary(min_size=16, max_size=16), bank=st.text(string.ascii_lowercase, min_size=1, max_size=20))
def test_references_fit_every_bank(one: bytes, bank: str) -> None:
    """Length and alphabet that every bank takes, and another bank means another reference (law 8)."""
    reference = wire_reference(one, bank)
    assert len(reference) == REFERENCE_CHARS
    assert set(reference) <= set(string.ascii_uppercase + "234567")
    assert wire_reference(one, bank + "x") != reference
    assert len(message_reference((reference, "CWX"))) == REFERENCE_CHARS


@given(one=st.binary(min_size=16, max_size=16))
def test_an_id_survives_its_text(one: bytes) -> None:
    """What people copy is what we meant, in either case."""
    assert parse_id(text_id(one)) == one
    assert parse_id(text_id(one).upper()) == one


@given(text=st.text(max_size=40))
def test_what_is_no_id_is_none(text: str) -> None:
    """Whatever is typed, there is an answer and no accident."""
    found = parse_id(text)
    assert found is None or text_id(found) == text.lower()


@given(
    now_ns=st.integers(min_value=0, max_value=2**62),
    later_ms=st.integers(min_value=1, max_value=10**9),
    entropy=st.binary(min_size=10, max_size=10),
)
def test_ids_are_uuids_in_order_of_time(now_ns: int, later_ms: int, entropy: bytes) -> None:
    """RFC 9562 version 7: a later millisecond is a greater id, whatever the random part."""
    one = new_id(now_ns, entropy)
    assert (one[6] >> 4, one[8] >> 6) == (7, 0b10)
    assert new_id(now_ns + later_ms * 1_000_000, bytes(10)) > one
