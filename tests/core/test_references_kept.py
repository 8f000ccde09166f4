"""A claim about the memory of wire references."""

from gateway.core.payment import WIRE_REFERENCES_KEPT_MAX, wire_reference
from tests.fills import fills


@fills("WIRE_REFERENCES_KEPT_MAX")
def test_references_are_kept_for_so_many_payments() -> None:
    """More payments than WIRE_REFERENCES_KEPT_MAX fill its places, no more; the first one made again is the same."""
    wire_reference.cache_clear()
    first = wire_reference("tenant", "key-0", b"f" * 32, "northbank")
    for number in range(1, WIRE_REFERENCES_KEPT_MAX + 2):
        wire_reference("tenant", f"key-{number}", b"f" * 32, "northbank")
    assert wire_reference.cache_info().currsize == WIRE_REFERENCES_KEPT_MAX
    assert wire_reference("tenant", "key-0", b"f" * 32, "northbank") == first
    wire_reference.cache_clear()
