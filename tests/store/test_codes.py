"""The numbers that states, kinds and reasons are stored by: all there, none twice, none ever another's."""

from typing import Any

import pytest

from gateway.core.facts import Fact
from gateway.core.reasons import Reason
from gateway.core.states import Kind, State
from gateway.store import codes, layout, log

OLD_FACT = (
    "0293b6e137686868680000120461636d654a096e6f72746862616e6b0a10696969696969696969696969696969691804"
    "2100f057cb3efc9818281430043809401350015a0f570123456789abcdef0123456789ab6204524a43546a0441433034"
    "722065656565656565656565656565656565656565656565656565656565656565657a190123456789abcdef01234567"
    "89abcdef0123456789abcdef01"
)
OLD_FACT_WITH_A_PHRASE = (
    "0274ed4f9b6868686801020a106969696969696969696969696969696918042100f057cb3efc98182814300438094013"
    "50015a0f570123456789abcdef0123456789ab6204524a43546a04414330347220656565656565656565656565656565"
    "65656565656565656565656565656565657a190123456789abcdef0123456789abcdef0123456789abcdef01"
)


@pytest.mark.parametrize("table", codes.TABLES)
def test_a_table_is_its_own_inverse(table: dict[Any, int]) -> None:
    """No two names share a number; 0, which protobuf does not store, is a state or a kind nowhere."""
    assert len(set(table.values())) == len(table)
    assert 0 not in [*codes.STATES.values(), *codes.KINDS.values()]
    assert all(0 <= number < 128 for number in table.values()), "one byte each"


def test_a_fact_of_today_is_read_tomorrow() -> None:
    """The bytes that this version wrote, word for word: who gives a number to another name is told here."""
    entry = Fact(
        sequence=7,
        payment_id=b"i" * 16,
        tenant="acme",
        version=4,
        at_ns=1_772_443_800_000_000_000,
        kind=Kind.REJECTED,
        before=State.SENDING,
        after=State.REJECTED,
        reason=Reason.BANK_ANSWERED,
        bank="northbank",
        attempt=1,
        wire_reference="CW0123456789ABCDEF0123456789AB",
        bank_status="RJCT",
        bank_reason="AC04",
        traceparent="00-0123456789abcdef0123456789abcdef-0123456789abcdef-01",
        evidence_sha256=b"e" * 32,
    )
    key, begins = layout.number(7), log.beginning("acme", "northbank")
    stored = log.seal_fact(key, b"h" * 32, begins, log.rest_of(entry))
    assert stored.hex() == OLD_FACT
    assert log.unseal_fact(layout.SEQ2FACT, key, stored)[0] == entry
    named = log.seal_fact(key, b"h" * 32, begins, log.rest_of(entry), 258)
    assert named.hex() == OLD_FACT_WITH_A_PHRASE
    phrases = {258: begins}
    assert log.unseal_fact(layout.SEQ2FACT, key, named, phrases.__getitem__) == (entry, b"hhhh", log.fact_body(entry))


def test_the_numbers_in_one_line_each() -> None:
    """In the order of the enumerations, as format 4 has them. New names are added with new numbers; these stay."""
    assert list(codes.STATES.values()) == list(range(1, 13))
    assert list(codes.KINDS.values()) == [*range(1, 23), *range(100, 104)]
    assert list(codes.REASONS.values()) == list(range(26))
    assert [str(reason) for reason in codes.REASONS][1::8] == [
        "CONNECT_FAILED",
        "REPLY_LOST",
        "BANK_CONTRADICTS",
        "RELEASED",
    ]
