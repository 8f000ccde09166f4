"""Claims about words from strangers in the log."""

from gateway.net.tls_errors import CAUSE_CHARS_MAX, slug
from tests.fills import fills


@fills("CAUSE_CHARS_MAX")
def test_a_cause_stays_a_word() -> None:
    """CAUSE_CHARS_MAX characters are kept whole, and of more the first."""
    assert slug("x" * CAUSE_CHARS_MAX) == "x" * CAUSE_CHARS_MAX
    assert slug("x" * 10_000) == "x" * CAUSE_CHARS_MAX
