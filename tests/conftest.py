"""Settings that hold for all tests."""

import os

from hypothesis import settings

# On CI the same commit must give the same answer; elsewhere hypothesis goes on looking for inputs nobody thought of.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("here", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "here")
