"""A claim about the memory of traceparents."""

from gateway.telemetry.trail import PLACES_KEPT_MAX, place_of
from tests.fills import fills


@fills("PLACES_KEPT_MAX")
def test_places_are_kept_for_so_many_traceparents() -> None:
    """Clients that never repeat a trace fill PLACES_KEPT_MAX places, and no more."""
    place_of.cache_clear()
    for number in range(1, PLACES_KEPT_MAX + 2):
        place = place_of(f"00-{number:032x}-{number:016x}-01")
        assert place is not None
        assert place.trace_id == number
    assert place_of.cache_info().currsize == PLACES_KEPT_MAX
    place_of.cache_clear()
