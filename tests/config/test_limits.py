"""Claims about what an operator may ask for."""

import pytest

from gateway.config import ConfigError, load
from gateway.limits import DRAIN_S_MAX
from tests.config.conftest import MAIN, Write
from tests.fills import fills


@fills("DRAIN_S_MAX")
def test_a_drain_ends_before_the_orchestrator_does(write: Write) -> None:
    """DRAIN_S_MAX may be configured, and nothing above it."""
    assert load(write(f"drain_s = {DRAIN_S_MAX}\n{MAIN}")).drain_s == DRAIN_S_MAX
    with pytest.raises(ConfigError, match="drain_s"):
        load(write(f"drain_s = {DRAIN_S_MAX + 0.1}\n{MAIN}"))
