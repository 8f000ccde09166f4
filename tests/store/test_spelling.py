"""What is packed is unpacked to the very text, and what is spelled otherwise is left alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import limits
from gateway.core.payment import is_wire_reference, message_reference, wire_reference
from gateway.store import spelling
from tests.fills import fills

OURS = wire_reference("acme", "order-1", b"f" * 32, "northbank")
BULK = message_reference((OURS, OURS))
TRACE = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"


@pytest.mark.parametrize("text", [OURS, BULK])
def test_our_references_take_half(text: str) -> None:
    """A wire reference and the reference of a bulk message are 15 bytes, and come back as they were."""
    packed = spelling.packed_reference(text)
    assert len(packed) == spelling.PACKED_REFERENCE_BYTES == 15
    assert spelling.reference_of(packed) == text


def test_a_traceparent_takes_half() -> None:
    """W3C's 55 characters are 25 bytes, and come back as they were."""
    packed = spelling.packed_traceparent(TRACE)
    assert len(packed) == spelling.PACKED_TRACEPARENT_BYTES == 25
    assert spelling.traceparent_of(packed) == TRACE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "CW",
        OURS.lower(),
        "CX" + OURS[2:],
        OURS[:-1],
        OURS + "0",
        OURS[:-1] + "G",
        "CW " + OURS[3:],
        OURS[:-2] + " 0",
    ],
)
def test_other_references_are_left_alone(text: str) -> None:
    """What fromhex would forgive (blanks, lower case) would come back as something else, so it is not packed."""
    assert spelling.packed_reference(text) == b""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "01" + TRACE[2:],
        TRACE.upper(),
        TRACE + "-x",
        TRACE.replace("-", "_"),
        TRACE[:3] + "-" + TRACE[3:-1],
        TRACE[:-1] + "g",
    ],
)
def test_other_traceparents_are_left_alone(text: str) -> None:
    """Another version, other case, dashes elsewhere: stored as the text it is."""
    assert spelling.packed_traceparent(text) == b""


@given(st.text("CWB0123456789ABCDEFabcdef -", min_size=28, max_size=32))
def test_whatever_is_packed_is_exact(text: str) -> None:
    """There is no text that comes back as another one."""
    packed = spelling.packed_reference(text)
    assert not packed or spelling.reference_of(packed) == text
    assert bool(packed) >= is_wire_reference(text)


@fills("REMEMBERED_MAX")
def test_what_is_remembered_is_bounded() -> None:
    """However many references pass, no more are remembered than payments are."""
    for number in range(spelling.REMEMBERED_MAX + 10):
        spelling.packed_reference(f"CW{number:028X}")
    assert spelling.packed_reference.cache_info().currsize == spelling.REMEMBERED_MAX == limits.RECENT_PAYMENTS_MAX
