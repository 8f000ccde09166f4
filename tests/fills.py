"""Says which bounds a test fills. tests/tidy/test_bounds.py requires one such test of every bound of the house."""

from collections.abc import Callable
from typing import Any, TypeVar

Test = TypeVar("Test", bound=Callable[..., Any])


def fills(*bounds: str) -> Callable[[Test], Test]:
    """The test brings each of these to where it holds: as much as is allowed is taken, or one more is not. Names as
    tests/tidy/test_bounds.py lists them; the test's file must use them too."""

    def marked(test: Test) -> Test:
        return test

    return marked
