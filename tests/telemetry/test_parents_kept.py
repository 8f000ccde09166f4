"""A claim about the memory of traceparents."""

from gateway.telemetry.trail import PARENTS_KEPT_MAX, parent_of
from tests.fills import fills


@fills("PARENTS_KEPT_MAX")
def test_parents_are_kept_for_so_many_traceparents() -> None:
    """Clients that never repeat a trace fill PARENTS_KEPT_MAX places, and no more."""
    parent_of.cache_clear()
    for number in range(1, PARENTS_KEPT_MAX + 2):
        text = f"00-{number:032x}-{number:016x}-01"
        assert parent_of(text) == text
    assert parent_of.cache_info().currsize == PARENTS_KEPT_MAX
    parent_of.cache_clear()
