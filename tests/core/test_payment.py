"""Claims about references and ids: what goes to a bank must never change from one release to the next."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.payment import (
    REFERENCE_CHARS,
    is_wire_reference,
    made_end_to_end_id,
    message_reference,
    new_id,
    parse_id,
    text_id,
    wire_reference,
)
from tests.fakes.payments import NOW_NS, payment

ID = bytes.fromhex("01890a5dac96774bbcceb302099a8057")


CONTENT = bytes(range(32))


def test_a_wire_reference_is_the_same_forever() -> None:
    """Golden values: a changed one would make a resend a second payment at the bank (law 3)."""
    assert wire_reference("acme", "order-1", CONTENT, "northbank") == "CWE3227987FFFFE74E0D3BFA9DC451"
    assert wire_reference("acme", "order-1", CONTENT, "southbank") == "CW45D4E3777CF66BEA75C36B5E7BFC"
    assert message_reference(("CWA", "CWB")) == "CBD7BDD06C8729EE09A9415A72FF48"
    assert made_end_to_end_id("acme", "order-1", CONTENT) == "ECW6D9A20444307F286E162842DF3B0"


def test_a_message_of_one_payment_carries_its_reference() -> None:
    """Then a bank that only knows MsgId still detects the duplicate."""
    reference = wire_reference("acme", "order-1", CONTENT, "northbank")
    assert message_reference((reference,)) == reference


def test_a_key_that_was_lost_and_comes_again_has_its_reference_again() -> None:
    """Neither the id nor the moment of admission is in it, so a bank can tell the repetition (decision 5)."""
    one = payment(1)
    again = replace(one, id=new_id(NOW_NS + 10**18, bytes(10)), received_at_ns=NOW_NS + 10**18, principal="another")
    assert again.wire_reference == one.wire_reference


names = st.text(max_size=20)


@given(one=st.tuples(names, names, st.binary(max_size=32), names), other=st.tuples(names, names, st.binary(), names))
def test_references_fit_every_bank_and_name_one_payment(
    one: tuple[str, str, bytes, str], other: tuple[str, str, bytes, str]
) -> None:
    """Length and alphabet that every bank takes; another tenant, key, content or bank means another reference, however
    the texts meet."""
    reference = wire_reference(*one)
    assert len(reference) == REFERENCE_CHARS
    assert reference.isascii()
    assert reference.isalnum()
    assert is_wire_reference(reference)
    assert (wire_reference(*other) == reference) is (other == one)
    assert len(message_reference((reference, "CWX"))) == REFERENCE_CHARS
    assert len(made_end_to_end_id(*one[:3])) <= 35


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
